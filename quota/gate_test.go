package quota_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// latched runs a test on a ledger that is latched two hours before midnight.
// until is how long it is to a time by the ledger's clock.
func latched(t *testing.T, test func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		now := before(2 * time.Hour)
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: now})
		spend(t, l, n)
		l.Latch(time.Time{})
		test(t, l, func(at time.Time) time.Duration { return at.Sub(now()).Round(time.Second) })
	})
}

func TestALatchedAccountIsProbed(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration) {
		d := refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		if d.Used != n || d.Pot != quota.Account || d.ResetsAt.Day() != 2 || until(d.RetryAt) != 30*time.Minute {
			t.Errorf("%+v", d)
		}
		time.Sleep(29 * time.Minute)
		refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		time.Sleep(time.Minute)
		probe := take(t, l, quota.Call{Estimate: n})
		if !probe.Probe() {
			t.Error("it is not a probe")
		}
		refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		l.Latch(time.Time{})
		probe.Release()
		refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		time.Sleep(30 * time.Minute)
		probe = take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
		probe.Settle(settle(n))
		if l.Snapshot().Latch.Set {
			t.Error("still latched")
		}
	})
}

// A probe that says nothing leaves the gate shut until the next one is due.
func TestAnUnclearProbe(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Release()
		refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Release()
	})
}

func TestNeverProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Hour)})
		l.Latch(time.Time{})
		time.Sleep(time.Hour - time.Nanosecond)
		refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		time.Sleep(time.Nanosecond)
		if !take(t, l, quota.Call{Estimate: n}).Probe() {
			t.Error("the first call after the reset is not a probe")
		}
	})
}

func TestOneCallFirstAfterTheReset(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(2*time.Hour + time.Second)
		probe := take(t, l, quota.Call{Estimate: n})
		if !probe.Probe() {
			t.Fatal("it is not a probe")
		}
		other := ask(t.Context(), l, quota.Call{Estimate: n})
		third := ask(t.Context(), l, quota.Call{Estimate: n})
		other.mustWait(t)
		time.Sleep(2 * time.Second)
		probe.Accepted()
		other.must(t, quota.Allowed, 2*time.Second)
		third.must(t, quota.Allowed, 2*time.Second)
		spend(t, l, n)
	})
}

func TestALateReset(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration) {
		time.Sleep(2*time.Hour + time.Second)
		var waits *asked
		for i, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			pause := time.Duration(minutes) * time.Minute
			probe := take(t, l, quota.Call{Estimate: n})
			if !probe.Probe() {
				t.Fatal("it is not a probe")
			}
			if i == 0 {
				waits = ask(t.Context(), l, quota.Call{Estimate: n})
				waits.mustWait(t)
				time.Sleep(time.Second)
			}
			l.Latch(time.Time{})
			if i == 0 {
				waits.must(t, quota.LatchShut, time.Second)
			}
			probe.Release()
			d := refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
			if until(d.RetryAt) != pause {
				t.Errorf("the next in %v, want %d min", until(d.RetryAt), minutes)
			}
			time.Sleep(pause - time.Second)
			refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
			time.Sleep(2 * time.Second)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
	})
}

// A holder that is told by another one, and one prober for both.
func TestTheLatchReachesAllHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
		o := quota.Options{Store: store, Limit: 100 * n, Probe: 30 * time.Minute, Wait: time.Second}
		a, b := open(t, o), open(t, o)
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			a.Latch(time.Time{})
		}()
		<-waits
		time.Sleep(time.Second)
		refused(t, b, quota.Call{Estimate: n}, quota.LatchShut)
		time.Sleep(30 * time.Minute)
		probe := take(t, b, quota.Call{Estimate: n})
		refused(t, a, quota.Call{Estimate: n}, quota.LatchShut)
		probe.Accepted()
		time.Sleep(time.Second)
		spend(t, a, n)
		probe.Release()
		c := open(t, o) // it learns at its start
		a.Latch(time.Time{})
		time.Sleep(time.Second)
		for _, l := range []*quota.Ledger{a, b, c, open(t, o)} {
			refused(t, l, quota.Call{Estimate: n}, quota.LatchShut)
		}
		b.Unlatch()
		time.Sleep(time.Second)
		spend(t, c, n)
	})
}

// Calls that wait for neurons are told at once when the account is latched.
func TestALatchEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, flying *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(time.Second)
		l.Latch(time.Time{})
		a.must(t, quota.LatchShut, time.Second)
	})
}

// A probe whose budget is spent is no probe.
func TestAProbeMustFit(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(30 * time.Minute)
		refused(t, l, quota.Call{Estimate: 100 * n}, quota.Exhausted)
		time.Sleep(30 * time.Minute)
		if !take(t, l, quota.Call{Estimate: n}).Probe() {
			t.Error("it is not a probe")
		}
	})
}
