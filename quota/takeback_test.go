package quota_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/memstore"
)

// threeDates are the dates of three answers.
func threeDates(l *quota.Ledger, ahead time.Duration) {
	for range 3 {
		time.Sleep(10 * time.Second)
		l.Observe(time.Now().Add(ahead))
	}
}

// At 23:10 the machine's clock jumps an hour ahead, and the next day is begun. Three answers say what day it is: the
// count of that day goes on, with what was spent meanwhile, and the next day begins at its time with nothing spent.
func TestADayThatWasBegunWronglyIsTakenBack(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(t *testing.T, now func() time.Time) quota.Store
	}{
		{"memory", func(_ *testing.T, now func() time.Time) quota.Store { return memstore.New(now) }},
		{"file", func(t *testing.T, now func() time.Time) quota.Store {
			s, err := filestore.Open(t.Context(), filepath.Join(t.TempDir(), "state"), filestore.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				var off clockOff
				now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
				time.Sleep(23 * time.Hour)
				o := quota.Options{
					Store: c.open(t, now), Limit: 1_000 * n, MonthLimit: 5_000 * n, Now: now, Heartbeat: sharedBeat,
				}
				l, other := open(t, o), open(t, o)
				x := quota.Call{Model: "m", Client: "x", ClientLimit: 900 * n, Estimate: 100 * n}
				spend(t, l, 300*n)
				spend(t, other, 200*n)
				take(t, l, x).Settle(settle(100 * n))
				time.Sleep(10 * time.Minute)
				off.Store(int64(time.Hour))
				time.Sleep(time.Minute)
				equal(t, "the day that is begun", l.Snapshot().Day.String(), "2000-01-02")
				take(t, l, x).Settle(settle(100 * n))
				inFlight := take(t, l, quota.Call{Model: "m", Estimate: 50 * n})
				time.Sleep(10 * time.Second)

				l.Observe(time.Now())
				l.Observe(time.Now())
				equal(t, "the day by two answers", l.Snapshot().Day.String(), "2000-01-02")
				threeDates(l, 0)
				threeDates(other, 0)
				time.Sleep(10 * time.Second)
				want := quota.Status{Used: 700 * n, Reserved: 50 * n}
				for _, l := range []*quota.Ledger{l, other} {
					s := l.Snapshot()
					equal(t, "the day", s.Day.String(), "2000-01-01")
					figures(t, "the account", s.Account, want)
					sameTime(t, "its end", s.ResetsAt, s.Day.End())
				}
				equal(t, "used by the client", l.Snapshot().Clients[0].Used, 200*n)
				equal(t, "earlier in the month", l.Snapshot().Account.Earlier, 0)
				inFlight.Settle(settle(50 * n))
				time.Sleep(10 * time.Second)
				refused(t, other, quota.Call{Estimate: 251 * n}, quota.Exhausted)
				spend(t, other, 100*n)
				time.Sleep(10 * time.Second)
				hours, err := l.Archive().Hours(t.Context(), 10957)
				fails(t, "Hours", err, nil)
				equal(t, "settled in the last hour", hours[23], 850*n)

				time.Sleep(time.Hour)
				s := l.Snapshot()
				equal(t, "the next day", s.Day.String(), "2000-01-02")
				figures(t, "the next day", s.Account, quota.Status{})
				equal(t, "earlier in the month, then", s.Account.Earlier, 850*n)
				spend(t, l, 20*n)
				var sum [2]quota.Neurons
				records, err := l.History(t.Context(), s.Day-1, s.Day)
				fails(t, "History", err, nil)
				for _, r := range records {
					sum[r.Day-s.Day+1] += r.Neurons()
				}
				equal(t, "on record by day", sum, [2]quota.Neurons{850 * n, 20 * n})
			})
		})
	}
}

// A process that starts with such a clock has begun the day wrongly, too.
func TestAStartOnTheWrongDayIsTakenBack(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 10*time.Minute)
		store := memstore.New(nil)
		l := open(t, quota.Options{Store: store, Limit: 1_000 * n, Heartbeat: longBeat})
		spend(t, l, 900*n)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ahead := func() time.Time { return time.Now().Add(time.Hour) }
		var saved *memstore.Saved
		_ = store.Save(func(s *memstore.Saved) error { saved = s; return nil })
		keep := func(memstore.Change, func() *memstore.Saved) error { return nil }
		l = open(t, quota.Options{Store: memstore.NewDurable(saved, ahead, keep), Limit: 1_000 * n, Now: ahead})
		equal(t, "the day at the start", l.Snapshot().Day.String(), "2000-01-02")
		threeDates(l, 0)
		refused(t, l, quota.Call{Estimate: 101 * n}, quota.Exhausted)
		spend(t, l, 100*n)
		equal(t, "the day", l.Snapshot().Day.String(), "2000-01-01")
	})
}

