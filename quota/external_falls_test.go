package quota_test

import (
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
