package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// pair is two replicas on stores of their own, as two processes are, that have
// spent 10 and 5 of 100 neurons and hold 20 and 15.
type pair struct {
	account        string
	a, b           replica
	storeA, storeB *Store
}

func newPair(t *testing.T, url string) *pair {
	t.Helper()
	account := rand.Text()
	l := &pair{
		account: account, a: replica{name: "a"}, b: replica{name: "b"},
		storeA: open(t, url, account, patient), storeB: open(t, url, account, patient),
	}
	settled(t, l.storeA)
	l.reportA(t)
	l.reportB(t)
	return l
}

func (l *pair) reportA(t *testing.T) quota.Reply {
	t.Helper()
	return send(t, l.storeA, l.a.report(request(10*n, 20*n, 0)))
}

func (l *pair) reportB(t *testing.T) quota.Reply {
	t.Helper()
	return send(t, l.storeB, l.b.report(request(5*n, 15*n, 0)))
}

// recover reports until another server has taken the place of the primary. That one must grant nothing before both
// have written their rows again.
func (l *pair) recover(t *testing.T, url string) {
	t.Helper()
	var st quota.Reply
	eventually(t, "the replica is the primary", func() bool {
		var err error
		st, err = l.storeA.Sync(t.Context(), l.a.report(request(10*n, 20*n, 0)))
		if errors.Is(err, ErrUnusable) {
			t.Errorf("meanwhile: got %v, want an error that may pass", err)
		}
		return err == nil
	})
	l.reportB(t)
	if got := l.settle(t, url, st.Time); got != 50*n {
		t.Errorf("after the failover: got %v granted, want %v", got, 50*n)
	}
}

// settle asks as a third process for all that there is, until it is granted
// anything. It must get nothing for settleTime from began on.
func (l *pair) settle(t *testing.T, url string, began time.Time) quota.Neurons {
	t.Helper()
	s, c := open(t, url, l.account, patient), replica{name: "c"}
	for {
		st := send(t, s, c.report(request(0, 0, 100*n)))
		waited := st.Time.Sub(began)
		if got := st.Granted[0]; got > 0 {
			if waited < settleTime-2*time.Millisecond {
				t.Errorf("got %v granted after %v, want none before %v", got, waited, settleTime)
			}
			return got
		}
		if waited > 10*time.Second {
			t.Fatalf("after %v: got %+v, want something granted", waited, st)
		}
	}
}

func TestServerThatLostRows(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(t *testing.T, s *server)
		want quota.Neurons // free once a and b have written their rows again
	}{
		{"flushed", func(t *testing.T, s *server) { s.do(t, "FLUSHALL") }, 50 * n},
		{"crashed, with nothing on its disk", func(t *testing.T, s *server) {
			s.kill()
			s.mustStart(t)
		}, 50 * n},
		{"crashed, with an older copy on its disk", func(t *testing.T, s *server) {
			s.kill()
			s.mustStart(t)
		}, 50 * n},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := serverWith(t)
			l := newPair(t, server.url(""))
			if c.name == "crashed, with an older copy on its disk" {
				send(t, l.storeA, l.a.report(request(0, 1*n, 0)))
				server.do(t, "SAVE")
				l.reportA(t)
			}
			c.lose(t, server)
			// The first process that asks is new and does not know that rows are lost.
			fresh, d := open(t, server.url(""), l.account, patient), replica{name: "d"}
			st := send(t, fresh, d.report(request(0, 0, 100*n)))
			if st.Granted[0] != 0 {
				t.Errorf("first report: got %v granted, want 0", st.Granted[0])
			}
			leave := d.report()
			leave.Leave = true
			send(t, fresh, leave)
			if a := l.reportA(t); !a.Joined {
				t.Error("a, whose rows are lost: got Joined false, want true")
			}
			if b := l.reportB(t).Balances[0]; b.Spent != 15*n || b.Held != 35*n {
				t.Errorf("after both reported: got %v spent, %v held; want %v, %v", b.Spent, b.Held, 15*n, 35*n)
			}
			if got := l.settle(t, server.url(""), st.Time); got != c.want {
				t.Errorf("after settling: got %v granted, want %v", got, c.want)
			}
		})
	}
}

// Another server replaces the first one, which then returns: the other has nothing
// at first, and the first has old rows.
func TestFailoverAndBack(t *testing.T) {
	t.Parallel()
	first, second := serverWith(t), serverWith(t)
	w := wireTo(t, first)
	l := newPair(t, w.url())
	w.redirect(second)
	st := l.reportA(t)
	if !st.Joined {
		t.Error("second server: got Joined false, want true")
	}
	l.reportB(t)
	if got := l.settle(t, w.url(), st.Time); got != 50*n {
		t.Errorf("second server: got %v granted, want %v", got, 50*n)
	}
	// The second server has granted 50 to c. The first one does not know of it until c writes its row.
	w.redirect(first)
	l.reportA(t)
	d, sd := replica{name: "d"}, open(t, w.url(), l.account, patient)
	if st := send(t, sd, d.report(request(0, 0, 100*n))); st.Granted[0] != 0 {
		t.Errorf("first server with old rows: got %v granted, want 0", st.Granted[0])
	}
}

