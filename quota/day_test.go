package quota_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestDay(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), "2026-11-23"},
		{time.Date(2026, 11, 23, 23, 59, 59, 1e9-1, time.UTC), "2026-11-23"},
		{time.Date(2026, 11, 24, 0, 30, 0, 0, time.FixedZone("", 3600)), "2026-11-23"},
		{time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), "1969-12-31"},
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), "1970-01-01"},
	} {
		d := quota.DayOf(c.at)
		equal(t, "the day", d.String(), c.want)
		sameTime(t, c.want+": its end", d.End(), d.Start().Add(24*time.Hour))
		if d.Start().After(c.at) || !d.End().After(c.at) {
			t.Errorf("%v: got a day from %v to %v, want one around it", c.at, d.Start(), d.End())
		}
		text, err := json.Marshal(d)
		fails(t, c.want+": Marshal", err, nil)
		equal(t, "as JSON", string(text), `"`+c.want+`"`)
		var back quota.Day
		fails(t, c.want+": Unmarshal", json.Unmarshal(text, &back), nil)
		equal(t, "read back", back, d)
	}
	var d quota.Day
	if err := json.Unmarshal([]byte(`"2026-13-01"`), &d); err == nil {
		t.Errorf("a date that does not exist: got %v, want an error", d)
	}
}

// before returns a clock by which the bubble, which begins at 2000-01-01 00:00:00 UTC, begins d before the midnight
// after.
func before(d time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(24*time.Hour - d) }
}

func TestResetToTheSecond(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Minute)})
		spend(t, l, 100*n)
		time.Sleep(time.Minute - time.Nanosecond)
		d := refused(t, l, quota.Call{Estimate: 1}, quota.Exhausted)
		sameTime(t, "the reset", d.ResetsAt, time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC))
		time.Sleep(time.Nanosecond)
		spend(t, l, 99*n)
		s := l.Snapshot()
		equal(t, "the day", s.Day.String(), "2000-01-02")
		equal(t, "used", s.Account.Used, 99*n)
		equal(t, "records", len(s.Records), 1)
		reported(t, l, 100*n, 99*n)
	})
}

func TestInFlightAtMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		now := before(time.Minute)
		store := memstore.New(now)
		a := open(t, quota.Options{Store: store, Limit: 100 * n, Now: now})
		b := open(t, quota.Options{Store: store, Limit: 100 * n, Now: now})
		x := quota.Call{Model: "m", Client: "x", ClientLimit: 50 * n, Estimate: 40 * n}
		spend(t, a, 50*n)
		res := take(t, a, x)
		time.Sleep(61 * time.Second)
		s := a.Snapshot()
		figures(t, "the account", s.Account, quota.Status{Reserved: 40 * n})
		equal(t, "remaining", s.Account.Remaining, 60*n)
		equal(t, "reserved by the client", s.Clients[0].Reserved, 40*n)
		refused(t, b, quota.Call{Estimate: 61 * n}, quota.Contended)
		take(t, b, quota.Call{Estimate: 60 * n}).Release()
		equal(t, "the day it is booked on", res.Settle(settle(30*n)), s.Day)
		time.Sleep(quota.Heartbeat)
		take(t, b, quota.Call{Estimate: 70 * n}).Release()
		refused(t, b, quota.Call{Estimate: 71 * n}, quota.Exhausted)
		equal(t, "calls of the new day", reported(t, a, 50*n, 30*n)[1].Calls, 1)
	})
}

// A limit that is set, changed or taken away in the course of a day counts what was spent before, here and elsewhere.
func TestABudgetThatChanges(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		a := open(t, quota.Options{Store: store, Limit: 1000 * n, Wait: 5 * time.Second})
		b := open(t, quota.Options{Store: store, Limit: 1000 * n, Wait: 5 * time.Second})
		call := func(limit, estimate quota.Neurons) quota.Call {
			return quota.Call{Client: "x", CountClient: true, ClientLimit: limit, Estimate: estimate}
		}
		take(t, a, call(0, 30*n)).Settle(settle(30 * n))
		take(t, b, call(0, 20*n)).Settle(settle(20 * n))
		inFlight := take(t, a, call(0, 10*n))
		time.Sleep(2 * quota.Heartbeat)
		refused(t, a, call(60*n, n), quota.Contended)
		refused(t, b, call(60*n, 11*n), quota.Exhausted)
		inFlight.Settle(settle(5 * n))
		time.Sleep(2 * quota.Heartbeat)
		refused(t, a, call(60*n, 6*n), quota.Exhausted)
		take(t, b, call(60*n, 5*n)).Settle(settle(5 * n))
		refused(t, b, call(60*n, 1), quota.Exhausted)
		take(t, b, call(0, 40*n)).Settle(settle(40 * n))
		take(t, b, call(110*n, 10*n)).Settle(settle(10 * n))
		refused(t, b, call(110*n, 1), quota.Exhausted)
		time.Sleep(2 * quota.Heartbeat)
		refused(t, a, call(110*n, 1), quota.Exhausted)
		s := a.Snapshot()
		equal(t, "clients", len(s.Clients), 1)
		equal(t, "used by the client", s.Clients[0].Used, 110*n)
		equal(t, "its limit", s.Clients[0].Limit, 110*n)
		equal(t, "used", s.Account.Used, 110*n)
	})
}

