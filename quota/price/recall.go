package price

import (
	"cmp"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Correct takes up what the account's own figure has shown of calls of a model
// whose cost Workers AI does not report: they cost ratio times what the table says.
// From then on they are counted as that, and are bounded by no less. Ratios that an
// audit would discard are ignored.
func (e *Estimator) Correct(model string, ratio float64) {
	lowest := quota.MinAuditRatio
	if !e.Resolve(model).Known {
		lowest = quota.MinUnpricedRatio
	}
	if !(ratio >= lowest && ratio <= quota.MaxAuditRatio) {
		return
	}
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.of(model); r != nil {
		r.correction = ratio
	}
}

// RecallCorrections takes up the corrections that records hold, of other replicas
// or of former processes: of each model those of the last day.
func (e *Estimator) RecallCorrections(records []quota.Record) {
	last := map[string]quota.Record{} // by model
	for _, rec := range records {
		if rec.Paid <= 0 || rec.Model == quota.Other {
			continue
		}
		was, ok := last[rec.Model]
		if !ok || rec.Day > was.Day || rec.Day == was.Day && rec.Paid > was.Paid {
			last[rec.Model] = rec
		}
	}
	for model, rec := range last {
		e.Correct(model, rec.Paid.Float())
	}
}

// Recall takes up what records hold of what was learned on former days, or by
// other processes today. It holds as long as if it had been learned at the end of
// its day.
func (e *Estimator) Recall(records []quota.Record) {
	e.RecallCorrections(records)
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b quota.Record) int { return cmp.Compare(a.Day, b.Day) })
	for _, rec := range records {
		if rec.Peak <= 0 || rec.Model == quota.Other {
			continue
		}
		r := l.of(rec.Model)
		if r == nil {
			continue
		}
		at := rec.Day.End()
		if now := time.Now(); at.After(now) {
			at = now
		}
		if peak := min(rec.Peak.Float(), maxFactor); peak > 1 {
			r.peak.raise(peak, at)
		}
	}
}
