package memstore_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place {
		m := memstore.New(nil)
		return func(*testing.T) quota.Store { return m }
	})
}

// A process that runs for months forgets the days before the last two.
func TestOlderDaysAreDropped(t *testing.T) {
	m := memstore.New(nil)
	for day := range quota.Day(quota.KeepDays + 2) {
		_, err := m.Sync(t.Context(), quota.Report{
			Day: day, Replica: "a", Seq: 1,
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Spent: quota.OneNeuron}},
			Records:  []quota.Record{{Model: "m", Reported: quota.OneNeuron}},
			Hours:    []quota.HourSpent{{Hour: 3, Spent: quota.OneNeuron}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	withHours := 0
	for day := range quota.Day(quota.KeepDays + 2) {
		if hours, err := m.Hours(t.Context(), day); err != nil {
			t.Fatal(err)
		} else if hours != (quota.Hours{}) {
			withHours++
		}
	}
	if withHours != 3 {
		t.Errorf("got hours of %d days, want those of the last 3", withHours)
	}
	records, err := m.History(t.Context(), 0, 1<<20)
	if err != nil || len(records) != quota.KeepDays {
		t.Fatalf("History: got %d days, %v, want %d", len(records), err, quota.KeepDays)
	}
	if got, want := records[0].Day, quota.Day(2); got != want {
		t.Errorf("the first day of the history: got %v, want %v", got, want)
	}
	sum, err := m.Committed(t.Context(), 0, 1<<20)
	if got, want := sum.Sum()[quota.Account], quota.KeepDays*quota.OneNeuron; err != nil || got != want {
		t.Errorf("Committed: got %v neurons of the account, %v, want %v", got, err, want)
	}
}
