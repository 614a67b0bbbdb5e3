package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A day that was spent and blocked is as new, here and in the store, but for calls in flight.
func TestRestart(t *testing.T) {
	virtually(t, func(t *testing.T) {
		client := quota.Call{Model: "m", Client: "c", ClientLimit: 60 * n, Estimate: 50 * n}
		o := quota.Options{Limit: 100 * n, Now: before(12 * time.Hour)}
		o.Store = memstore.New(o.Now)
		l := open(t, o)
		for cost, basis := range map[quota.Neurons]quota.Basis{
			16 * n: quota.Reported, 15 * n: quota.Priced, 18 * n: quota.Estimated,
		} {
			take(t, l, quota.Call{Model: "m", Estimate: cost}).Settle(quota.Cost{Neurons: cost, Basis: basis})
		}
		take(t, l, client).Settle(settle(50 * n))
		inFlight := take(t, l, quota.Call{Model: "m", Estimate: n})
		refused(t, l, client, quota.Exhausted)
		equal(t, "found spent", l.Snapshot().ExhaustedAt.IsZero(), false)
		l.Block(time.Time{})
		l.Restart()

		s := l.Snapshot()
		figures(t, "the account", s.Account, quota.Status{Reserved: n})
		figures(t, "the client", s.Clients[0], quota.Status{})
		equal(t, "blocked", s.Block.Set, false)
		equal(t, "expected to be spent", s.ExhaustedAt, time.Time{})
		take(t, l, client).Settle(settle(50 * n))
		inFlight.Settle(settle(n))
		equal(t, "the hours", published(t, l, s.Day), quota.Hours{12: 51 * n})
		records, err := l.History(t.Context(), s.Day, s.Day)
		fails(t, "history", err, nil)
		var sum quota.Neurons
		for _, r := range records {
			sum += r.Neurons()
		}
		equal(t, "the records", sum, 51*n)
	})
}
