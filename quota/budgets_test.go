package quota_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A client's budget is kept as long as the client calls, or a call of it lasts, and a day more.
func TestBudgetsOfUnusedClientsAreDropped(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		// Most of the time only the clock passes: a ledger's heartbeats of days take a minute.
		var skipped atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(skipped.Load())) }
		l := open(t, quota.Options{Store: store, Limit: 1000 * n, Now: now})
		pass := func(d time.Duration) {
			time.Sleep(time.Minute)
			skipped.Add(int64(d - 2*time.Minute))
			time.Sleep(time.Minute)
		}
		calls := func(client string) *quota.Reservation {
			t.Helper()
			return take(t, l, quota.Call{Client: client, ClientLimit: 100 * n, Estimate: 10 * n})
		}
		known := func(when string, want ...quota.Budget) {
			t.Helper()
			var got []quota.Budget
			for _, s := range l.Snapshot().Clients {
				got = append(got, s.Budget)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got the budgets %v, want %v", when, got, want)
			}
		}
		gone, stays, long := quota.ClientBudget("gone"), quota.ClientBudget("stays"), quota.ClientBudget("long")
		first := l.Snapshot().Day
		pass(12 * time.Hour)
		calls("gone").Settle(settle(10 * n))
		calls("stays").Settle(settle(10 * n))
		inFlight := calls("long")
		pass(24 * time.Hour)
		known("the next day", gone, stays, long)
		calls("stays").Settle(settle(10 * n))
		pass(24 * time.Hour)
		known("after a day without a call", stays, long)
		inFlight.Settle(settle(10 * n))
		equal(t, "used by a call of two days", budgetOf(l, "long").Used, 10*n)
		pass(24 * time.Hour)
		known("nothing is in flight any more")
		calls("gone").Settle(settle(10 * n))
		known("it comes back", gone)
		equal(t, "used by the client that came back", budgetOf(l, "gone").Used, 10*n)
		past, err := l.History(t.Context(), first, first)
		if err != nil || len(past) != 2 {
			t.Errorf("the first day: got %+v, %v, want two records", past, err)
		}
	})
}
