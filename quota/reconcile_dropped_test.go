package quota_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A batch is charged with its bound and corrected to what it cost. That the sum of what was settled drops by it must
// not be taken for neurons that the store has forgotten: nobody else spent them.
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
				store := &unanswered{Store: memstore.New(nil)}
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
					want := quota.Status{Used: 4_000 * n, External: c.elsewhere}
					figures(t, time.Now().String(), l.Snapshot().Account, want)
				}
				spend(t, l, 6_000*n-c.elsewhere)
			})
		})
	}
}

// What was billed until some time can only grow. A figure that lacks something, or all, takes nothing back, whoever
// reads it, and releases nothing.
func TestAFigureThatDropsIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name    string
		dropped quota.Neurons
		err     error
	}{
		{"as before", 9_590 * n, nil},
		{"but for a fraction", 9_590*n - 3, nil},
		{"a part is missing", 9_000 * n, quota.ErrDropped},
		{"all is missing", 0, quota.ErrDropped},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				store := memstore.New(nil)
				time.Sleep(12 * time.Hour)
				dies(t, store, 10_000*n)
				o := quota.Options{Store: store, Limit: 10_000 * n, Heartbeat: longBeat}
				l := open(t, o)
				time.Sleep(40 * time.Minute)
				read := func(l *quota.Ledger, figure quota.Neurons) error {
					err := reads(t, l, figure)
					time.Sleep(every)
					return err
				}
				fails(t, "the first figure", read(l, 9_590*n), nil)
				first := l.Snapshot()
				was := quota.Status{External: 9_550 * n, Lost: 40 * n}
				figures(t, "at first", first.Account, was)
				if err := l.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				l = open(t, o) // which learns of the figure from the store
				time.Sleep(40 * time.Minute)
				for range 2 {
					fails(t, "a lower figure", read(l, c.dropped), c.err)
					s := l.Snapshot()
					figures(t, "after a lower figure", s.Account, was)
					equal(t, "the figure is a later one", s.FigureAt.After(first.FigureAt), c.err == nil)
				}
				refused(t, l, quota.Call{Estimate: 5_000 * n}, quota.Exhausted)
				fails(t, "a higher figure", read(l, 9_600*n), nil)
				equal(t, "external by a higher figure", l.Snapshot().Account.External, 9_560*n)
				time.Sleep(24 * time.Hour)
				fails(t, "the next day's figure", read(l, 7*n), nil)
				equal(t, "external the next day", l.Snapshot().Account.External, 7*n)
			})
		})
	}
}

// reads lets l read a figure.
func reads(t *testing.T, l *quota.Ledger, figure quota.Neurons) error {
	t.Helper()
	read := func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return figure, nil }
	ours, err := l.Reconcile(t.Context(), every, read)
	equal(t, "this replica reads", ours, true)
	return err
}

// A figure that was far too high, twice, must not cost the rest of the day: lower ones that last for an hour are taken,
// unless they lack some of what was settled.
func TestAFigureThatWasTooHighEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads func(minute int) quota.Neurons // after the one that is too high
		after time.Duration                  // until it is taken; 0: never
	}{
		{"it stays lower", func(int) quota.Neurons { return 500 * n }, time.Hour},
		{"it grows", func(minute int) quota.Neurons { return 500*n + quota.Neurons(minute)*n }, time.Hour},
		{"it drops once more", func(minute int) quota.Neurons {
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
					err := reads(t, l, figure)
					time.Sleep(2 * quota.Heartbeat)
					return err
				}
				fails(t, "a figure", read(400*n), nil)
				time.Sleep(every)
				fails(t, "a figure that is too high", read(20_000*n), quota.ErrUnconfirmed)
				time.Sleep(time.Minute)
				fails(t, "a second one", read(20_000*n), nil)
				equal(t, "the day is not found spent", l.Snapshot().ExhaustedAt.IsZero(), false)
				began := time.Now().Add(every - 2*quota.Heartbeat)
				for time.Since(began) < 3*time.Hour {
					time.Sleep(every - 2*quota.Heartbeat)
					passed := time.Since(began)
					err := read(c.reads(int(passed.Minutes())))
					if c.after > 0 && passed >= c.after {
						fails(t, fmt.Sprint("after ", passed), err, nil)
					} else {
						fails(t, fmt.Sprint("after ", passed), err, quota.ErrDropped)
						equal(t, "external", l.Snapshot().Account.External, 19_600*n)
					}
				}
				if c.after > 0 {
					s, want := l.Snapshot(), c.reads(180)-400*n
					within(t, "external in the end", s.Account.External, want-5*n, want)
					sameTime(t, "exhausted at", s.ExhaustedAt, time.Time{})
					spend(t, l, 9_000*n)
				}
			})
		})
	}
}

// A figure that lacks something now and then is not lower for an hour, though the replica that reads it when it does
// not is another one.
func TestAFigureThatDropsNowAndThenIsNotTaken(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		o := quota.Options{Store: memstore.New(nil), Limit: 10_000 * n, Heartbeat: sharedBeat}
		l, other := open(t, o), open(t, o)
		read := func(l *quota.Ledger, figure quota.Neurons, want error) {
			t.Helper()
			time.Sleep(15 * time.Minute)
			fails(t, time.Now().String(), reads(t, l, figure), want)
		}
		read(l, 900*n, nil)
		read(l, 900*n, nil)
		for range 3 {
			read(l, 500*n, quota.ErrDropped)
			read(other, 900*n, nil)
			read(other, 900*n, nil)
		}
		equal(t, "external", l.Snapshot().Account.External, 900*n)
	})
}

// What is lost is not released by a figure that lacks some of what was settled, such as one that is late.
func TestALateFigureReleasesNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		store := memstore.New(nil)
		dies(t, store, 1_000*n)
		l := open(t, quota.Options{Store: store, Limit: 1_000 * n})
		spend(t, l, 100*n)
		time.Sleep(40*time.Minute + 10*time.Second)
		for _, c := range []struct{ figure, lost quota.Neurons }{
			{0, 40 * n}, {30 * n, 40 * n}, {90 * n, 10 * n}, {100 * n, 0},
		} {
			fails(t, "Reconcile", reads(t, l, c.figure), nil)
			time.Sleep(every)
			figures(t, fmt.Sprint(c.figure, " billed"), l.Snapshot().Account, quota.Status{Used: 100 * n, Lost: c.lost})
		}
	})
}

// What a replica spends by offline grants while it alone is cut off is external to the others, and for some minutes
// after its return both spent and external: too much, never too little.
func TestAReplicaThatWasCutOffCountsTwiceForMinutes(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := memstore.New(nil)
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
		figures(t, "cut off", l.Snapshot().Account, quota.Status{External: 3_600 * n})
		cut.away.Store(false)
		for back := time.Now(); time.Since(back) < 12*time.Minute; time.Sleep(time.Second) {
			if time.Since(back) > 2*quota.Heartbeat {
				equal(t, "used once it is back", l.Snapshot().Account.Used, 3_600*n)
			}
			if time.Since(back)%every == every/2 {
				b.reconcile(t, l)
			}
		}
		figures(t, "twelve minutes later", l.Snapshot().Account, quota.Status{Used: 3_600 * n})
	})
}
