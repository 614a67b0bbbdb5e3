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
		l.Block(time.Time{})
		test(t, l, func(at time.Time) time.Duration { return at.Sub(now()).Round(time.Second) })
	})
}

func TestALatchedAccountIsProbed(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration) {
		d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		if d.Used != n || d.Budget != quota.Account || d.ResetsAt.Day() != 2 || until(d.RetryAt) != 30*time.Minute {
			t.Errorf("%+v", d)
		}
		time.Sleep(29 * time.Minute)
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(time.Minute)
		probe := take(t, l, quota.Call{Estimate: n})
		if !probe.Probe() {
			t.Error("it is not a probe")
		}
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		l.Block(time.Time{})
		probe.Release()
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(30 * time.Minute)
		probe = take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
		probe.Settle(settle(n))
		if l.Snapshot().Block.Set {
			t.Error("still latched")
		}
	})
}

// A probe that says nothing leaves the gate shut until the next one is due.
func TestAnUnclearProbe(t *testing.T) {
	latched(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Settle(settle(0))
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Settle(settle(0))
	})
}

func TestNeverProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Hour)})
		l.Block(time.Time{})
		time.Sleep(time.Hour - time.Nanosecond)
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
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
			l.Block(time.Time{})
			if i == 0 {
				waits.must(t, quota.Blocked, time.Second)
			}
			probe.Release()
			d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			if until(d.RetryAt) != pause {
				t.Errorf("the next in %v, want %d min", until(d.RetryAt), minutes)
			}
			time.Sleep(pause - time.Second)
			refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			time.Sleep(2 * time.Second)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
	})
}

// A refusal of yesterday's call says that yesterday was spent: it makes one call
// go first, and no more.
func TestTheLatchIsOfTheDayOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: before(time.Second)})
		late, later := take(t, l, quota.Call{Estimate: n}), take(t, l, quota.Call{Estimate: n})
		time.Sleep(time.Second + 100*time.Millisecond)
		late.Refused()
		late.Release()
		s := l.Snapshot()
		if midnight := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC); !s.Block.Set || !s.Block.Until.Equal(midnight) || !s.ExhaustedAt.IsZero() {
			t.Fatalf("%+v, exhausted at %v", s.Block, s.ExhaustedAt)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		if !probe.Probe() {
			t.Fatal("the first call is not a probe")
		}
		other := ask(t.Context(), l, quota.Call{Estimate: n})
		other.mustWait(t)
		later.Refused() // changes nothing any more
		later.Release()
		other.mustWait(t)
		time.Sleep(time.Second)
		probe.Accepted()
		other.must(t, quota.Allowed, time.Second)
	})
}

// Refused just after midnight, after little was spent, though nobody had noticed
// that yesterday was spent.
func TestALateResetThatNothingForetold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := before(0)
		store := quota.NewMemory(now)
		o := quota.Options{Store: store, Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: now}
		l, other := open(t, o), open(t, o)
		spend(t, l, 40*n)
		flying := []*quota.Reservation{take(t, l, quota.Call{Estimate: n}), take(t, l, quota.Call{Estimate: n}), take(t, l, quota.Call{Estimate: n})}
		for _, r := range flying { // what was sent at once is refused at once, and is one refusal
			r.Refused()
			r.Release()
		}
		time.Sleep(time.Second)
		for _, l := range []*quota.Ledger{l, other} {
			d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			if wait := d.RetryAt.Sub(d.At).Round(time.Second); !d.Late || wait != 59*time.Second || d.ResetsAt.Day() != 3 {
				t.Errorf("%+v: the next in %v", d, wait)
			}
		}
		if _, retry := l.Reset(); retry.Round(time.Second) != 59*time.Second {
			t.Errorf("it may be asked again in %v", retry)
		}
		time.Sleep(time.Minute)
		for _, minutes := range []int{2, 4, 8, 16, 30, 30} {
			pause := time.Duration(minutes) * time.Minute
			probe := take(t, l, quota.Call{Estimate: n})
			probe.Refused()
			probe.Release()
			d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			if wait := d.RetryAt.Sub(d.At).Round(time.Second); !probe.Probe() || wait != pause {
				t.Errorf("probe %v, the next in %v, want %v", probe.Probe(), wait, pause)
			}
			time.Sleep(pause + time.Second)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
	})
}

// What says that the day is spent, rather than that the reset is late.
func TestARefusalThatIsNoLateReset(t *testing.T) {
	for name, c := range map[string]struct {
		into  time.Duration
		spent quota.Neurons
		late  bool
	}{
		"the day has just begun":      {time.Minute, 49 * n, true},
		"as it was seen":              {44 * time.Minute, 28 * n, true},
		"much was spent":              {time.Minute, 50 * n, false},
		"the day has long begun":      {time.Hour, 0, false},
		"just before it has for long": {time.Hour - time.Second, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 100 * n, Probe: 30 * time.Minute, Now: before(-c.into)})
				spend(t, l, c.spent)
				l.Block(time.Time{})
				d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
				want := 30 * time.Minute
				if c.late {
					want = time.Minute
				}
				if wait := d.RetryAt.Sub(d.At).Round(time.Second); d.Late != c.late || wait != want {
					t.Errorf("late %v, the next in %v", d.Late, wait)
				}
				if s := l.Snapshot(); s.ExhaustedAt.IsZero() != c.late {
					t.Errorf("exhausted at %v", s.ExhaustedAt)
				}
			})
		})
	}
}

// The pauses of a reset that stayed out all day end with the next one, and so
// does the lease of the evening's probe.
func TestTheNextResetIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second, Now: before(10 * time.Minute), Heartbeat: longBeat})
		l.Block(time.Time{})
		refuse := func() {
			t.Helper()
			probe := take(t, l, quota.Call{Estimate: n})
			if !probe.Probe() {
				t.Fatal("it is not a probe")
			}
			probe.Refused()
			probe.Release()
			refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		}
		time.Sleep(10 * time.Minute)
		for range 47 {
			refuse()
			time.Sleep(30*time.Minute + time.Second)
		}
		refuse() // the next would be due 47 seconds after midnight
		for l.Snapshot().Day.String() != "2000-01-03" {
			refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			time.Sleep(time.Second)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		other := ask(t.Context(), l, quota.Call{Estimate: n})
		other.mustWait(t)
		probe.Accepted()
		other.must(t, quota.Allowed, 0)
	})
}

// A holder that is told by another one, and one prober for both.
func TestTheLatchReachesAllHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon := before(12 * time.Hour)
		store := quota.NewMemory(noon)
		o := quota.Options{Store: store, Limit: 100 * n, Probe: 30 * time.Minute, Wait: time.Second, Now: noon}
		a, b := open(t, o), open(t, o)
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			a.Block(time.Time{})
		}()
		<-waits
		time.Sleep(time.Second)
		refused(t, b, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(30 * time.Minute)
		probe := take(t, b, quota.Call{Estimate: n})
		refused(t, a, quota.Call{Estimate: n}, quota.Blocked)
		probe.Accepted()
		time.Sleep(time.Second)
		spend(t, a, n)
		probe.Release()
		c := open(t, o) // it learns at its start
		a.Block(time.Time{})
		time.Sleep(time.Second)
		for _, l := range []*quota.Ledger{a, b, c, open(t, o)} {
			refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		}
		b.Unblock()
		time.Sleep(time.Second)
		spend(t, c, n)
	})
}

// Calls that wait for neurons are told at once when the account is latched.
func TestALatchEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, flying *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(time.Second)
		l.Block(time.Time{})
		a.must(t, quota.Blocked, time.Second)
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
