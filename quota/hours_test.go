package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// published returns the hours that all replicas of l's store have published.
func published(t *testing.T, l *quota.Ledger, day quota.Day) quota.Hours {
	t.Helper()
	time.Sleep(2 * quota.Heartbeat)
	h, err := l.Archive().Hours(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHoursOverMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Limit: 1000 * n, Now: before(90 * time.Minute)}
		o.Store = memstore.New(o.Now)
		a, b := open(t, o), open(t, o)
		first := a.Snapshot().Day
		spend(t, a, 3*n) // 22:30
		time.Sleep(30*time.Minute - 1)
		spend(t, b, 4*n) // 22:59:59
		late := take(t, a, quota.Call{Estimate: 9 * n})
		time.Sleep(time.Hour)
		spend(t, a, 5*n) // 23:59:59
		time.Sleep(2 * time.Nanosecond)
		late.Settle(settle(9 * n)) // the next day has it
		spend(t, b, 2*n)
		time.Sleep(time.Hour)
		spend(t, b, 6*n) // 01:00
		equal(t, "the first day", published(t, a, first), quota.Hours{22: 7 * n, 23: 5 * n})
		equal(t, "the second day", published(t, a, first+1), quota.Hours{0: 11 * n, 1: 6 * n})
		equal(t, "its own", a.Snapshot().Hours, quota.Hours{0: 9 * n})
	})
}

// A correction changes the hour in which it is made, so that the hours always add up to what is spent.
func TestHoursAddUp(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 1000 * n, Now: before(12 * time.Hour)})
		c := quota.Call{Model: "m", Estimate: 30 * n}
		on := take(t, l, c).Settle(quota.Cost{Neurons: 30 * n, Basis: quota.Estimated})
		time.Sleep(time.Hour)
		l.Correct(c, on, 30*n, quota.Cost{Neurons: 12 * n, Basis: quota.Reported})
		equal(t, "after the correction", published(t, l, on), quota.Hours{12: 30 * n, 13: -18 * n})
		// No more than is booked is taken back, and of a charge of the day before what is beyond it is added.
		l.Correct(c, on, 500*n, quota.Cost{Basis: quota.Reported})
		l.Correct(c, on-1, 10*n, quota.Cost{Neurons: 15 * n, Basis: quota.Reported})
		equal(t, "the sum of the hours", published(t, l, on).Until(24*time.Hour), 17*n)
		equal(t, "used", l.Snapshot().Account.Used, 17*n)
	})
}

// What a store did not get, or has lost, is published again.
func TestHoursArePublishedAgain(t *testing.T) {
	spied(t, quota.Options{Limit: 1000 * n, AllowOfflineGrant: true}, func(t *testing.T, s *spy, l *quota.Ledger) {
		spend(t, l, 3*n)
		time.Sleep(time.Hour)
		s.set(func(s *spy) { s.fail = errDown })
		spend(t, l, 4*n)
		time.Sleep(time.Minute)
		for _, store := range []quota.Store{s.Store, memstore.New(nil)} {
			s.set(func(s *spy) { s.fail, s.Store = nil, store })
			equal(t, "the hours", published(t, l, l.Snapshot().Day), quota.Hours{0: 3 * n, 1: 4 * n})
		}
	})
}

func TestUntilATimeOfTheDay(t *testing.T) {
	h := quota.Hours{0: 60 * n, 1: 30 * n, 23: 10 * n}
	for passed, want := range map[time.Duration]quota.Neurons{
		-time.Hour: 0, 0: 0, time.Minute: n, time.Hour: 60 * n, 90 * time.Minute: 75 * n,
		23 * time.Hour: 90 * n, 24 * time.Hour: 100 * n, 48 * time.Hour: 100 * n,
	} {
		equal(t, "until "+passed.String(), h.Until(passed), want)
	}
}
