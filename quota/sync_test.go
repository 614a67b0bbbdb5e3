package quota_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// spy is a store that can be made to fail, to lose answers, to hang and to forget, and that remembers what was
// reported.
type spy struct {
	quota.Store
	mu      sync.Mutex
	fail    error
	late    int  // how many answers from now on are late
	lose    bool // does it, and says that it failed
	hang    bool
	slow    time.Duration // between what it does and its answer
	reports []quota.Report
	states  []quota.Reply
}

func (s *spy) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.mu.Lock()
	fail, lose, hang, slow, store := s.fail, s.lose, s.hang, s.slow, s.Store
	late := s.late > 0
	if late {
		s.late--
	}
	s.mu.Unlock()
	if late {
		time.Sleep(lateAfter)
		return quota.Reply{}, fmt.Errorf("no answer within %v: %w", lateAfter, quota.ErrLate)
	}
	if hang {
		<-ctx.Done()
		return quota.Reply{}, ctx.Err()
	}
	if fail != nil {
		return quota.Reply{}, fail
	}
	st, err := store.Sync(ctx, r)
	time.Sleep(slow)
	if lose {
		return quota.Reply{}, errors.New("the answer is lost")
	}
	s.mu.Lock()
	s.reports, s.states = append(s.reports, r), append(s.states, st)
	s.mu.Unlock()
	return st, err
}

func (s *spy) set(change func(s *spy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// grants returns what was granted of the account's budget, in order.
func (s *spy) grants() []quota.Neurons {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []quota.Neurons
	for _, st := range s.states {
		if g := st.Granted[0]; g > 0 {
			all = append(all, g)
		}
	}
	return all
}

func spied(t *testing.T, o quota.Options, test func(t *testing.T, s *spy, l *quota.Ledger)) {
	virtually(t, func(t *testing.T) {
		s := &spy{Store: memstore.New(o.Now)}
		o.Store = s
		test(t, s, open(t, o))
	})
}

var errDown = errors.New("down")

const lateAfter = 50 * time.Millisecond

// One answer of the store that is late fails no call that can still wait, and neither does the store count as failing.
func TestOneLateAnswerFailsNoCall(t *testing.T) {
	for _, c := range []struct {
		name    string
		late    int
		wait    time.Duration
		offline bool // AllowOfflineGrant
		err     error
		waited  time.Duration
		granted bool // offline
	}{
		{name: "one late answer", late: 1, wait: time.Second, waited: lateAfter},
		{name: "two in a row", late: 2, wait: time.Second, err: quota.ErrStore, waited: 2 * lateAfter},
		{name: "a call that cannot wait", late: 1, wait: lateAfter, err: quota.ErrStore, waited: lateAfter},
		{name: "one, where the share may be spent", late: 1, wait: time.Second, offline: true, waited: lateAfter},
		{
			name: "two, where the share may be spent", late: 2, wait: time.Second, offline: true, waited: 2 * lateAfter,
			granted: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := quota.Options{Limit: 100 * n, Wait: c.wait, AllowOfflineGrant: c.offline}
			spied(t, o, func(t *testing.T, s *spy, l *quota.Ledger) {
				for range 2 { // what was late before counts no more once an answer came in time
					spend(t, l, n)
					time.Sleep(4 * lateAfter) // the syncs that this caused are over
					s.set(func(s *spy) { s.late = c.late })
					began := time.Now()
					res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: 30 * n})
					fails(t, "Reserve", err, c.err)
					equal(t, "waited", time.Since(began), c.waited)
					equal(t, "it is an offline grant", d.OfflineGrant, c.granted)
					if failing := l.Healthy() != nil; !c.offline && failing != (c.late > 1) {
						t.Errorf("the store fails: got %v, want %v", failing, c.late > 1)
					}
					if res != nil {
						res.Settle(settle(30 * n))
					}
					time.Sleep(2 * time.Second)
					fails(t, "Healthy", l.Healthy(), nil)
				}
			})
		})
	}
}