// Waiting over midnight ends with the new day's neurons.
func TestMidnightServesThoseWhoWait(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: time.Minute, Now: before(10 * time.Second)})
		spend(t, l, 20*n)
		take(t, l, quota.Call{Estimate: 60 * n})
		a := ask(t.Context(), l, quota.Call{Estimate: 40 * n})
		time.Sleep(9 * time.Second)
		a.mustWait(t)
		time.Sleep(time.Second + quota.Heartbeat)
		if !a.decided() || a.res == nil {
			t.Fatalf("got %+v, want a reservation", a.d)
		}
		equal(t, "the day of the reset", a.d.ResetsAt.Day(), 3)
	})
}

func TestTwoDaysSkipped(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var off atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
		l := open(t, quota.Options{Limit: 100 * n, Now: now})
		spend(t, l, 100*n)
		off.Store(int64(49 * time.Hour)) // a laptop that slept
		spend(t, l, 100*n)
		refused(t, l, quota.Call{Estimate: 1}, quota.Exhausted)
		s := l.Snapshot()
		equal(t, "the day", s.Day.String(), "2000-01-03")
		h := reported(t, l, 100*n, 100*n)
		equal(t, "the day of the first record", h[0].Day, s.Day-2)
		equal(t, "the day of the second record", h[1].Day, s.Day)
	})
}

// clockOff is how far a machine's clock is off, in nanoseconds.
type clockOff struct{ atomic.Int64 }

func TestAClockThatJumps(t *testing.T) {
	date := func(hour, minute int) time.Time { return time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		name string
		test func(t *testing.T, l *quota.Ledger, off *clockOff)
		want string // the day in the end
	}{
		{"back over midnight: the day stays", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(-13 * time.Hour))
			l.Snapshot()
		}, "2000-01-01"},
		{"forth and back: the day stays ahead", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(13 * time.Hour))
			l.Snapshot()
			off.Store(int64(0))
		}, "2000-01-02"},
		{"forth, while upstream's date is known: nothing happens", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(12, 0))
			off.Store(int64(72 * time.Hour))
			l.Snapshot()
			time.Sleep(9 * time.Minute)
			l.Snapshot()
			l.Observe(date(12, 9))
			time.Sleep(9 * time.Minute)
			off.Store(int64(0))
		}, "2000-01-01"},
		{"it is slow: upstream's date is the day", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(-3 * time.Minute))
			time.Sleep(12*time.Hour - time.Minute)
			l.Observe(date(23, 59))
			l.Observe(date(23, 59))
			time.Sleep(time.Minute)
		}, "2000-01-02"},
		{"it is slow, and the correction outlasts a quiet night", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(-3 * time.Minute))
			l.Observe(date(12, 0))
			l.Observe(date(12, 0))
			time.Sleep(12 * time.Hour)
		}, "2000-01-02"},
		{"it is a little slow: one date is enough", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(-50 * time.Second))
			time.Sleep(12*time.Hour - time.Minute)
			l.Observe(date(23, 59))
			time.Sleep(time.Minute)
		}, "2000-01-02"},
		{"one date of tomorrow ends nothing", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(24, 1))
			time.Sleep(time.Hour)
			l.Observe(date(13, 0))
			l.Observe(date(25, 1)) // it agrees with the first, and what came between with neither
			time.Sleep(time.Hour)
		}, "2000-01-01"},
		{"two dates of tomorrow that do not agree", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(24, 1))
			l.Observe(date(25, 0))
			time.Sleep(time.Minute)
			l.Observe(date(25, 0)) // a minute ago it would have agreed
		}, "2000-01-01"},
		{"two that agree are the time", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(24, 1))
			time.Sleep(time.Minute)
			l.Observe(date(24, 2))
		}, "2000-01-02"},
		{"it is fast: not yet", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			off.Store(int64(3 * time.Minute))
			l.Observe(date(12, 0))
			l.Observe(date(12, 0))
			time.Sleep(12*time.Hour - time.Minute)
		}, "2000-01-01"},
		{"one late answer proves nothing", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(11, 0))
			time.Sleep(12 * time.Hour)
		}, "2000-01-02"},
		{"a date that is nonsense", func(t *testing.T, l *quota.Ledger, off *clockOff) {
			l.Observe(date(12, 0).AddDate(1, 0, 0))
			l.Observe(date(12, 0).AddDate(-1, 0, 0))
			l.Observe(date(12, 0).AddDate(-1, 0, 0))
		}, "2000-01-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				var off clockOff
				noon := before(12 * time.Hour)
				now := func() time.Time { return noon().Add(time.Duration(off.Load())) }
				l := open(t, quota.Options{Limit: 100 * n, Heartbeat: longBeat, Now: now})
				spend(t, l, 10*n)
				c.test(t, l, &off)
				s := l.Snapshot()
				equal(t, "the day", s.Day.String(), c.want)
				equal(t, "what was used on the first day still counts", s.Account.Used == 10*n, c.want == "2000-01-01")
			})
		})
	}
}

// Two replicas whose clocks differ take the store's, from their start on.
func TestTheStoresClockIsTheDay(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(before(30 * time.Second))
		fast := open(t, quota.Options{Store: store, Limit: 100 * n, Now: before(-30 * time.Second)})
		slow := open(t, quota.Options{Store: store, Limit: 100 * n, Now: before(90 * time.Second)})
		time.Sleep(29 * time.Second)
		for _, l := range []*quota.Ledger{fast, slow} {
			equal(t, "the day before midnight", l.Snapshot().Day.String(), "2000-01-01")
		}
		time.Sleep(time.Second)
		for _, l := range []*quota.Ledger{fast, slow} {
			equal(t, "the day at midnight", l.Snapshot().Day.String(), "2000-01-02")
		}
	})
}
