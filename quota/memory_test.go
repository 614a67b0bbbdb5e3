package quota_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place {
		m := quota.NewMemory(nil)
		return func(*testing.T) quota.Store { return m }
	})
}

// A process that runs for months forgets the days before the last two.
func TestOlderDaysAreDropped(t *testing.T) {
	m := quota.NewMemory(nil)
	for day := range quota.Day(quota.KeepDays + 2) {
		_, err := m.Sync(t.Context(), quota.Report{
			Day: day, Replica: "a", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Spent: n}},
			Records: []quota.Record{{Model: "m", Reported: n}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	records, err := m.History(t.Context(), 0, 1<<20)
	fails(t, "History", err, nil)
	equal(t, "days in the history", len(records), quota.KeepDays)
	equal(t, "the first of them", records[0].Day, 2)
	sum, err := m.Committed(t.Context(), 0, 1<<20)
	fails(t, "Committed", err, nil)
	equal(t, "neurons of the days that are kept", sum[quota.Account], quota.KeepDays*n)
}