func TestAStoreThatFailsUnderDeny(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: time.Hour}, func(t *testing.T, s *spy, l *quota.Ledger) {
		res := take(t, l, quota.Call{Estimate: 10 * n})
		fails(t, "Healthy", l.Healthy(), nil)
		s.set(func(s *spy) { s.fail = errDown })
		start := time.Now()
		got, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		equal(t, "there is a reservation", got != nil, false)
		fails(t, "Reserve", err, quota.ErrStore)
		fails(t, "Reserve", err, errDown)
		equal(t, "the wait", time.Since(start), 0)
		fails(t, "Healthy", l.Healthy(), errDown)
		// What was granted before is still good.
		res.Settle(settle(2 * n))
		take(t, l, quota.Call{Estimate: 8 * n}).Settle(settle(8 * n))
		if got, d, err := l.Reserve(t.Context(), quota.Call{Estimate: n}); got != nil || err == nil {
			t.Errorf("more than was granted: got %+v, %v, want an error", d, err)
		}
		s.set(func(s *spy) { s.fail = nil })
		take(t, l, quota.Call{Estimate: 90 * n}).Release()
		time.Sleep(time.Second)
		st := l.Snapshot()
		fails(t, "Healthy", l.Healthy(), nil)
		equal(t, "failures", st.StoreFailures, 2)
		equal(t, "used", st.Account.Used, 10*n)
	})
}

func TestAStoreThatHangs(t *testing.T) {
	o := quota.Options{Limit: 100 * n, Wait: time.Hour, StoreTimeout: 50 * time.Millisecond}
	spied(t, o, func(t *testing.T, s *spy, l *quota.Ledger) {
		s.set(func(s *spy) { s.hang = true })
		start := time.Now()
		_, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		fails(t, "Reserve", err, context.DeadlineExceeded)
		within(t, "the wait", time.Since(start), 0, 100*time.Millisecond)
		s.set(func(s *spy) { s.hang = false })
	})
}

// With offline grants a replica goes on, up to its share of what was left when the store last answered, and reports
// that afterwards.
func TestAStoreThatFailsUnderAllow(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, AllowOfflineGrant: true}, func(t *testing.T, s *spy, l *quota.Ledger) {
		other := replicaOf(s.Store, 30*n)
		spend(t, l, 10*n)
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.fail = errDown })
		// 60 are left for two replicas.
		take(t, l, quota.Call{Estimate: 20 * n}).Settle(settle(20 * n))
		res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		equal(t, "it is an offline grant", d.OfflineGrant, true)
		res.Settle(settle(10 * n))
		refused(t, l, quota.Call{Estimate: 2 * n}, quota.Contended)
		s.set(func(s *spy) { s.fail = nil })
		time.Sleep(2 * quota.Heartbeat)
		equal(t, "used", l.Snapshot().Account.Used, 40*n)
		fails(t, "Healthy", l.Healthy(), nil)
		other(t, 60*n, 0)
		time.Sleep(3 * time.Second) // what is free goes back, but for 1 % that its next call may need
		other(t, 58*n, n)
	})
}

// replicaOf makes another replica hold some of the account's budget for good. The function that it returns checks
// what would be free, by asking for want.
func replicaOf(s quota.Store, held quota.Neurons) func(t *testing.T, holds, want quota.Neurons) {
	seq := uint64(0)
	say := func(q quota.BudgetRequest) (quota.Reply, error) {
		seq++
		q.Budget, q.Limit = quota.Account, 100*n
		return s.Sync(context.Background(), quota.Report{
			Day: quota.DayOf(time.Now()), Replica: "other", Seq: seq, Requests: []quota.BudgetRequest{q},
		})
	}
	_, _ = say(quota.BudgetRequest{Want: held, Min: held})
	return func(t *testing.T, holds, want quota.Neurons) {
		t.Helper()
		reply, err := say(quota.BudgetRequest{Held: holds, Want: want + 1, Min: 1})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "granted to another replica", reply.Granted[0], want)
	}
}

// The store did what it was asked and the answer never came: nothing is granted twice, nothing stays held.
func TestLostAnswers(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		for range 5 {
			s.set(func(s *spy) { s.lose = true })
			if res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: 60 * n}); res != nil || err == nil {
				t.Fatalf("got %+v, %v, want an error without an answer", d, err)
			}
			s.set(func(s *spy) { s.lose = false })
			take(t, l, quota.Call{Estimate: 60 * n}).Release()
			time.Sleep(time.Second) // what is free goes back
		}
		spend(t, l, 100*n)
		time.Sleep(quota.Heartbeat)
		st := l.Snapshot().Account
		equal(t, "used", st.Used, 100*n)
		equal(t, "held", st.Held, 0)
	})
}

