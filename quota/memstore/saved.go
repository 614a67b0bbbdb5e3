package memstore

import (
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Saved is what a store keeps over a restart. Replicas of the process that ends do not live on: it has their sums.
type Saved struct {
	Block  quota.Block
	Leases map[string]time.Time // name to end
	Days   []*SavedDay          // in order of their dates; a day that has not changed is the same pointer as before
}

// A SavedDay is one day of Saved, over all replicas. It is not changed once made.
type SavedDay struct {
	Day      quota.Day
	External quota.External
	Budgets  map[quota.Budget]BudgetSum
	Records  []quota.Record // sorted by model and client
	Hours    quota.Hours    // of the last two days
	Price    quota.DayPrice
	Batches  map[string]quota.Batch // by id
}

// A BudgetSum is how one budget of a day stands. What is held after a restart is lost: it may have been spent.
type BudgetSum struct {
	Limit quota.Neurons `json:"limit"`
	Spent quota.Neurons `json:"spent"`
	Held  quota.Neurons `json:"held"`
}

// recordKey tells the records of a day apart.
type recordKey struct{ model, client string }

func (s *state) saved() *Saved {
	all := &Saved{Block: s.block, Leases: maps.Clone(s.leases)}
	for _, d := range slices.Sorted(maps.Keys(s.days)) {
		day := s.days[d]
		if day.saved == nil {
			day.saved = &SavedDay{
				Day: d, External: day.external, Budgets: day.budgets(), Records: day.records(d), Hours: day.hours(),
				Price: day.past.Price, Batches: maps.Clone(day.batches),
			}
		}
		all.Days = append(all.Days, day.saved)
	}
	return all
}

func (d *dayState) budgets() map[quota.Budget]BudgetSum {
	sum := map[quota.Budget]BudgetSum{}
	maps.Copy(sum, d.past.Budgets)
	for _, replica := range d.replicas {
		for b, row := range replica.rows {
			sum[b] = BudgetSum{Limit: row.Limit, Spent: sum[b].Spent + row.Spent, Held: sum[b].Held + row.Held}
		}
	}
	for b, of := range sum {
		of.Spent = max(of.Spent, 0) // a batch may be corrected before its charge is reported
		sum[b] = of
	}
	return sum
}

// records returns the records of a day over all replicas, sorted by model and client.
func (d *dayState) records(day quota.Day) []quota.Record {
	sum := map[recordKey]quota.Record{}
	add := func(r quota.Record) {
		k := recordKey{r.Model, r.Client}
		o := sum[k]
		sum[k] = quota.Record{
			Day: day, Model: r.Model, Client: r.Client, Calls: r.Calls + o.Calls,
			Reported: r.Reported.Add(o.Reported), Priced: r.Priced.Add(o.Priced),
			Estimated: r.Estimated.Add(o.Estimated), Silent: r.Silent + o.Silent, Table: r.Table.Add(o.Table),
			Calibration: r.Calibration.Max(o.Calibration),
		}
	}
	for _, r := range d.past.Records {
		add(r)
	}
	for _, replica := range d.replicas {
		for _, r := range replica.records {
			add(r)
		}
	}
	return slices.SortedFunc(maps.Values(sum), quota.CompareRecords)
}

// history is quota.Store.History.
func (s *state) history(from, to quota.Day) []quota.Record {
	var all []quota.Record
	for _, d := range slices.Sorted(maps.Keys(s.days)) {
		if d >= from && d <= to {
			all = append(all, s.days[d].records(d)...)
		}
	}
	return all
}

// committed is quota.Store.Committed.
func (s *state) committed(from, to quota.Day) quota.ByDay {
	all := quota.ByDay{}
	for d, day := range s.days {
		if d < from || d > to {
			continue
		}
		sum := map[quota.Budget]quota.Neurons{}
		for b, of := range day.budgets() {
			sum[b] = sum[b].Add(of.Spent).Add(of.Held)
			if b == quota.Account {
				sum[b] = sum[b].Add(less(day.external, of.Held))
			}
		}
		all[d] = sum
	}
	return all
}

func (d *dayState) hours() quota.Hours {
	sum := d.past.Hours
	for _, replica := range d.replicas {
		sum = sum.Plus(replica.hours)
	}
	return sum
}
