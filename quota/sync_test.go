package quota_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// spy is a store that can be made to fail, to lose answers, to hang and to
// forget, and that remembers what it was told.
type spy struct {
	quota.Store
	mu      sync.Mutex
	fail    error
	lose    bool // does it, and says that it failed
	hang    bool
	slow    time.Duration // between what it does and its answer
	reports []quota.Report
	states  []quota.Reply
}

func (s *spy) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.mu.Lock()
	fail, lose, hang, slow, store := s.fail, s.lose, s.hang, s.slow, s.Store
	s.mu.Unlock()
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

// grants returns what was granted of the account's pot, in order.
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
	synctest.Test(t, func(t *testing.T) {
		s := &spy{Store: quota.NewMemory(o.Now)}
		o.Store = s
		test(t, s, open(t, o))
	})
}

var errDown = errors.New("down")

func TestAStoreThatFailsUnderDeny(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: time.Hour}, func(t *testing.T, s *spy, l *quota.Ledger) {
		res := take(t, l, quota.Call{Estimate: 10 * n})
		if err := l.Healthy(); err != nil {
			t.Error(err)
		}
		s.set(func(s *spy) { s.fail = errDown })
		start := time.Now()
		got, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		if got != nil || !errors.Is(err, quota.ErrStore) || !errors.Is(err, errDown) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := l.Healthy(); !errors.Is(err, errDown) {
			t.Errorf("healthy: %v", err)
		}
		// What was granted before is still good.
		res.Settle(settle(2 * n))
		take(t, l, quota.Call{Estimate: 8 * n}).Settle(settle(8 * n))
		if got, _, err = l.Reserve(t.Context(), quota.Call{Estimate: n}); got != nil || err == nil {
			t.Error("more than was granted")
		}
		s.set(func(s *spy) { s.fail = nil })
		take(t, l, quota.Call{Estimate: 90 * n}).Release()
		time.Sleep(time.Second)
		if st := l.Snapshot(); l.Healthy() != nil || st.StoreFailures != 2 || st.Account.Used != 10*n {
			t.Errorf("%+v", st)
		}
	})
}

func TestAStoreThatHangs(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: time.Hour, StoreTimeout: 50 * time.Millisecond}, func(t *testing.T, s *spy, l *quota.Ledger) {
		s.set(func(s *spy) { s.hang = true })
		start := time.Now()
		_, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		s.set(func(s *spy) { s.hang = false })
	})
}

// Under allow a holder goes on, up to its share of what was left when the store
// was last heard, and tells the store afterwards.
func TestAStoreThatFailsUnderAllow(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, AllowOfflineGrant: true}, func(t *testing.T, s *spy, l *quota.Ledger) {
		other := holderOf(s.Store, 30*n)
		spend(t, l, 10*n)
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.fail = errDown })
		// 60 are left for two holders.
		take(t, l, quota.Call{Estimate: 20 * n}).Settle(settle(20 * n))
		res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: 10 * n})
		if err != nil || res == nil || !d.OfflineGrant {
			t.Fatal(d, err)
		}
		res.Settle(settle(10 * n))
		refused(t, l, quota.Call{Estimate: 2 * n}, quota.Contended)
		s.set(func(s *spy) { s.fail = nil })
		time.Sleep(2 * quota.Heartbeat)
		if st := l.Snapshot(); st.Account.Used != 40*n || l.Healthy() != nil {
			t.Errorf("%+v", st)
		}
		other(t, 60*n, 0)
		time.Sleep(3 * time.Second) // what is free goes back
		other(t, 59*n, n)
	})
}

// holderOf makes another holder hold some of the account's pot for good. The
// function that it returns checks what would be free, by asking for want.
func holderOf(s quota.Store, held quota.Neurons) func(t *testing.T, holds, want quota.Neurons) {
	seq := uint64(0)
	say := func(c quota.BudgetRequest) (quota.Reply, error) {
		seq++
		c.Budget, c.Limit = quota.Account, 100*n
		return s.Sync(context.Background(), quota.Report{Day: quota.DayOf(time.Now()), Replica: "other", Seq: seq, Requests: []quota.BudgetRequest{c}})
	}
	_, _ = say(quota.BudgetRequest{Want: held, Min: held})
	return func(t *testing.T, holds, want quota.Neurons) {
		t.Helper()
		st, err := say(quota.BudgetRequest{Held: holds, Want: want + 1, Min: 1})
		if err != nil || st.Granted[0] != want {
			t.Errorf("%+v, %v; want %v granted", st, err, want)
		}
	}
}