func TestAStoreThatWasEmptiedFillsAgain(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		take(t, l, quota.Call{Model: "a", Estimate: 30 * n}).Settle(settle(30 * n))
		take(t, l, quota.Call{Model: "b", Estimate: 10 * n}).Settle(settle(10 * n))
		inFlight := take(t, l, quota.Call{Model: "b", Estimate: 10 * n})
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.Store = memstore.New(nil) })
		time.Sleep(2 * quota.Heartbeat)
		reported(t, s, 30*n, 10*n)
		b := open(t, quota.Options{Store: s, Limit: 100 * n})
		figures(t, "by the store", b.Snapshot().Account, quota.Status{Used: 40 * n, Reserved: 10 * n})
		refused(t, b, quota.Call{Estimate: 51 * n}, quota.Contended)
		inFlight.Release()
	})
}

// An answer that comes after midnight grants nothing of the new day, and refuses nobody.
func TestAnAnswerOverMidnight(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Now: before(time.Second)}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(800 * time.Millisecond)
		s.set(func(s *spy) { s.slow = 400 * time.Millisecond })
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(300 * time.Millisecond)
		equal(t, "the day", l.Snapshot().Day.String(), "2000-01-02")
		time.Sleep(300 * time.Millisecond)
		s.set(func(s *spy) { s.slow = 0 })
		a.mustWait(t) // for the new day's answer
		time.Sleep(500 * time.Millisecond)
		if !a.decided() || a.res == nil {
			t.Fatalf("got %+v, %v, want a reservation", a.d, a.err)
		}
		st := l.Snapshot().Account
		within(t, "held", st.Held, 60*n, 61*n)
		equal(t, "reserved", st.Reserved, 60*n)
		a.res.Release()
	})
}

// A call that has waited long leaves, and nobody else waits: what was set aside for it can be had without the store.
func TestNothingStaysSetAside(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second}, func(t *testing.T, s *spy, l *quota.Ledger) {
		inFlight, other := take(t, l, quota.Call{Estimate: 60 * n}), take(t, l, quota.Call{Estimate: 30 * n})
		ctx, cancel := context.WithCancel(t.Context())
		large := ask(ctx, l, quota.Call{Estimate: 90 * n})
		time.Sleep(6 * time.Second)
		other.Release()
		large.mustWait(t)
		cancel()
		synctest.Wait()
		s.set(func(s *spy) { s.fail = errDown })
		take(t, l, quota.Call{Estimate: 20 * n}).Release()
		s.set(func(s *spy) { s.fail = nil })
		inFlight.Release()
	})
}

// What calls in flight hold is in the first report of a new day, and in the first one after an overrun, whatever the
// store has left.
func TestWhatIsInFlightIsAlwaysReported(t *testing.T) {
	now := before(time.Minute)
	spied(t, quota.Options{Limit: 100 * n, Now: now}, func(t *testing.T, s *spy, l *quota.Ledger) {
		first := func(what string, is func(quota.Report) bool, spent, held quota.Neurons) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range s.reports {
				if is(r) {
					equal(t, what+": spent", r.Requests[0].Spent, spent)
					equal(t, what+": held", r.Requests[0].Held, held)
					equal(t, what+": reserved", r.Requests[0].Reserved, held)
					return
				}
			}
			t.Errorf("%s: got no report, want one", what)
		}
		x, y := take(t, l, quota.Call{Estimate: 40 * n}), take(t, l, quota.Call{Estimate: 20 * n})
		y.Settle(settle(50 * n))
		time.Sleep(time.Second)
		first("an overrun", func(r quota.Report) bool { return r.Requests[0].Spent > 0 }, 50*n, 40*n)
		time.Sleep(time.Minute)
		today := quota.DayOf(now())
		first("a new day", func(r quota.Report) bool { return r.Day == today }, 0, 40*n)
		x.Release()
	})
}

// A store that fails when a ledger ends gets the last report when it works again, as long as Close may take: others
// can have what was held.
func TestTheLastReportIsRepeated(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		take(t, l, quota.Call{Estimate: 10 * n}).Settle(settle(4 * n))
		s.set(func(s *spy) { s.fail = errDown })
		time.AfterFunc(3*time.Second, func() { s.set(func(s *spy) { s.fail = nil }) })
		began := time.Now()
		fails(t, "Close", l.Close(t.Context()), nil)
		within(t, "the time of Close", time.Since(began), 0, 3*time.Second+quota.Heartbeat)
		a := open(t, quota.Options{Store: s.Store, Limit: 100 * n})
		figures(t, "by the store", a.Snapshot().Account, quota.Status{Used: 4 * n})
	})
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		s.set(func(s *spy) { s.fail = errDown })
		began := time.Now()
		fails(t, "Close", l.Close(t.Context()), errDown)
		within(t, "the time of Close", time.Since(began), 0, 4*time.Second)
	})
}
