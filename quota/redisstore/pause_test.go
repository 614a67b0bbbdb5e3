//go:build unix

package redisstore

import (
	"crypto/rand"
	"syscall"
	"testing"
	"time"
)

// A server that stands still for five seconds, as one does that swaps or whose
// machine moves: no step waits longer than its deadline, and what it was asked
// meanwhile changes nothing when it goes on.
func TestPaused(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := begin(t, server.url(""))
	hasty, c := open(t, server.url(""), l.account, Options{}), holder{name: "c"}
	recovers(t, hasty, &c)
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := server.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	steps := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); steps++ {
		began := time.Now()
		if st, err := hasty.Sync(t.Context(), c.report(of(10*n, 20*n, 5*n))); err == nil {
			t.Fatalf("a server that stands still answered: %+v", st)
		}
		if took := time.Since(began); took > defaultTimeout+slack {
			t.Errorf("a step took %v", took)
		}
	}
	if steps < 10 {
		t.Errorf("%d steps in 5 s", steps)
	}
	signal(syscall.SIGCONT)
	recovers(t, hasty, &c)
	// c has nothing that it was not told of. a and b are taken for dead until they report again.
	st := l.as(t)
	if b := st.Balances[0]; b.Spent != 25*n || b.Held+b.Lost != 55*n || b.Free != 20*n {
		t.Errorf("%+v", b)
	}
	if st := l.bs(t); st.Joined || st.Replicas != 3 || st.Balances[0].Lost != 0 {
		t.Errorf("%+v", st)
	}
	other := open(t, server.url(""), rand.Text(), patient)
	exchange(t, other, c.report(of(0, 0, 0)))
}
