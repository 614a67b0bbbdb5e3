package quota_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestWhenTheDayWasFoundSpent(t *testing.T) {
	const zero = time.Duration(-1)
	for name, c := range map[string]struct {
		test func(t *testing.T, l *quota.Ledger)
		want time.Duration // after noon
	}{
		"nothing was spent": {func(*testing.T, *quota.Ledger) {}, zero},
		"a call larger than what is left": {func(t *testing.T, l *quota.Ledger) {
			refused(t, l, quota.Call{Estimate: 101 * n}, quota.Exhausted)
		}, zero},
		"a client's budget": {func(t *testing.T, l *quota.Ledger) {
			refused(t, l, quota.Call{Estimate: 2 * n, Client: "x", ClientLimit: n}, quota.Exhausted)
		}, zero},
		"to the last millionth": {func(t *testing.T, l *quota.Ledger) {
			time.Sleep(time.Minute)
			spend(t, l, 100*n)
			time.Sleep(time.Minute)
			refused(t, l, quota.Call{Estimate: n}, quota.Exhausted)
		}, time.Minute},
		"what is left is too little for a call": {func(t *testing.T, l *quota.Ledger) {
			spend(t, l, 99*n)
			time.Sleep(time.Minute)
			refused(t, l, quota.Call{Estimate: 2 * n}, quota.Exhausted)
			time.Sleep(time.Minute)
			refused(t, l, quota.Call{Estimate: 2 * n}, quota.Exhausted)
		}, time.Minute},
		"blocked": {func(t *testing.T, l *quota.Ledger) {
			time.Sleep(time.Minute)
			inFlight := take(t, l, quota.Call{Estimate: 100 * n})
			l.Block(time.Time{})
			time.Sleep(time.Minute)
			inFlight.Settle(settle(100 * n))
		}, time.Minute},
		"blocked and lifted": {func(_ *testing.T, l *quota.Ledger) {
			l.Block(time.Time{})
			l.Unblock()
		}, zero},
		"until the next day": {func(t *testing.T, l *quota.Ledger) {
			spend(t, l, 100*n)
			time.Sleep(12 * time.Hour)
		}, zero},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 100 * n, Heartbeat: longBeat, Now: before(12 * time.Hour)})
				c.test(t, l)
				s := l.Snapshot()
				var want time.Time
				if c.want != zero {
					want = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC).Add(c.want)
				}
				sameTime(t, "exhausted at", s.ExhaustedAt, want)
				if c.want != zero {
					sameTime(t, "expected at", s.ExpectedAt, want)
				}
			})
		})
	}
}

func TestForecast(t *testing.T) {
	for _, c := range []struct {
		name  string
		test  func(t *testing.T, a, b *quota.Ledger)
		want  time.Duration // from then on; 0: not before the reset
		limit quota.Neurons
	}{
		{"nothing is spent", func(*testing.T, *quota.Ledger, *quota.Ledger) {}, 0, 1000 * n},
		{"no limit", func(t *testing.T, a, _ *quota.Ledger) { spend(t, a, 1000*n) }, 0, 0},
		{"one a minute lasts", func(t *testing.T, a, _ *quota.Ledger) { each(t, a, 120, n) }, 0, 1000 * n},
		{"two a minute do not", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 120, 2*n)
		}, 380 * time.Minute, 1000 * n},
		{"of another process, too", func(t *testing.T, a, b *quota.Ledger) {
			for range 120 {
				spend(t, a, n)
				spend(t, b, n)
				time.Sleep(time.Minute)
			}
		}, 380 * time.Minute, 1000 * n},
		{"too little was counted", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 14, 10*n)
		}, 0, 1000 * n},
		{"just enough was counted", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 15, 10*n)
		}, 85 * time.Minute, 1000 * n},
		{"a burst an hour ago", func(t *testing.T, a, _ *quota.Ledger) {
			spend(t, a, 900*n)
			time.Sleep(time.Hour)
		}, 0, 1000 * n},
		{"what is new weighs more", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 30, n)
			each(t, a, 30, 5*n)
		}, 205 * time.Minute, 1000 * n}, // four a minute rather than three: 820 are left
		{"the last hour of a day", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 30, 2*n)
		}, 0, 1000 * n},
		{"the evening's rate in the night", func(t *testing.T, a, _ *quota.Ledger) {
			each(t, a, 59, 2*n)
			time.Sleep(time.Minute)
			spend(t, a, 2*n)
		}, 499 * time.Minute, 1000 * n},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				o := quota.Options{Limit: c.limit, Now: before(12 * time.Hour), Heartbeat: sharedBeat}
				if strings.Contains(c.name, "evening") || strings.Contains(c.name, "last hour") {
					o.Now = before(time.Hour)
				}
				o.Store = memstore.New(o.Now)
				a, b := open(t, o), open(t, o)
				c.test(t, a, b)
				time.Sleep(2 * sharedBeat)
				s := a.Snapshot()
				if c.want == 0 {
					sameTime(t, "expected at", s.ExpectedAt, time.Time{})
					return
				}
				tolerance := c.want/20 + 15*time.Second
				within(t, "spent in", s.ExpectedAt.Sub(o.Now()), c.want-tolerance, c.want+tolerance)
			})
		})
	}
}

// each spends amount a minute, for as many minutes.
func each(t *testing.T, l *quota.Ledger, minutes int, amount quota.Neurons) {
	t.Helper()
	for range minutes {
		spend(t, l, amount)
		time.Sleep(time.Minute)
	}
}

// What others spent before a process came is not of the minute in which it came.
func TestForecastOfOneWhoComesLate(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Limit: 1000 * n, Now: before(12 * time.Hour)}
		o.Store = memstore.New(o.Now)
		spend(t, open(t, o), 900*n)
		time.Sleep(2 * quota.Heartbeat)
		late := open(t, o)
		time.Sleep(2 * quota.Heartbeat)
		s := late.Snapshot()
		equal(t, "used", s.Account.Used, 900*n)
		sameTime(t, "expected at", s.ExpectedAt, time.Time{})
	})
}
