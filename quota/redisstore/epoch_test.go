package redisstore

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// lifetime is two holders on stores of their own, as two processes are, that
// have spent 10 and 5 of 100 neurons and hold 20 and 15.
type lifetime struct {
	account string
	a, b    holder
	sa, sb  *Store
}

func begin(t *testing.T, url string) *lifetime {
	t.Helper()
	account := rand.Text()
	l := &lifetime{
		account: account, a: holder{name: "a"}, b: holder{name: "b"},
		sa: open(t, url, account, patient), sb: open(t, url, account, patient),
	}
	old(t, l.sa)
	l.as(t)
	l.bs(t)
	return l
}

func (l *lifetime) as(t *testing.T) quota.Reply {
	t.Helper()
	return exchange(t, l.sa, l.a.report(of(10*n, 20*n, 0)))
}

func (l *lifetime) bs(t *testing.T) quota.Reply {
	t.Helper()
	return exchange(t, l.sb, l.b.report(of(5*n, 15*n, 0)))
}

// settles asks as a third process for all that there is, until it is granted
// anything. Before, it must get nothing for two heartbeats from began on.
func (l *lifetime) settles(t *testing.T, url string, began time.Time) quota.Neurons {
	t.Helper()
	s, c := open(t, url, l.account, patient), holder{name: "c"}
	for {
		st := exchange(t, s, c.report(of(0, 0, 100*n)))
		waited := st.Time.Sub(began)
		if got := st.Granted[0]; got > 0 {
			if waited < settleTime-2*time.Millisecond {
				t.Errorf("%v were granted after %v", got, waited)
			}
			return got
		}
		if waited > 10*time.Second {
			t.Fatalf("nothing is granted after %v: %+v", waited, st)
		}
	}
}

func TestServerThatLostRows(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(t *testing.T, s *server)
		want quota.Neurons // that nobody has, once a and b have written their rows again
	}{
		{"flushed", func(t *testing.T, s *server) { s.do(t, "FLUSHALL") }, 50 * n},
		{"crashed, with nothing on its disk", func(t *testing.T, s *server) {
			s.kill()
			s.begin(t)
		}, 50 * n},
		{"crashed, with an older copy on its disk", func(t *testing.T, s *server) {
			s.kill()
			s.begin(t)
		}, 50 * n},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := serverWith(t)
			l := begin(t, server.url(""))
			if c.name == "crashed, with an older copy on its disk" {
				old := of(0, 1*n, 0)
				exchange(t, l.sa, l.a.report(old))
				server.do(t, "SAVE")
				l.as(t)
			}
			c.lose(t, server)
			// Whoever comes first is new here, and knows of no loss.
			fresh, d := open(t, server.url(""), l.account, patient), holder{name: "d"}
			st := exchange(t, fresh, d.report(of(0, 0, 100*n)))
			if st.Granted[0] != 0 {
				t.Errorf("%v were granted to the first that came", st.Granted[0])
			}
			leave := d.report()
			leave.Leave = true
			exchange(t, fresh, leave)
			if a := l.as(t); !a.Joined {
				t.Errorf("a is not told that its rows are lost: %+v", a)
			}
			if b := l.bs(t); b.Balances[0].Spent != 15*n || b.Balances[0].Held != 35*n {
				t.Errorf("%+v", b)
			}
			if got := l.settles(t, server.url(""), st.Time); got != c.want {
				t.Errorf("%v are granted then, want %v", got, c.want)
			}
		})
	}
}

// Another server takes the place of the first one, and gives it back: first it
// has nothing, then rows that are old.
func TestFailoverAndBack(t *testing.T) {
	t.Parallel()
	first, second := serverWith(t), serverWith(t)
	w := wireTo(t, first)
	l := begin(t, w.url())
	w.lead(second)
	st := l.as(t)
	if !st.Joined {
		t.Errorf("%+v", st)
	}
	l.bs(t)
	if got := l.settles(t, w.url(), st.Time); got != 50*n {
		t.Errorf("%v are granted by the second server", got)
	}
	// On the second server c has 50 now; the first one knows nothing of it until c writes its row.
	w.lead(first)
	l.as(t)
	d, sd := holder{name: "d"}, open(t, w.url(), l.account, patient)
	if st := exchange(t, sd, d.report(of(0, 0, 100*n))); st.Granted[0] != 0 {
		t.Errorf("%v were granted by rows that are old", st.Granted[0])
	}
}