// Dates that do not agree within a minute take no day back, nor do those of one answer that is wrong begin one.
func TestWhatTakesNoDayBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		dates func(l *quota.Ledger)
		want  string
	}{
		{"two that agree", func(l *quota.Ledger) {
			l.Observe(time.Now().Add(-time.Hour))
			l.Observe(time.Now().Add(-time.Hour))
		}, "2000-01-02"},
		{"three in more than a minute", func(l *quota.Ledger) {
			for range 3 {
				l.Observe(time.Now().Add(-time.Hour))
				time.Sleep(31 * time.Second)
			}
		}, "2000-01-02"},
		{"three, of which one differs", func(l *quota.Ledger) {
			l.Observe(time.Now().Add(-time.Hour))
			l.Observe(time.Now().Add(-2 * time.Hour))
			l.Observe(time.Now().Add(-time.Hour))
			l.Observe(time.Now().Add(-time.Hour))
		}, "2000-01-02"},
		{"a late answer and two that are not", func(l *quota.Ledger) {
			l.Observe(time.Now().Add(-time.Hour))
			l.Observe(time.Now())
			l.Observe(time.Now())
		}, "2000-01-02"},
		{"one of a day ahead", func(l *quota.Ledger) {
			l.Observe(time.Now().Add(23*time.Hour + 59*time.Minute))
		}, "2000-01-02"},
		{"two of a day ahead, and three that are right", func(l *quota.Ledger) {
			l.Observe(time.Now().Add(23*time.Hour + 59*time.Minute))
			l.Observe(time.Now().Add(23*time.Hour + 59*time.Minute))
			threeDates(l, 0)
		}, "2000-01-02"},
		{"three that agree", func(l *quota.Ledger) { threeDates(l, -time.Hour) }, "2000-01-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(24*time.Hour + 10*time.Minute)
				l := open(t, quota.Options{Limit: 1_000 * n, Heartbeat: longBeat})
				spend(t, l, 400*n)
				c.dates(l)
				time.Sleep(time.Second)
				s := l.Snapshot()
				equal(t, "the day", s.Day.String(), c.want)
				equal(t, "used", s.Account.Used, 400*n)
			})
		})
	}
}

// A block that was set on a day that was begun wrongly ends with the true one.
func TestABlockOfADayThatIsTakenBack(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 10*time.Minute)
		ahead := func() time.Time { return time.Now().Add(time.Hour) }
		l := open(t, quota.Options{Limit: 1_000 * n, Now: ahead, Heartbeat: longBeat})
		spend(t, l, 600*n)
		take(t, l, quota.Call{Estimate: n}).Refused()
		threeDates(l, 0)
		s := l.Snapshot()
		equal(t, "it is blocked", s.Block.Set, true)
		sameTime(t, "until", s.Block.Until, time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC))
		time.Sleep(50 * time.Minute)
		takeProbe(t, l).Accepted()
		spend(t, l, 900*n)
	})
}

// A figure that is read while Cloudflare's clock differs from ours is of another time, and counts for nothing.
func TestAFigureByAnotherClockDoesNotCount(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 20*time.Minute)
		ahead := func() time.Time { return time.Now().Add(time.Hour) }
		l := open(t, quota.Options{Limit: 1_000 * n, Now: ahead, Heartbeat: longBeat})
		l.Observe(time.Now())
		fails(t, "Reconcile", reads(t, l, 0), quota.ErrUnconfirmed)
		time.Sleep(2 * time.Minute)
		threeDates(l, 0)
		time.Sleep(longBeat)
		fails(t, "Reconcile", reads(t, l, 300*n), nil)
		equal(t, "external", l.Snapshot().Account.External, 300*n)
		time.Sleep(50 * time.Minute)
		fails(t, "Reconcile", reads(t, l, 5*n), nil)
		equal(t, "external the next day", l.Snapshot().Account.External, 5*n)
	})
}
