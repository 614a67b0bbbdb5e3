package quota

import (
	"cmp"
	"slices"
	"time"
)

// maxRows bounds what is kept apart by model and client; the rest is Other.
const maxRows = 1000

// Other stands for the models and clients beyond what is kept apart.
const Other = "other"

// tally is what one client spent with one model, today, in this process.
type tally struct {
	Record
	dirty  bool // changed since it was published
	flying int
	ended  time.Time // when the last call was
}

// row returns the row of c, made if need be.
func (l *Ledger) row(c Call) *tally {
	k := recordKey{c.Model, c.Client}
	if r := l.rows[k]; r != nil {
		return r
	}
	if len(l.rows) >= maxRows {
		k = recordKey{Other, Other}
		if r := l.rows[k]; r != nil {
			return r
		}
	}
	r := &tally{Record: Record{Model: k.model, Client: k.client}}
	l.rows[k] = r
	return r
}

func (r *tally) book(n Neurons, b Basis, calls int64) {
	r.Calls += calls
	switch b {
	case Reported:
		r.Reported += n
	case Priced:
		r.Priced += n
	default:
		r.Estimated += n
	}
	r.dirty = true
}

// dirtyRows returns what is to be published and counts it as published.
func (l *Ledger) dirtyRows() (records []Record, rows []*tally) {
	for _, r := range l.rows {
		if r.dirty {
			r.dirty = false
			records = append(records, r.Record)
			rows = append(rows, r)
		}
	}
	return records, rows
}

// rollRows returns all rows of the day and begins them anew.
func (l *Ledger) rollRows() []Record {
	var records []Record
	for k, r := range l.rows {
		if r.Record != (Record{Model: k.model, Client: k.client}) {
			records = append(records, r.Record)
		} else if r.flying == 0 {
			delete(l.rows, k)
			continue
		}
		r.Record, r.dirty = Record{Model: k.model, Client: k.client}, false
	}
	return records
}

// ownRecords returns the rows of today, sorted by model and client.
func (l *Ledger) ownRecords() []Record {
	records := make([]Record, 0, len(l.rows))
	for _, r := range l.rows {
		rec := r.Record
		rec.Day = l.day
		if rec.Calls != 0 || rec.Neurons() != 0 {
			records = append(records, rec)
		}
	}
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Client, b.Client))
	})
	return records
}
