package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// blocked runs a test on a ledger whose account is blocked two hours before midnight. until is how long it is to a
// time by the ledger's clock.
func blocked(t *testing.T, test func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration)) {
	virtually(t, func(t *testing.T) {
		now := before(2 * time.Hour)
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: now})
		spend(t, l, n)
		l.Block(time.Time{})
		test(t, l, func(at time.Time) time.Duration { return at.Sub(now()).Round(time.Second) })
	})
}

func TestABlockedAccountIsProbed(t *testing.T) {
	blocked(t, func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration) {
		d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		equal(t, "used", d.Used, n)
		equal(t, "the budget that refuses", d.Budget, quota.Account)
		equal(t, "the day of the reset", d.ResetsAt.Day(), 2)
		equal(t, "the time to the next probe", until(d.RetryAt), 30*time.Minute)
		time.Sleep(29 * time.Minute)
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(time.Minute)
		probe := takeProbe(t, l)
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		l.Block(time.Time{})
		probe.Release()
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(30 * time.Minute)
		probe = take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
		probe.Settle(settle(n))
		equal(t, "the account is blocked after the probe", l.Snapshot().Block.Set, false)
	})
}

// A probe that shows nothing leaves the block until the next one is due.
func TestAnUnclearProbe(t *testing.T) {
	blocked(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Settle(settle(0))
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(30 * time.Minute)
		take(t, l, quota.Call{Estimate: n}).Settle(settle(0))
	})
}

func TestNeverProbe(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Hour)})
		l.Block(time.Time{})
		time.Sleep(time.Hour - time.Nanosecond)
		refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
		time.Sleep(time.Nanosecond)
		takeProbe(t, l)
	})
}

func TestOneCallFirstAfterTheReset(t *testing.T) {
	blocked(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(2*time.Hour + time.Second)
		probe := takeProbe(t, l)
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
	blocked(t, func(t *testing.T, l *quota.Ledger, until func(time.Time) time.Duration) {
		time.Sleep(2*time.Hour + time.Second)
		var waits *asked
		for i, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			pause := time.Duration(minutes) * time.Minute
			probe := takeProbe(t, l)
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
			equal(t, "the time to the next probe", until(d.RetryAt), pause)
			time.Sleep(pause - time.Second)
			refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			time.Sleep(2 * time.Second)
		}
		probe := take(t, l, quota.Call{Estimate: n})
		probe.Accepted()
		spend(t, l, n)
	})
}

// A refusal of yesterday's call says that yesterday was spent: it makes one call go first, and no more.
func TestTheBlockIsOfTheDayOfTheCall(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{
			Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: before(time.Second),
		})
		late, later := take(t, l, quota.Call{Estimate: n}), take(t, l, quota.Call{Estimate: n})
		time.Sleep(time.Second + 100*time.Millisecond)
		late.Refused()
		late.Release()
		s := l.Snapshot()
		equal(t, "the account is blocked", s.Block.Set, true)
		sameTime(t, "the end of the block", s.Block.Until, time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC))
		sameTime(t, "exhausted at", s.ExhaustedAt, time.Time{})
		probe := takeProbe(t, l)
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

// Refused just after midnight, after little was spent, though nobody had noticed that yesterday was spent.
func TestALateResetAfterNoBlock(t *testing.T) {
	virtually(t, func(t *testing.T) {
		now := before(0)
		store := memstore.New(now)
		o := quota.Options{Store: store, Limit: 100 * n, Wait: 10 * time.Second, Probe: 30 * time.Minute, Now: now}
		l, other := open(t, o), open(t, o)
		spend(t, l, 40*n)
		var inFlight []*quota.Reservation
		for range 3 {
			inFlight = append(inFlight, take(t, l, quota.Call{Estimate: n}))
		}
		for _, r := range inFlight { // what was sent at once is refused at once, and is one refusal
			r.Refused()
			r.Release()
		}
		time.Sleep(time.Second)
		for _, l := range []*quota.Ledger{l, other} {
			d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			equal(t, "the reset is late", d.Late, true)
			equal(t, "the time to the next probe", d.RetryAt.Sub(d.At).Round(time.Second), 59*time.Second)
			equal(t, "the day of the reset", d.ResetsAt.Day(), 3)
		}
		_, retry := l.Reset()
		equal(t, "the time until Workers AI may be asked again", retry.Round(time.Second), 59*time.Second)
		time.Sleep(time.Minute)
		for _, minutes := range []int{2, 4, 8, 16, 30, 30} {
			pause := time.Duration(minutes) * time.Minute
			probe := takeProbe(t, l)
			probe.Refused()
			probe.Release()
			d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			equal(t, "the time to the next probe", d.RetryAt.Sub(d.At).Round(time.Second), pause)
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
			virtually(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 100 * n, Probe: 30 * time.Minute, Now: before(-c.into)})
				spend(t, l, c.spent)
				l.Block(time.Time{})
				d := refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
				want := 30 * time.Minute
				if c.late {
					want = time.Minute
				}
				equal(t, "the reset is late", d.Late, c.late)
				equal(t, "the time to the next probe", d.RetryAt.Sub(d.At).Round(time.Second), want)
				equal(t, "the day is not found spent", l.Snapshot().ExhaustedAt.IsZero(), c.late)
			})
		})
	}
}

// The pauses of a reset that stayed out all day end with the next one, and so does the lease of the evening's probe.
func TestTheNextResetIsTriedAtOnce(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{
			Limit: 100 * n, Wait: 10 * time.Second, Heartbeat: longBeat, Now: before(10 * time.Minute),
		})
		l.Block(time.Time{})
		refuse := func() {
			t.Helper()
			probe := takeProbe(t, l)
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

// A replica learns of the block from another one, and one call probes for both.
func TestTheBlockReachesAllReplicas(t *testing.T) {
	virtually(t, func(t *testing.T) {
		noon := before(12 * time.Hour)
		store := memstore.New(noon)
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

// Calls that wait for neurons are refused at once when the account is blocked.
func TestABlockEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(time.Second)
		l.Block(time.Time{})
		a.must(t, quota.Blocked, time.Second)
	})
}

// A probe whose budget is spent is no probe.
func TestAProbeMustFit(t *testing.T) {
	blocked(t, func(t *testing.T, l *quota.Ledger, _ func(time.Time) time.Duration) {
		time.Sleep(30 * time.Minute)
		refused(t, l, quota.Call{Estimate: 100 * n}, quota.Exhausted)
		time.Sleep(30 * time.Minute)
		takeProbe(t, l)
	})
}
