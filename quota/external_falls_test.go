package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A batch is charged with its bound and corrected to what it cost. That the sum
// of what was settled falls by it must not be taken for neurons that the store
// has forgotten: nobody else spent them.
func TestACorrectionIsNotExternal(t *testing.T) {
	for _, c := range []struct {
		name      string
		elsewhere quota.Neurons
		away      bool // the store is, when the cost is corrected
	}{{"nobody else spends", 0, false}, {"somebody else does", 300 * n, false}, {"the store is away", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour)
				b := &bill{lag: lag}
				store := &unanswered{Store: quota.NewMemory(nil)}
				l := open(t, quota.Options{Store: store, Limit: 10_000 * n})
				b.own(t, l, 3_900*n)
				b.add(c.elsewhere, false)
				time.Sleep(20 * time.Minute)
				b.reconcile(t, l)
				batch := quota.Call{Model: "m", Estimate: 5_000 * n}
				day := take(t, l, batch).Settle(quota.Cost{Neurons: 5_000 * n, Basis: quota.Estimated})
				b.add(100*n, true)
				time.Sleep(2 * time.Minute)
				store.away.Store(c.away)
				time.Sleep(2 * quota.Heartbeat)
				l.Correct(batch, day, 5_000*n, quota.Cost{Neurons: 100 * n, Basis: quota.Reported})
				time.Sleep(2 * quota.Heartbeat)
				store.away.Store(false)
				for range 20 {
					time.Sleep(time.Minute)
					b.reconcile(t, l)
					if s := l.Snapshot().Account; s.External != c.elsewhere || s.Used != 4_000*n {
						t.Errorf("%v: %+v", time.Now(), s)
					}
				}
				spend(t, l, 6_000*n-c.elsewhere)
			})
		})
	}
}

// What was billed until some time can only grow. A figure that lacks something,
// or all, takes nothing back, whoever reads it, and releases nothing.
func TestAFigureThatFallsIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		name string
		fell quota.Neurons
		err  error
	}{
		{"as before", 9_590 * n, nil},
		{"but for a fraction", 9_590*n - 3, nil},
		{"a part is missing", 9_000 * n, quota.ErrDropped},
		{"all is missing", 0, quota.ErrDropped},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				store := quota.NewMemory(nil)
				time.Sleep(12 * time.Hour)
				dead := quota.Report{Day: quota.DayOf(time.Now()), Replica: "dead", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 10_000 * n, Min: 40 * n, Want: 40 * n}}}
				if _, err := store.Sync(t.Context(), dead); err != nil {
					t.Fatal(err)
				}
				o := quota.Options{Store: store, Limit: 10_000 * n, Heartbeat: longBeat}
				l := open(t, o)
				time.Sleep(40 * time.Minute)
				read := func(l *quota.Ledger, figure quota.Neurons) error {
					ours, err := l.Reconcile(t.Context(), every, func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return figure, nil })
					if !ours {
						t.Error("another one reads")
					}
					time.Sleep(every)
					return err
				}
				if err := read(l, 9_590*n); err != nil {
					t.Fatal(err)
				}
				first := l.Snapshot()
				if s := first.Account; s.External != 9_550*n || s.Lost != 40*n {
					t.Fatalf("%+v", s)
				}
				if err := l.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				l = open(t, o) // which learns of the figure from the store
				time.Sleep(40 * time.Minute)
				for range 2 {
					if err := read(l, c.fell); !errors.Is(err, c.err) {
						t.Errorf("%v, want %v", err, c.err)
					}
					s := l.Snapshot()
					if s.Account.External != 9_550*n || s.Account.Lost != 40*n || (c.err == nil) != s.FigureAt.After(first.FigureAt) {
						t.Errorf("%+v, until %v", s.Account, s.FigureAt)
					}
				}
				refused(t, l, quota.Call{Estimate: 5_000 * n}, quota.Exhausted)
				if err := read(l, 9_600*n); err != nil || l.Snapshot().Account.External != 9_560*n {
					t.Errorf("%v, %+v", err, l.Snapshot().Account)
				}
				time.Sleep(24 * time.Hour)
				if err := read(l, 7*n); err != nil || l.Snapshot().Account.External != 7*n {
					t.Errorf("the next day: %v, %+v", err, l.Snapshot().Account)
				}
			})
		})
	}
}

