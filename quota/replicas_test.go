package quota_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// The first claim is one estimate; then a holder keeps no more free than a
// quarter of what it has spent, up to 1 %.
func TestSlowStart(t *testing.T) {
	spied(t, quota.Options{Limit: 10_000 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(time.Minute)
		if g := s.grants(); len(g) != 0 {
			t.Fatalf("granted %v before the first call", g)
		}
		spend(t, l, 2*n)
		if g := s.grants(); len(g) != 1 || g[0] > 2*n+4*n {
			t.Errorf("the first grant is %v, want little more than an estimate", g)
		}
		var most quota.Neurons
		for range 1000 {
			spend(t, l, n)
			time.Sleep(10 * time.Millisecond)
			st := l.Snapshot().Account
			free := st.Held - st.Reserved
			if free > max(st.Used/4, 100*n*65/1800)+n {
				t.Fatalf("%v free after %v", free, st.Used)
			}
			most = max(most, free)
		}
		if most > 100*n || most < 80*n {
			t.Errorf("at most %v were free, want close to 100", most)
		}
		if g := s.grants(); len(g) > 100 {
			t.Errorf("%d grants for 1,000 calls", len(g))
		}
	})
}

// Calls that cost much less than they reserved: what comes back beyond 1 % goes
// back to the store within 50 ms.
func TestWhatIsTooMuchGoesBack(t *testing.T) {
	spied(t, quota.Options{Limit: 10_000 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		time.Sleep(time.Hour) // past the slow start
		var flying []*quota.Reservation
		for range 64 {
			flying = append(flying, take(t, l, quota.Call{Estimate: 60 * n}))
		}
		for _, r := range flying {
			r.Settle(settle(n))
		}
		if held := l.Snapshot().Account.Held; held < 3000*n {
			t.Errorf("%v held", held)
		}
		time.Sleep(51 * time.Millisecond)
		if held := l.Snapshot().Account.Held; held > 100*n {
			t.Errorf("%v held", held)
		}
	})
}

// Two holders: one is idle and gives back, and one that waits gets what the
// other has free within a heartbeat.
func TestHoldersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
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
		if !waits.decided() || waits.res == nil || waits.d.Waited > time.Second+quota.Heartbeat {
			t.Fatalf("%+v", waits.d)
		}
		waits.res.Settle(settle(n))
		spend(t, a, n)
		time.Sleep(4 * time.Second)
		if s := a.Snapshot(); s.Account.Held != 0 || s.Account.Used != 4*n || s.Replicas != 2 {
			t.Errorf("idle: %+v", s)
		}
	})
}

// Where others share it, what a holder keeps shrinks as the pot empties.
func TestHoldersKeepLessNearTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quota.Options{Store: quota.NewMemory(nil), Limit: 1000 * n, Wait: 10 * time.Second}
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
				t.Fatalf("%v free where %v are left", free, left)
			}
		}
		if most < 9*n {
			t.Errorf("at most %v were free", most)
		}
	})
}

// A holder that is not heard of any more: what it held is lost for the day, and
// only for the day.
func TestWhatADeadHolderHeldIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := quota.NewMemory(nil)
		s := &spy{Store: memory}
		a := open(t, quota.Options{Store: s, Limit: 100 * n})
		spend(t, a, 20*n)
		take(t, a, quota.Call{Estimate: 30 * n})
		time.Sleep(2 * quota.Heartbeat)
		s.set(func(s *spy) { s.fail = errDown }) // it is dead to the others
		b := open(t, quota.Options{Store: memory, Limit: 100 * n})
		if st := b.Snapshot().Account; st.Lost != 0 || st.Reserved != 30*n {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Minute)
		// What was reserved, and what was free: at most 1 % of the ceiling.
		st := b.Snapshot()
		if lost := st.Account.Lost; lost < 30*n || lost > 31*n || st.Account.Used != 20*n || st.Account.Remaining != 80*n-lost || st.Replicas != 1 {
			t.Errorf("%+v", st)
		}
		refused(t, b, quota.Call{Estimate: st.Account.Remaining + 1}, quota.Exhausted)
		take(t, b, quota.Call{Estimate: st.Account.Remaining}).Release()
		s.set(func(s *spy) { s.fail = nil }) // it was paused
		time.Sleep(time.Second)
		if st := b.Snapshot(); st.Account.Lost != 0 || st.Account.Reserved != 30*n || st.Replicas != 2 {
			t.Errorf("%+v", st)
		}
	})
}
