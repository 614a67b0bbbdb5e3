package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// The first request is for one estimate; then a replica keeps no more free than a quarter of what it has spent, or what
// four calls need, up to 1 %.
func TestSlowStart(t *testing.T) {
	spied(t, quota.Options{Limit: 10_000 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(time.Minute)
		if g := s.grants(); len(g) != 0 {
			t.Fatalf("got %v granted before the first call, want nothing", g)
		}
		spend(t, l, 2*n)
		if g := s.grants(); len(g) != 1 || g[0] > 2*n+4*n {
			t.Errorf("got the grants %v, want one of little more than an estimate of 2", g)
		}
		var most quota.Neurons
		for range 1000 {
			spend(t, l, n)
			time.Sleep(10 * time.Millisecond)
			st := l.Snapshot().Account
			free := st.Held - st.Reserved
			if allowed := max(st.Used/4, 100*n*65/1800, 4*2*n) + n; free > allowed {
				t.Fatalf("after %v are used: got %v free, want %v at most", st.Used, free, allowed)
			}
			most = max(most, free)
		}
		within(t, "the most that was free", most, 80*n, 100*n)
		within(t, "grants for 1,000 calls", len(s.grants()), 0, 100)
	})
}

// Calls that cost much less than they reserved: what comes back beyond 1 % goes back to the store within 50 ms.
func TestWhatIsTooMuchGoesBack(t *testing.T) {
	spied(t, quota.Options{Limit: 10_000 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(time.Hour) // past the slow start
		var inFlight []*quota.Reservation
		for range 64 {
			inFlight = append(inFlight, take(t, l, quota.Call{Estimate: 60 * n}))
		}
		for _, r := range inFlight {
			r.Settle(settle(n))
		}
		within(t, "held at first", l.Snapshot().Account.Held, 3000*n, 10_000*n)
		time.Sleep(51 * time.Millisecond)
		within(t, "held after 51 ms", l.Snapshot().Account.Held, 0, 100*n)
	})
}

// Two replicas: one is idle and gives back, and one that waits gets what the other has free within a heartbeat.
func TestReplicasShare(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		o := quota.Options{Store: store, Limit: 100 * n, Wait: 10 * time.Second}
		a := open(t, o)
		time.Sleep(time.Hour)
		b := open(t, o)
		x := take(t, a, quota.Call{Estimate: 30 * n})
		y := take(t, a, quota.Call{Estimate: 60 * n})
		waits := ask(t.Context(), b, quota.Call{Estimate: 70 * n})
		time.Sleep(time.Second)
		waits.mustWait(t)
		x.Settle(settle(n))
		waits.mustWait(t)
		y.Settle(settle(n))
		time.Sleep(quota.Heartbeat)
		if !waits.decided() || waits.res == nil {
			t.Fatalf("got %+v, want a reservation", waits.d)
		}
		within(t, "waited", waits.d.Waited, 0, time.Second+quota.Heartbeat)
		waits.res.Settle(settle(n))
		spend(t, a, n)
		time.Sleep(4 * time.Second)
		within(t, "held when idle", a.Snapshot().Account.Held, 0, 2*n) // each 1 % of the limit
		time.Sleep(time.Minute)
		s := a.Snapshot()
		equal(t, "held when idle for long", s.Account.Held, 0)
		equal(t, "used", s.Account.Used, 4*n)
		equal(t, "replicas", s.Replicas, 2)
	})
}

// Where others share it, what a replica keeps shrinks as the budget empties.
func TestReplicasKeepLessNearTheEnd(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Store: memstore.New(nil), Limit: 1000 * n, Wait: 10 * time.Second}
		a := open(t, o)
		open(t, o)
		time.Sleep(time.Hour)
		most := quota.Neurons(0)
		for range 995 {
			spend(t, a, n)
			time.Sleep(100 * time.Millisecond)
			s := a.Snapshot().Account
			free := s.Held - s.Reserved
			most = max(most, free)
			if left := s.Limit - s.Used; free > left/4+n {
				t.Fatalf("with %v left: got %v free, want %v at most", left, free, left/4+n)
			}
		}
		within(t, "the most that was free", most, 9*n, 1000*n)
	})
}

// A replica that reports no more: what it held is lost for the day, and only for the day.
func TestWhatADeadReplicaHeldIsLost(t *testing.T) {
	virtually(t, func(t *testing.T) {
		memory := memstore.New(nil)
		s := &spy{Store: memory}
		a := open(t, quota.Options{Store: s, Limit: 100 * n})
		spend(t, a, 20*n)
		take(t, a, quota.Call{Estimate: 30 * n})
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.fail = errDown }) // it is dead to the others
		b := open(t, quota.Options{Store: memory, Limit: 100 * n})
		figures(t, "while it is alive", b.Snapshot().Account, quota.Status{Used: 20 * n, Reserved: 30 * n})
		time.Sleep(time.Minute)
		// What was reserved, and what was free: at most 1 % of the limit.
		st := b.Snapshot()
		within(t, "lost", st.Account.Lost, 30*n, 31*n)
		equal(t, "used", st.Account.Used, 20*n)
		equal(t, "remaining", st.Account.Remaining, 80*n-st.Account.Lost)
		equal(t, "replicas", st.Replicas, 1)
		refused(t, b, quota.Call{Estimate: st.Account.Remaining + 1}, quota.Exhausted)
		take(t, b, quota.Call{Estimate: st.Account.Remaining}).Release()
		s.set(func(s *spy) { s.fail = nil }) // it was paused
		time.Sleep(time.Second)
		st = b.Snapshot()
		figures(t, "once it reports again", st.Account, quota.Status{Used: 20 * n, Reserved: 30 * n})
		equal(t, "replicas", st.Replicas, 2)
	})
}