// One figure that was far too high must not cost the rest of the day: lower ones
// that last for an hour are believed, unless they lack some of what was settled.
func TestAFigureThatWasTooHighEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads func(minute int) quota.Neurons // after the one that is too high
		after time.Duration                  // until it is believed; 0: never
	}{
		{"it stays lower", func(int) quota.Neurons { return 500 * n }, time.Hour},
		{"it grows", func(minute int) quota.Neurons { return 500*n + quota.Neurons(minute)*n }, time.Hour},
		{"it falls once more", func(minute int) quota.Neurons {
			if minute < 30 {
				return 700 * n
			}
			return 500 * n
		}, 90 * time.Minute},
		{"it lacks what was settled", func(int) quota.Neurons { return 300 * n }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour)
				l := open(t, quota.Options{Limit: 10_000 * n, Heartbeat: longBeat})
				spend(t, l, 400*n)
				time.Sleep(time.Hour)
				read := func(figure quota.Neurons) error {
					_, err := l.Reconcile(t.Context(), every, func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return figure, nil })
					time.Sleep(2 * quota.Heartbeat)
					return err
				}
				if err := read(20_000 * n); err != nil || l.Snapshot().ExhaustedAt.IsZero() {
					t.Fatal(err, l.Snapshot())
				}
				began := time.Now().Add(every - 2*quota.Heartbeat)
				for time.Since(began) < 3*time.Hour {
					time.Sleep(every - 2*quota.Heartbeat)
					passed := time.Since(began)
					err := read(c.reads(int(passed.Minutes())))
					s := l.Snapshot()
					if believed := err == nil; believed != (c.after > 0 && passed >= c.after) || !believed && (!errors.Is(err, quota.ErrDropped) || s.Account.External != 19_600*n) {
						t.Fatalf("after %v: %v, %+v", passed, err, s.Account)
					}
				}
				s := l.Snapshot()
				if want := c.reads(180) - 400*n; c.after > 0 && (s.Account.External < want-5*n || s.Account.External > want || !s.ExhaustedAt.IsZero()) {
					t.Errorf("in the end %v external, want %v, spent at %v", s.Account.External, want, s.ExhaustedAt)
				}
				if c.after > 0 {
					spend(t, l, 9_000*n)
				}
			})
		})
	}
}

// A figure that lacks something now and then is not lower for an hour, though the
// holder that reads it when it does not is another one.
func TestAFigureThatFallsNowAndThenIsNotBelieved(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		o := quota.Options{Store: quota.NewMemory(nil), Limit: 10_000 * n, Heartbeat: sharedBeat}
		l, other := open(t, o), open(t, o)
		read := func(l *quota.Ledger, figure quota.Neurons, want error) {
			t.Helper()
			time.Sleep(15 * time.Minute)
			ours, err := l.Reconcile(t.Context(), every, func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return figure, nil })
			if !ours || !errors.Is(err, want) {
				t.Errorf("%v: %v, %v", time.Now(), ours, err)
			}
		}
		read(l, 900*n, nil)
		for range 3 {
			read(l, 500*n, quota.ErrDropped)
			read(other, 900*n, nil)
			read(other, 900*n, nil)
		}
		if s := l.Snapshot().Account; s.External != 900*n {
			t.Errorf("%+v", s)
		}
	})
}

// What is lost is not released by a figure that lacks some of what was settled,
// such as one that is late.
func TestALateFigureReleasesNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		store := quota.NewMemory(nil)
		dead := quota.Report{Day: quota.DayOf(time.Now()), Replica: "dead", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 1_000 * n, Min: 40 * n, Want: 40 * n}}}
		if _, err := store.Sync(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		l := open(t, quota.Options{Store: store, Limit: 1_000 * n})
		spend(t, l, 100*n)
		time.Sleep(40*time.Minute + 10*time.Second)
		for _, c := range []struct{ figure, lost quota.Neurons }{{0, 40 * n}, {30 * n, 40 * n}, {90 * n, 10 * n}, {100 * n, 0}} {
			_, err := l.Reconcile(t.Context(), every, func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return c.figure, nil })
			time.Sleep(every)
			if s := l.Snapshot().Account; err != nil || s.Lost != c.lost || s.External != 0 {
				t.Errorf("%v billed: %+v, %v; want %v lost", c.figure, s, err, c.lost)
			}
		}
	})
}

// What a holder spends from memory while it alone is cut off is external to the
// others, and for some minutes after its return both spent and external: too
// much, never too little.
func TestAHolderThatWasCutOffCountsTwiceForMinutes(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := quota.NewMemory(nil)
		cut := &unanswered{Store: store}
		o := quota.Options{Store: store, Limit: 10_000 * n, AllowOfflineGrant: true}
		time.Sleep(12 * time.Hour)
		l := open(t, o)
		o.Store = cut
		other := open(t, o)
		time.Sleep(10 * time.Minute)
		cut.away.Store(true)
		for range 40 {
			b.own(t, other, 90*n)
			time.Sleep(15 * time.Second)
		}
		for range 2 {
			time.Sleep(every)
			b.reconcile(t, l)
		}
		if s := l.Snapshot().Account; s.Used != 0 || s.External != 3_600*n {
			t.Errorf("cut off: %+v", s)
		}
		cut.away.Store(false)
		for back := time.Now(); time.Since(back) < 12*time.Minute; time.Sleep(time.Second) {
			if time.Since(back) > 2*quota.Heartbeat {
				if s := l.Snapshot().Account; s.Used != 3_600*n {
					t.Fatalf("back: %+v", s)
				}
			}
			if time.Since(back)%every == every/2 {
				b.reconcile(t, l)
			}
		}
		if s := l.Snapshot().Account; s.Used != 3_600*n || s.External != 0 {
			t.Errorf("twelve minutes later: %+v", s)
		}
	})
}
