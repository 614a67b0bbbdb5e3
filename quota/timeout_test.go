package quota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// stalled is a store on a disk that does not answer from stall on until goOn: its operations ignore their context.
type stalled struct {
	quota.Store
	after  bool // what is asked is done before the disk stands still
	mu     sync.Mutex
	still  chan struct{} // nil: the disk works
	inside atomic.Int32
	max    atomic.Int32 // syncs at once
}

func (s *stalled) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still = make(chan struct{})
}

func (s *stalled) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.still)
	s.still = nil
}

func (s *stalled) wait() {
	s.mu.Lock()
	still := s.still
	s.mu.Unlock()
	if still != nil {
		<-still
	}
}

func (s *stalled) Sync(_ context.Context, r quota.Report) (quota.Reply, error) {
	s.max.Store(max(s.max.Load(), s.inside.Add(1)))
	defer s.inside.Add(-1)
	if s.after {
		st, err := s.Store.Sync(context.Background(), r)
		s.wait()
		return st, err
	}
	s.wait()
	return s.Store.Sync(context.Background(), r)
}

func (s *stalled) Lease(_ context.Context, name string, ttl time.Duration) (bool, error) {
	s.wait()
	return s.Store.Lease(context.Background(), name, ttl)
}

func (s *stalled) History(_ context.Context, from, to quota.Day) ([]quota.Record, error) {
	s.wait()
	return s.Store.History(context.Background(), from, to)
}

// standing runs a test on a ledger whose store's disk can stop answering, in both ways: before it has done what it is
// asked, and after.
func standing(t *testing.T, o quota.Options, test func(t *testing.T, s *stalled, l *quota.Ledger)) {
	for name, after := range map[string]bool{"nothing is done": false, "all is done": true} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				s := &stalled{Store: memstore.New(o.Now), after: after}
				o.Store = s
				test(t, s, open(t, o))
				equal(t, "syncs at once", s.max.Load(), 1)
			})
		})
	}
}

// longest is what a call waits at most for a store that does not answer: for the operation that is under way, and one
// of its own.
const longest = 4 * time.Second

func TestAStoreThatStandsStillUnderDeny(t *testing.T) {
	standing(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second}, func(t *testing.T, s *stalled, l *quota.Ledger) {
		spend(t, l, 10*n)
		s.stall()
		time.Sleep(time.Second)
		for range 3 {
			began := time.Now()
			res, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 50 * n})
			equal(t, "there is a reservation", res != nil, false)
			fails(t, "Reserve", err, quota.ErrStore)
			fails(t, "Reserve", err, context.DeadlineExceeded)
			within(t, "the wait", time.Since(began), 0, longest)
			fails(t, "Healthy", l.Healthy(), quota.ErrStore)
		}
		time.Sleep(time.Minute)
		s.goOn()
		time.Sleep(2 * quota.Heartbeat)
		st := l.Snapshot().Account
		fails(t, "Healthy", l.Healthy(), nil)
		equal(t, "used", st.Used, 10*n)
		within(t, "held", st.Held, 0, n)
		spend(t, l, 90*n) // what was granted when nobody listened any more is not lost
		refused(t, l, quota.Call{Estimate: 1}, quota.Exhausted)
		time.Sleep(2 * quota.Heartbeat)
		b := open(t, quota.Options{Store: s, Limit: 100 * n})
		figures(t, "by the store", b.Snapshot().Account, quota.Status{Used: 100 * n})
		equal(t, "held by the store", b.Snapshot().Account.Held, 0)
	})
}

func TestAStoreThatStandsStillUnderAllow(t *testing.T) {
	o := quota.Options{Limit: 100 * n, Wait: 10 * time.Second, AllowOfflineGrant: true}
	standing(t, o, func(t *testing.T, s *stalled, l *quota.Ledger) {
		spend(t, l, 10*n)
		s.stall()
		time.Sleep(time.Second)
		began := time.Now()
		res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: 50 * n})
		if res == nil || err != nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		equal(t, "it is an offline grant", d.OfflineGrant, true)
		within(t, "the wait", time.Since(began), 0, longest)
		res.Settle(settle(50 * n))
		s.goOn()
		time.Sleep(2 * quota.Heartbeat)
		b := open(t, quota.Options{Store: s, Limit: 100 * n})
		st := b.Snapshot().Account
		equal(t, "used by the store", st.Used, 60*n)
		within(t, "held by the store", st.Held, 0, n)
	})
}

// Days that have ended are published when the disk works again.
func TestAStoreThatStandsStillOverMidnight(t *testing.T) {
	o := quota.Options{Limit: 100 * n, Now: before(time.Minute)}
	standing(t, o, func(t *testing.T, s *stalled, l *quota.Ledger) {
		spend(t, l, 10*n)
		s.stall()
		time.Sleep(2 * time.Minute)
		began := time.Now()
		_, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 50 * n})
		fails(t, "Reserve", err, quota.ErrStore)
		within(t, "the wait", time.Since(began), 0, 2*longest)
		s.goOn()
		time.Sleep(2 * quota.Heartbeat)
		today := l.Snapshot().Day
		equal(t, "the day of the record", reported(t, l, 10*n)[0].Day, today-1)
		spend(t, l, 100*n)
	})
}