// A server that has the script and an older copy of the rows, as a replica may
// that was the primary before.
func TestSetBack(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := begin(t, server.url(""))
	c := server.client(t)
	copies := map[string]string{}
	for _, key := range c.Keys(t.Context(), "*").Val() {
		copies[key] = c.Dump(t.Context(), key).Val()
	}
	exchange(t, l.sa, l.a.report(of(10*n, 20*n, 50*n)))
	l.bs(t)
	for key, copied := range copies {
		if err := c.RestoreReplace(t.Context(), key, time.Hour, copied).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if st := exchange(t, l.sb, l.b.report(of(5*n, 15*n, 50*n))); !st.Joined || st.Granted[0] != 0 || st.Balances[0].Free != 50*n {
		t.Errorf("%+v", st)
	}
	if st := exchange(t, l.sa, l.a.report(of(10*n, 70*n, 0))); !st.Joined || st.Balances[0].Free != 0 {
		t.Errorf("%+v", st)
	}
}

// A holder that had been away while a loss was noticed and dealt with makes
// nobody wait again.
func TestLossIsDealtWithOnce(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := begin(t, server.url(""))
	server.do(t, "FLUSHALL")
	st := l.as(t)
	if got := l.settles(t, server.url(""), st.Time); got != 70*n {
		t.Errorf("%v", got)
	}
	if b := l.bs(t); !b.Joined {
		t.Errorf("%+v", b)
	}
	exchange(t, l.sa, l.a.report(of(10*n, 0, 0)))
	exchange(t, l.sa, quota.Report{Day: day + 1, Replica: "a", Seq: 1 << 20, Requests: []quota.BudgetRequest{of(0, 0, 0)}})
	e := holder{name: "e"}
	r := e.report(of(0, 0, 100*n))
	r.Day++
	if st := exchange(t, l.sa, r); st.Granted[0] != 100*n {
		t.Errorf("%+v", st)
	}
}

// A server whose clock is set back while nothing is granted does not wait until
// it is as late again.
func TestClockSetBack(t *testing.T) {
	s, a := old(t, open(t, shared.url(""), rand.Text(), patient)), holder{name: "a"}
	const tomorrow = "1 9999999999999"
	if err := s.client.Load().Set(t.Context(), s.prefix+"epoch", tomorrow, 0).Err(); err != nil {
		t.Fatal(err)
	}
	st := exchange(t, s, a.report(of(0, 0, n)))
	var epoch, from int64
	if _, err := fmt.Sscan(s.client.Load().Get(t.Context(), s.prefix+"epoch").Val(), &epoch, &from); err != nil {
		t.Fatal(err)
	}
	if wait := time.UnixMilli(from).Sub(st.Time); st.Granted[0] != 0 || wait < 0 || wait > settleTime {
		t.Errorf("granted %v, the next in %v", st.Granted[0], wait)
	}
}

// What is external is known again as soon as one of those who know it has told.
func TestWhatIsExternalComesBack(t *testing.T) {
	s := serverWith(t)
	l := begin(t, s.url(""))
	r := l.a.report(of(10*n, 20*n, 0))
	r.External = quota.External{Spent: 30 * n, At: time.Unix(1_700_000_000, 0).UTC()}
	read := r.External
	exchange(t, l.sa, r)
	if st := l.bs(t); st.External != read {
		t.Errorf("before: %+v", st.External)
	}
	s.do(t, "FLUSHALL")
	if st := l.bs(t); st.External != (quota.External{}) {
		t.Errorf("flushed: %+v", st.External)
	}
	r = l.a.report(of(10*n, 20*n, 0))
	r.External = read
	exchange(t, l.sa, r)
	if st := l.bs(t); st.External != read || st.Balances[0].Free != 20*n {
		t.Errorf("after: %+v, %+v", st.External, st.Balances[0])
	}
}