// A server that has the script and an older copy of the rows, as a former primary
// may have.
func TestOlderRows(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := newPair(t, server.url(""))
	c := server.client(t)
	copies := map[string]string{}
	for _, key := range c.Keys(t.Context(), "*").Val() {
		copies[key] = c.Dump(t.Context(), key).Val()
	}
	send(t, l.storeA, l.a.report(request(10*n, 20*n, 50*n)))
	l.reportB(t)
	for key, copied := range copies {
		if err := c.RestoreReplace(t.Context(), key, time.Hour, copied).Err(); err != nil {
			t.Fatal(err)
		}
	}
	wantLost := func(name string, st quota.Reply, free quota.Neurons) {
		t.Helper()
		if !st.Joined {
			t.Errorf("%s: got Joined false, want true", name)
		}
		if st.Granted[0] != 0 || st.Balances[0].Free != free {
			t.Errorf("%s: got %v granted, %v free; want 0, %v", name, st.Granted[0], st.Balances[0].Free, free)
		}
	}
	wantLost("b", send(t, l.storeB, l.b.report(request(5*n, 15*n, 50*n))), 50*n)
	wantLost("a", send(t, l.storeA, l.a.report(request(10*n, 70*n, 0))), 0)
}

// A server that has the script and all rows that the reporting replica knows of, and that has become the primary: what
// it missed of others cannot be seen in the rows.
func TestPrimaryOnceMore(t *testing.T) {
	t.Parallel()
	server := serverWith(t, "--enable-debug-command", "yes")
	l := newPair(t, server.url(""))
	l.reportA(t)
	server.do(t, "DEBUG", "CHANGE-REPL-ID")
	st := l.reportA(t)
	l.reportB(t)
	if got := l.settle(t, server.url(""), st.Time); got != 50*n {
		t.Errorf("after settling: got %v granted, want %v", got, 50*n)
	}
}

// A replica whose user may not ask for the replication id does not hide from others that it changes.
func TestReplicationIDIsNotTold(t *testing.T) {
	t.Parallel()
	server := serverWith(t, "--enable-debug-command", "yes")
	setAdvisedUser(t, server)
	server.do(t, "ACL", "SETUSER", "advised", "-info")
	l := newPair(t, server.url(""))
	uninformed, d := open(t, server.url(advisedUser), l.account, patient), replica{name: "d"}
	send(t, uninformed, d.report(request(0, 0, 0)))
	server.do(t, "DEBUG", "CHANGE-REPL-ID")
	send(t, uninformed, d.report(request(0, 0, 0)))
	asks := l.b.report(request(5*n, 15*n, 10*n))
	if got := send(t, l.storeB, asks).Granted[0]; got != 0 {
		t.Errorf("after the change: got %v granted, want 0", got)
	}
}

// A replica that did not report while the server settled after a loss does not make
// it settle again.
func TestServerSettlesOnce(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := newPair(t, server.url(""))
	server.do(t, "FLUSHALL")
	st := l.reportA(t)
	if got := l.settle(t, server.url(""), st.Time); got != 70*n {
		t.Errorf("after settling: got %v granted, want %v", got, 70*n)
	}
	if b := l.reportB(t); !b.Joined {
		t.Error("b, whose rows are lost: got Joined false, want true")
	}
	send(t, l.storeA, l.a.report(request(10*n, 0, 0)))
	send(t, l.storeA, quota.Report{
		Day: day + 1, Replica: "a", Seq: 1 << 20, Requests: []quota.BudgetRequest{request(0, 0, 0)},
	})
	e := replica{name: "e"}
	r := e.report(request(0, 0, 100*n))
	r.Day++
	if st := send(t, l.storeA, r); st.Granted[0] != 100*n {
		t.Errorf("next day: got %v granted, want %v", st.Granted[0], 100*n)
	}
}

// A server whose clock is set back while it settles does not wait until its clock
// is as late again.
func TestClockSetBack(t *testing.T) {
	s, a := settled(t, open(t, shared.url(""), rand.Text(), patient)), replica{name: "a"}
	const tomorrow = "1 9999999999999"
	if err := s.client.Load().Set(t.Context(), s.prefix+"epoch", tomorrow, 0).Err(); err != nil {
		t.Fatal(err)
	}
	st := send(t, s, a.report(request(0, 0, n)))
	var epoch, from int64
	if _, err := fmt.Sscan(s.client.Load().Get(t.Context(), s.prefix+"epoch").Val(), &epoch, &from); err != nil {
		t.Fatal(err)
	}
	if st.Granted[0] != 0 {
		t.Errorf("got %v granted, want 0", st.Granted[0])
	}
	if wait := time.UnixMilli(from).Sub(st.Time); wait < 0 || wait > settleTime {
		t.Errorf("got the next grant in %v, want 0 to %v", wait, settleTime)
	}
}

// An emptied server knows external use again as soon as one replica reports it.
func TestExternalUseComesBack(t *testing.T) {
	s := serverWith(t)
	l := newPair(t, s.url(""))
	r := l.a.report(request(10*n, 20*n, 0))
	r.External = quota.External{Spent: 30 * n, At: time.Unix(1_700_000_000, 0).UTC()}
	read := r.External
	send(t, l.storeA, r)
	if st := l.reportB(t); st.External != read {
		t.Errorf("before: got external %+v, want %+v", st.External, read)
	}
	s.do(t, "FLUSHALL")
	if st := l.reportB(t); st.External != (quota.External{}) {
		t.Errorf("flushed: got external %+v, want none", st.External)
	}
	r = l.a.report(request(10*n, 20*n, 0))
	r.External = read
	send(t, l.storeA, r)
	if st := l.reportB(t); st.External != read || st.Balances[0].Free != 20*n {
		t.Errorf("after: got external %+v, %v free; want %+v, %v", st.External, st.Balances[0].Free, read, 20*n)
	}
}
