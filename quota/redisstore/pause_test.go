//go:build unix

package redisstore

import (
	"crypto/rand"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

// A server that hangs, as one does that swaps or whose machine is moved: no step
// waits longer than its deadline, and what was asked meanwhile changes nothing when
// the server goes on.
func TestPaused(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := newPair(t, server.url(""))
	fast, c := open(t, server.url(""), l.account, Options{}), replica{name: "c"}
	recovers(t, fast, &c)
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := server.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	for range 10 {
		began := time.Now()
		if st, err := fast.Sync(t.Context(), c.report(request(10*n, 20*n, 5*n))); err == nil {
			t.Fatalf("server that hangs: got %+v, want an error", st)
		}
		if took := time.Since(began); took > minDeadline+slack {
			t.Errorf("a step took %v, want at most %v", took, minDeadline+slack)
		}
	}
	signal(syscall.SIGCONT)
	// It was longer: the reports of a and b are older than ReplicaTimeout by now.
	old := float64(time.Now().Add(-quota.ReplicaTimeout - time.Second).UnixMilli())
	seen := l.storeA.keys(day)[4]
	a, b := redis.Z{Score: old, Member: "a"}, redis.Z{Score: old, Member: "b"}
	if err := server.client(t).ZAdd(t.Context(), seen, a, b).Err(); err != nil {
		t.Fatal(err)
	}
	recovers(t, fast, &c)
	// c was granted nothing that it does not know of. b counts as dead until it reports again.
	balance := l.reportA(t).Balances[0]
	if balance.Spent != 25*n || balance.Free != 20*n {
		t.Errorf("got %v spent, %v free; want %v, %v", balance.Spent, balance.Free, 25*n, 20*n)
	}
	if balance.Held+balance.Lost != 55*n {
		t.Errorf("got %v held or lost, want %v", balance.Held+balance.Lost, 55*n)
	}
	st := l.reportB(t)
	if st.Joined || st.Replicas != 3 {
		t.Errorf("b reports again: got Joined %v, %d replicas; want false, 3", st.Joined, st.Replicas)
	}
	if st.Balances[0].Lost != 0 {
		t.Errorf("b reports again: got %v lost, want 0", st.Balances[0].Lost)
	}
	other := open(t, server.url(""), rand.Text(), patient)
	send(t, other, c.report(request(0, 0, 0)))
}