func TestCloseOfAStoreThatStandsStill(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s := &stalled{Store: memstore.New(nil)}
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: 100 * n})
		if err != nil {
			t.Fatal(err)
		}
		take(t, l, quota.Call{Estimate: 10 * n}) // stays in flight
		s.stall()
		time.Sleep(3 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		again := make(chan error, 1)
		go func() {
			synctest.Wait()
			again <- l.Close(ctx)
		}()
		err = l.Close(ctx)
		fails(t, "Close", err, context.DeadlineExceeded)
		within(t, "the time of Close", time.Since(began), 0, 5*time.Second+longest)
		if err := <-again; err != nil {
			fails(t, "Close again", err, context.DeadlineExceeded)
		}
		s.goOn()
	})
}

// A store that is only slow when the ledger closes, while many read: nothing is lost.
func TestCloseDuringASync(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s := &spy{Store: memstore.New(nil)}
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: 100 * n})
		if err != nil {
			t.Fatal(err)
		}
		spend(t, l, 10*n)
		s.set(func(s *spy) { s.slow = time.Second })
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() { _, _ = l.History(t.Context(), 0, 1<<20) })
		}
		synctest.Wait()
		fails(t, "Close", l.Close(t.Context()), nil)
		readers.Wait()
		if _, err := l.History(t.Context(), 0, 1<<20); err == nil {
			t.Error("got no error from History after Close, want one")
		}
		b := open(t, quota.Options{Store: s.Store, Limit: 100 * n})
		figures(t, "by the store", b.Snapshot().Account, quota.Status{Used: 10 * n})
		equal(t, "held by the store", b.Snapshot().Account.Held, 0)
		equal(t, "replicas", b.Snapshot().Replicas, 1)
	})
}

// However many ask at once, as a page that is loaded again and again does.
func TestHistoryOfAStoreThatStandsStill(t *testing.T) {
	standing(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *stalled, l *quota.Ledger) {
		spend(t, l, 10*n)
		s.stall()
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := l.History(t.Context(), 0, 1<<20)
				fails(t, "History", err, quota.ErrStore)
			})
		}
		all.Wait()
		within(t, "the wait", time.Since(began), 0, longest)
		s.goOn()
		time.Sleep(quota.Heartbeat)
		reported(t, l, 10*n)
	})
}

// A caller who asks for the history leaves before it comes: that is no failure of the store, and what was published
// for it is published again.
func TestWhoeverLeavesIsNoFailure(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second}, func(t *testing.T, s *spy, l *quota.Ledger) {
		spend(t, l, 10*n)
		s.set(func(s *spy) { s.slow = time.Second })
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, leave)
		_, err := l.History(ctx, 0, 1<<20)
		fails(t, "History", err, context.Canceled)
		fails(t, "Healthy", l.Healthy(), nil)
		equal(t, "failures", l.Snapshot().StoreFailures, 0)
		s.set(func(s *spy) { s.slow = 0 })
		spend(t, l, 90*n)
		time.Sleep(2 * time.Second)
		reported(t, s, 100*n)
	})
}

func TestALeaseThatStandsStill(t *testing.T) {
	virtually(t, func(t *testing.T) {
		noon := before(12 * time.Hour)
		s := &stalled{Store: memstore.New(noon)}
		l := open(t, quota.Options{
			Store: s, Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: noon,
		})
		spend(t, l, n)
		l.Block(time.Time{})
		time.Sleep(30 * time.Minute)
		s.stall()
		began := time.Now()
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		within(t, "the wait", time.Since(began), 0, longest)
		s.goOn()
		time.Sleep(31 * time.Minute) // longer than the lease that came too late
		takeProbe(t, l)
	})
}

// Each operation of the store is reported once: as it ended, or as pending when its time is over and as late once it
// returns.
func TestStoreEvents(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []quota.StoreEvent
		since := func() []quota.StoreEvent {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			defer func() { events = nil }()
			return events
		}
		s := &stalled{Store: memstore.New(nil)}
		o := quota.Options{Store: s, Limit: 100 * n, Heartbeat: time.Hour, OnStoreEvent: func(e quota.StoreEvent) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}}
		l := open(t, o)
		spend(t, l, 10*n)
		since()
		if _, err := l.History(t.Context(), 0, 1<<20); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Archive().Hours(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		worked := since()
		if len(worked) != 3 {
			t.Fatalf("got %d events, want 3: %+v", len(worked), worked)
		}
		for i, want := range []quota.StoreOp{quota.StoreSync, quota.StoreHistory, quota.StoreHistory} {
			if got := worked[i]; got.Op != want || got.Err != nil {
				t.Errorf("event %d: got %+v, want %s without an error", i, got, want)
			}
		}
		if got, want := worked[0].Account.Spent, 10*n; got != want {
			t.Errorf("the account has spent %v by the event of the sync, want %v", got, want)
		}

		s.stall()
		began := time.Now()
		_, err := l.History(t.Context(), 0, 1<<20)
		fails(t, "History", err, context.DeadlineExceeded)
		pending := since()
		if len(pending) != 1 || !pending[0].Pending {
			t.Fatalf("got %+v, want one event that is pending", pending)
		}
		fails(t, "the pending event", pending[0].Err, context.DeadlineExceeded)
		s.goOn()
		late := since()
		if len(late) == 0 || !late[0].Late {
			t.Fatalf("got %+v, want first one that is late", late)
		}
		equal(t, "the time of the late one", late[0].Took, time.Since(began))
	})
}
