package quota_test

import (
	"slices"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A client's pot lasts as long as it calls, or a call of it does, and a day more.
func TestPotsOfClientsThatAreGoneAreDropped(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
		l := open(t, quota.Options{Store: store, Limit: 1000 * n})
		calls := func(client string) *quota.Reservation {
			t.Helper()
			return take(t, l, quota.Call{Client: client, ClientLimit: 100 * n, Estimate: 10 * n})
		}
		known := func(when string, want ...quota.Pot) {
			t.Helper()
			var got []quota.Pot
			for _, s := range l.Snapshot().Clients {
				got = append(got, s.Pot)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		gone, stays, long := quota.ClientPot("gone"), quota.ClientPot("stays"), quota.ClientPot("long")
		first := l.Snapshot().Day
		time.Sleep(12 * time.Hour)
		calls("gone").Settle(settle(10 * n))
		calls("stays").Settle(settle(10 * n))
		flying := calls("long")
		time.Sleep(24 * time.Hour)
		known("the next day", gone, stays, long)
		calls("stays").Settle(settle(10 * n))
		time.Sleep(24 * time.Hour)
		known("after a day without a call", stays, long)
		flying.Settle(settle(10 * n))
		if used := budgetOf(l, "long").Used; used != 10*n {
			t.Errorf("a call of two days cost its client %v", used)
		}
		time.Sleep(24 * time.Hour)
		known("nothing is in flight any more")
		calls("gone").Settle(settle(10 * n))
		known("it comes back", gone)
		if used := budgetOf(l, "gone").Used; used != 10*n {
			t.Errorf("it used %v", used)
		}
		past, err := l.History(t.Context(), first, first)
		if err != nil || len(past) != 2 {
			t.Errorf("the first day: %+v, %v", past, err)
		}
	})
}