// The store did what it was asked and the answer never came: nothing is granted
// twice, nothing stays held.
func TestLostAnswers(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		for range 5 {
			s.set(func(s *spy) { s.lose = true })
			if res, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 60 * n}); res != nil || err == nil {
				t.Fatal("allowed without an answer")
			}
			s.set(func(s *spy) { s.lose = false })
			take(t, l, quota.Call{Estimate: 60 * n}).Release()
			time.Sleep(time.Second) // what is free goes back
		}
		spend(t, l, 100*n)
		time.Sleep(quota.Heartbeat)
		if st := l.Snapshot(); st.Account.Used != 100*n || st.Account.Held != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAStoreThatWasEmptiedFillsAgain(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		take(t, l, quota.Call{Model: "a", Estimate: 30 * n}).Settle(settle(30 * n))
		take(t, l, quota.Call{Model: "b", Estimate: 10 * n}).Settle(settle(10 * n))
		flying := take(t, l, quota.Call{Model: "b", Estimate: 10 * n})
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.Store = quota.NewMemory(nil) })
		time.Sleep(2 * quota.Heartbeat)
		h, err := s.History(t.Context(), 0, 1<<20)
		if err != nil || len(h) != 2 || h[0].Reported != 30*n || h[1].Reported != 10*n {
			t.Errorf("%+v, %v", h, err)
		}
		b := open(t, quota.Options{Store: s, Limit: 100 * n})
		if st := b.Snapshot().Account; st.Used != 40*n || st.Reserved != 10*n {
			t.Errorf("%+v", st)
		}
		refused(t, b, quota.Call{Estimate: 51 * n}, quota.Contended)
		flying.Release()
	})
}

// An answer that comes after midnight grants nothing of the new day, and refuses
// nobody.
func TestAnAnswerOverMidnight(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Now: before(time.Second)}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(800 * time.Millisecond)
		s.set(func(s *spy) { s.slow = 400 * time.Millisecond })
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(300 * time.Millisecond)
		if s := l.Snapshot(); s.Day.String() != "2000-01-02" {
			t.Fatalf("it is %v", s.Day)
		}
		time.Sleep(300 * time.Millisecond)
		s.set(func(s *spy) { s.slow = 0 })
		a.mustWait(t) // for the new day's answer
		time.Sleep(500 * time.Millisecond)
		if !a.decided() || a.res == nil {
			t.Fatalf("%+v, %v", a.d, a.err)
		}
		if s := l.Snapshot().Account; s.Held > 61*n || s.Reserved != 60*n {
			t.Errorf("%+v", s)
		}
		a.res.Release()
	})
}

// A call that has waited long leaves, and nobody else waits: what was set aside
// for it can be had without the store.
func TestNothingStaysSetAside(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second}, func(t *testing.T, s *spy, l *quota.Ledger) {
		flying, other := take(t, l, quota.Call{Estimate: 60 * n}), take(t, l, quota.Call{Estimate: 30 * n})
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
		flying.Release()
	})
}

// What calls in flight hold is claimed with the first report of a new day, and
// with the first one after an overrun, whatever the store has left.
func TestWhatIsInFlightIsAlwaysClaimed(t *testing.T) {
	now := before(time.Minute)
	spied(t, quota.Options{Limit: 100 * n, Now: now}, func(t *testing.T, s *spy, l *quota.Ledger) {
		first := func(what string, is func(quota.Report) bool, spent, held quota.Neurons) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range s.reports {
				if is(r) {
					if c := r.Requests[0]; c.Spent != spent || c.Held != held || c.Reserved != held {
						t.Errorf("%s: %+v", what, c)
					}
					return
				}
			}
			t.Errorf("%s: no report", what)
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

// A store that is away when a ledger ends is told when it is back, as long as
// Close may take: what was held is others' again.
func TestTheLastReportIsRepeated(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		take(t, l, quota.Call{Estimate: 10 * n}).Settle(settle(4 * n))
		s.set(func(s *spy) { s.fail = errDown })
		time.AfterFunc(3*time.Second, func() { s.set(func(s *spy) { s.fail = nil }) })
		began := time.Now()
		if err := l.Close(t.Context()); err != nil || time.Since(began) > 3*time.Second+quota.Heartbeat {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if a := open(t, quota.Options{Store: s.Store, Limit: 100 * n}).Snapshot().Account; a.Used != 4*n || a.Lost != 0 {
			t.Errorf("%+v", a)
		}
	})
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		s.set(func(s *spy) { s.fail = errDown })
		began := time.Now()
		if err := l.Close(t.Context()); !errors.Is(err, errDown) || time.Since(began) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
