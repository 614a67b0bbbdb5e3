package status

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/quota"
)

// A History is the answer of /status/history: days up to today, the newest first, with those on which nothing was
// spent.
type History struct {
	Days []PastDay `json:"days"`
}

// A PastDay is what one day cost.
type PastDay struct {
	Day       quota.Day    `json:"day"`
	Calls     int64        `json:"calls"`
	Neurons   Neurons      `json:"neurons"`
	Reported  Neurons      `json:"reported"`
	Priced    Neurons      `json:"priced"`
	Estimated Neurons      `json:"estimated"`
	Beyond    Neurons      `json:"beyond"` // external and lost: what the account may have spent beyond Neurons
	USD       bill.Dollars `json:"usd"`    // of Neurons and Beyond
	Models    []Spending   `json:"models"`
	Clients   []Spending   `json:"clients"`

	records []quota.Record
	bill    dayBill
}

// Days that /status/history shows.
const (
	DefaultDays = 7
	MaxDays     = quota.KeepDays
)

// History returns the last days, today among them. The error is the store's.
func (s *Source) History(ctx context.Context, days int) (History, error) {
	h := History{Days: []PastDay{}}
	if s.Ledger == nil {
		return h, nil
	}
	last := s.Ledger.Snapshot().Day
	records, err := s.Ledger.History(ctx, last-quota.Day(days)+1, last)
	if err != nil {
		return h, err
	}
	var past []bill.Day // before the last
	if days > 1 {
		if past = s.Book.Past(ctx, last); past == nil {
			return h, quota.ErrStore
		}
	}
	for i := range days {
		day := last - quota.Day(i)
		var those []quota.Record
		for _, r := range records {
			if r.Day == day {
				those = append(those, r)
			}
		}
		of := bill.Day{Price: s.Book.Price(ctx, last)}
		if i > 0 {
			of = past[len(past)-i]
		} else if now := s.Ledger.Snapshot(); now.Day == day {
			of.Spent = Counted(now.Account)
		}
		h.Days = append(h.Days, pastDay(day, those, of))
	}
	return h, nil
}

// pastDay adds up the records of a day.
func pastDay(day quota.Day, records []quota.Record, of bill.Day) PastDay {
	b := newDayBill(of.Price, of.Spent, records)
	d := PastDay{
		Day: day, Models: b.sum(records, byModel), Clients: b.sum(records, byClient),
		USD: b.price.Dollars(bill.Paid(b.whole)), records: records, bill: b,
	}
	for _, m := range d.Models {
		d.Calls += m.Calls
		d.Neurons += m.Neurons
		d.Reported += m.Reported
		d.Priced += m.Priced
		d.Estimated += m.Estimated
	}
	d.Beyond = Neurons(b.whole) - d.Neurons
	return d
}

func byModel(r quota.Record) string  { return r.Model }
func byClient(r quota.Record) string { return r.Client }

// sum adds records up by name, the largest first.
func (b dayBill) sum(records []quota.Record, name func(quota.Record) string) []Spending {
	at := map[string]int{}
	all := []Spending{}
	for _, r := range records {
		i, ok := at[name(r)]
		if !ok {
			i = len(all)
			at[name(r)] = i
			all = append(all, Spending{Name: name(r)})
		}
		s := &all[i]
		s.Calls += r.Calls
		s.Neurons += Neurons(r.Neurons())
		s.Reported += Neurons(r.Reported)
		s.Priced += Neurons(r.Priced)
		s.Estimated += Neurons(r.Estimated)
	}
	for i := range all {
		all[i].USD = b.of(quota.Neurons(all[i].Neurons))
	}
	slices.SortFunc(all, func(a, b Spending) int {
		return cmp.Or(cmp.Compare(b.Neurons, a.Neurons), strings.Compare(a.Name, b.Name))
	})
	return all
}

func shares(records []quota.Record) BasisShares {
	var reported, priced, estimated float64
	for _, r := range records {
		reported += r.Reported.Float()
		priced += r.Priced.Float()
		estimated += r.Estimated.Float()
	}
	whole := reported + priced + estimated
	if whole <= 0 {
		return BasisShares{}
	}
	share := func(part float64) float64 { return math.Round(part/whole*1e4) / 1e4 }
	return BasisShares{share(reported), share(priced), share(estimated)}
}
