package quota_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// What Peek says is left can be reserved, and not a millionth more; to look takes nothing.
func TestPeek(t *testing.T) {
	for _, c := range []struct {
		name      string
		limit     quota.Neurons
		call      quota.Call
		remaining quota.Neurons
		unlimited bool
	}{
		{"the account", 100 * n, quota.Call{}, 60 * n, false},
		{"no limit", 0, quota.Call{}, 0, true},
		{"a client with more than the account", 100 * n, quota.Call{Client: "x", ClientLimit: 90 * n}, 60 * n, false},
		{"a client with less", 100 * n, quota.Call{Client: "x", ClientLimit: 9 * n}, 9 * n, false},
		{"a client with a limit of its month", 100 * n, quota.Call{Client: "x", ClientMonth: 7 * n}, 7 * n, false},
		{"a client of an account without a limit", 0, quota.Call{Client: "x", ClientLimit: 9 * n}, 9 * n, false},
		{"a low priority", 100 * n, quota.Call{Priority: quota.Low}, 40 * n, false},
	} {
		virtually(t, func(t *testing.T) {
			l := open(t, quota.Options{Store: memstore.New(nil), Limit: c.limit})
			take(t, l, quota.Call{Estimate: 30 * n}).Settle(quota.Cost{Neurons: 30 * n})
			held := take(t, l, quota.Call{Estimate: 10 * n})
			defer held.Release()
			d := l.Peek(c.call)
			equal(t, c.name+": remaining", d.Remaining, c.remaining)
			equal(t, c.name+": unlimited", d.Unlimited, c.unlimited)
			equal(t, c.name+": reserved", l.Snapshot().Account.Reserved, 10*n)
			if c.unlimited {
				return
			}
			c.call.Estimate = c.remaining
			take(t, l, c.call).Release()
			c.call.Estimate++
			if res, d, err := l.Reserve(t.Context(), c.call); res != nil || err != nil {
				t.Errorf("%s: got %v, error %v for more than is left, want a refusal", c.name, d.Outcome, err)
			}
		})
	}
}
