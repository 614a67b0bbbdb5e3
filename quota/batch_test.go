package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A batch that one replica was charged for, or a process that has ended, is corrected by another: what that frees can
// be spent at once, by all of them.
func TestAnotherReplicaCorrectsABatch(t *testing.T) {
	for name, c := range map[string]struct {
		cost, want quota.Neurons
		ends       bool          // the replica that was charged
		after      time.Duration // when it is corrected
		nextDay    bool
	}{
		"less":                             {cost: 20 * n, want: 20 * n, after: time.Minute},
		"less, of a process that ended":    {cost: 20 * n, want: 20 * n, after: time.Minute, ends: true},
		"more":                             {cost: 70 * n, want: 70 * n, after: time.Minute},
		"more, of a process that ended":    {cost: 70 * n, want: 70 * n, after: time.Minute, ends: true},
		"less, before the charge is known": {cost: 20 * n, want: 20 * n},
		"less, on the next day":            {cost: 20 * n, want: 0, after: 2 * time.Minute, nextDay: true, ends: true},
		"more, on the next day": {
			cost: 70 * n, want: 20 * n, after: 2 * time.Minute, nextDay: true, ends: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				o := quota.Options{Limit: 100 * n, Now: before(2 * time.Hour), Wait: time.Minute}
				if c.nextDay {
					o.Now = before(time.Minute)
				}
				o.Store = memstore.New(o.Now)
				a, b := open(t, o), open(t, o)
				call := quota.Call{Model: "m", Client: "x", CountClient: true, Estimate: 50 * n}
				day := take(t, a, call).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
				if _, err := a.KeepBatch(t.Context(), quota.Batch{
					ID: "8f0c", Day: day, Model: "m", Client: "x", Charged: 50 * n,
				}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				if c.ends {
					if err := a.Close(context.Background()); err != nil {
						t.Fatal(err)
					}
					b = open(t, o) // the process that comes after it
				}
				batch, ok, err := b.Batch(t.Context(), "8f0c", true)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "the batch is known", ok, true)
				b.CorrectBatch(call, batch, quota.Cost{Neurons: c.cost, Basis: quota.Reported})
				time.Sleep(time.Minute)
				s := b.Snapshot()
				equal(t, "used of the account", s.Account.Used, c.want)
				equal(t, "used by the client", s.Clients[0].Used, c.want)
				if !c.nextDay {
					record := reported(t, b, c.cost)[0]
					equal(t, "calls", record.Calls, 1)
					equal(t, "estimated", record.Estimated, 0)
				}
				equal(t, "the sum of the hours", published(t, b, s.Day).Until(24*time.Hour), c.want)
				take(t, b, quota.Call{Estimate: 98*n - c.want}).Release()
			})
		})
	}
}

// A batch that was charged here is corrected whole, also where charges of other replicas were corrected here before.
func TestOwnBatchesAreCorrectedBesideOthers(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Limit: 200 * n, Store: memstore.New(nil)}
		l, other := open(t, o), open(t, o)
		call := quota.Call{Model: "m", Client: "x", CountClient: true, Estimate: 50 * n}
		submit := func(l *quota.Ledger, id string) quota.Batch {
			day := take(t, l, call).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
			b, err := l.KeepBatch(t.Context(), quota.Batch{ID: id, Day: day, Model: "m", Client: "x", Charged: 50 * n})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		of, own := submit(other, "other"), submit(l, "own")
		time.Sleep(time.Second)
		for _, b := range []quota.Batch{of, own} {
			l.CorrectBatch(call, b, quota.Cost{Neurons: n, Basis: quota.Reported})
		}
		time.Sleep(time.Minute) // the other one hears of its quiet client now and then
		for name, l := range map[string]*quota.Ledger{"here": l, "there": other} {
			s := l.Snapshot()
			equal(t, name+": used of the account", s.Account.Used, 2*n)
			equal(t, name+": used by the client", s.Clients[0].Used, 2*n)
			reported(t, l, 2*n)
		}
	})
}

// What was corrected is not taken back from a store that has lost the charge.
func TestACorrectionIsLostWithTheCharge(t *testing.T) {
	spied(t, quota.Options{Limit: 100 * n}, func(t *testing.T, s *spy, l *quota.Ledger) {
		call := quota.Call{Model: "m"}
		l.CorrectBatch(call, quota.Batch{Day: l.Snapshot().Day, Model: "m", Charged: 50 * n, Replica: "gone"},
			quota.Cost{Neurons: 20 * n, Basis: quota.Reported})
		time.Sleep(time.Second)
		s.set(func(s *spy) { s.Store = memstore.New(nil) })
		time.Sleep(time.Second)
		spend(t, l, 5*n)
		time.Sleep(time.Second)
		equal(t, "used", l.Snapshot().Account.Used, 5*n)
	})
}

// The replica that was charged takes back no more than it has booked, as Correct does.
func TestTheReplicaThatWasChargedCorrectsABatch(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n})
		day := spendEstimated(t, l, 50*n)
		kept, err := l.KeepBatch(t.Context(), quota.Batch{ID: "8f0c", Model: "m", Charged: 70 * n})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the day of a batch without one", kept.Day, day)
		l.CorrectBatch(quota.Call{Model: "m"}, kept, quota.Cost{Neurons: 10 * n, Basis: quota.Reported})
		s := l.Snapshot()
		equal(t, "used", s.Account.Used, 10*n)
		equal(t, "the record", s.Records[0], quota.Record{Day: day, Model: "m", Calls: 1, Reported: 10 * n})
	})
}

func spendEstimated(t *testing.T, l *quota.Ledger, amount quota.Neurons) quota.Day {
	t.Helper()
	return take(t, l, quota.Call{Model: "m", Estimate: amount}).
		Settle(quota.Cost{Neurons: amount, Basis: quota.Estimated})
}
