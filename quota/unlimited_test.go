package quota_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A gatedStore is a memstore.Store that fails, or waits, for as long as it is told to.
type gatedStore struct {
	*memstore.Store
	syncs   atomic.Int64
	failing atomic.Bool
	hangs   atomic.Pointer[chan struct{}] // until it is closed
}

var errGate = errors.New("the disk is full")

func (s *gatedStore) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.syncs.Add(1)
	if gate := s.hangs.Load(); gate != nil {
		<-*gate
	}
	if s.failing.Load() {
		return quota.Reply{}, errGate
	}
	return s.Store.Sync(ctx, r)
}

// kept is what the store has of today, which is what another process would find if this one were killed now.
func (s *gatedStore) kept(t *testing.T) (sum quota.Neurons) {
	t.Helper()
	err := s.Save(func(saved *memstore.Saved) error {
		for _, d := range saved.Days {
			of := d.Budgets[quota.Account]
			sum += of.Spent + of.Held
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Without a limit, too, a call is in the store before it may be made. What is there beyond it is at most what was spent
// in the last two seconds, and nothing once the process is idle.
func TestWithoutALimitNothingIsForgotten(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s := &gatedStore{Store: memstore.New(nil)}
		l := open(t, quota.Options{Store: s})
		for _, pause := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 3 * time.Second} {
			var spent quota.Neurons
			before := l.Snapshot().Account.Used
			for range 100 {
				call := quota.Call{Estimate: 20 * n}
				res := take(t, l, call)
				within(t, "in the store while a call is in flight", s.kept(t), before+spent+20*n, before+2*spent+20*n)
				res.Settle(settle(3 * n))
				spent += 3 * n
				time.Sleep(pause)
			}
			within(t, "in the store after the calls", s.kept(t), before+spent, before+2*spent+20*n)
			time.Sleep(2 * time.Second)
			equal(t, "in the store two seconds later", s.kept(t), before+spent)
		}
	})
}

// Many callers seldom have to ask the store: what is claimed ahead of need follows what they spend.
func TestWithoutALimitFewSyncs(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s := &gatedStore{Store: memstore.New(nil)}
		l := open(t, quota.Options{Store: s})
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				for range 300 {
					res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: n})
					if res == nil {
						t.Errorf("got %+v, %v, want a reservation", d, err)
						return
					}
					time.Sleep(100 * time.Millisecond)
					res.Settle(settle(n))
				}
			})
		}
		calls.Wait()
		t.Logf("6,000 calls in 30 s: %d syncs", s.syncs.Load())
		within(t, "syncs in 30 s", s.syncs.Load(), 1, 150)
	})
}

// A store that fails, or hangs, keeps no call without a limit from being made, and what they cost is told when it works
// again.
func TestWithoutALimitAStoreThatFailsRefusesNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s := &gatedStore{Store: memstore.New(nil)}
		l := open(t, quota.Options{Store: s})
		s.failing.Store(true)
		for range 3 {
			began := time.Now()
			spend(t, l, 5*n)
			equal(t, "wait while the store fails", time.Since(began), 0)
		}
		s.failing.Store(false)
		time.Sleep(3 * time.Second)
		equal(t, "in the store when it works again", s.kept(t), 15*n)

		gate := make(chan struct{})
		s.hangs.Store(&gate)
		began := time.Now()
		spend(t, l, 5*n)
		within(t, "wait of the first call while the store hangs", time.Since(began), 0, 2*time.Second)
		began = time.Now()
		spend(t, l, 5*n)
		equal(t, "wait of the second", time.Since(began), 0)
		s.hangs.Store(nil)
		close(gate)
		synctest.Wait()
		time.Sleep(3 * time.Second)
		equal(t, "in the store when it answers again", s.kept(t), 25*n)
	})
}

// A store that never answered is not asked again and again at the end if there is nothing to tell it.
func TestCloseWithNothingToTell(t *testing.T) {
	virtually(t, func(t *testing.T) {
		for _, calls := range []int{0, 1} {
			s := &gatedStore{Store: memstore.New(nil)}
			s.failing.Store(true)
			l, err := quota.New(t.Context(), quota.Options{Store: s})
			if err != nil {
				t.Fatal(err)
			}
			for range calls {
				spend(t, l, n)
			}
			began := time.Now()
			err = l.Close(t.Context())
			if calls == 0 {
				fails(t, "Close without a call", err, errGate)
				equal(t, "wait of Close without a call", time.Since(began), 0)
				continue
			}
			fails(t, "Close after a call", err, errGate)
		}
	})
}

// A client without a limit of its own beside an account that has one, and the other way round: the limit refuses, and
// it alone.
func TestABudgetWithoutALimitBesideOneWithALimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Store: memstore.New(nil), Limit: 30 * n})
		call := quota.Call{Client: "a", CountClient: true, Estimate: 10 * n}
		for range 3 {
			take(t, l, call).Settle(settle(10 * n))
		}
		d := refused(t, l, call, quota.Exhausted)
		equal(t, "the budget that refuses", d.Budget, quota.Account)

		l = open(t, quota.Options{Store: memstore.New(nil)})
		call = quota.Call{Client: "a", ClientLimit: 30 * n, Estimate: 10 * n}
		for range 3 {
			take(t, l, call).Settle(settle(10 * n))
		}
		d = refused(t, l, call, quota.Exhausted)
		equal(t, "the budget that refuses", d.Budget, quota.ClientBudget("a"))
	})
}
