package price

import (
	"cmp"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Correct tells the estimator what the account's own figure showed of calls of a
// model whose cost the wire does not say: ratio times what the table makes of
// them. From then on they cost that, and are bounded by no less.
func (e *Estimator) Correct(model string, ratio float64) {
	if !(ratio >= quota.MinAuditRatio && ratio <= quota.MaxAuditRatio) {
		return
	}
	l := &e.learnt
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.of(model); r != nil {
		r.paid = ratio
	}
}

// RecallCorrections takes up of records what Correct was told, by other processes or by
// former ones.
func (e *Estimator) RecallCorrections(records []quota.Record) {
	last := map[string]quota.Record{} // by model
	for _, rec := range records {
		if was, ok := last[rec.Model]; rec.Paid > 0 && rec.Model != quota.Other && (!ok || rec.Day > was.Day || rec.Day == was.Day && rec.Paid > was.Paid) {
			last[rec.Model] = rec
		}
	}
	for model, rec := range last {
		e.Correct(model, float64(rec.Paid)/1000)
	}
}

// Recall takes up what was learnt on former days, or by former processes today,
// as their records tell. It counts for as long as if it had been learnt at the
// end of its day.
func (e *Estimator) Recall(records []quota.Record) {
	e.RecallCorrections(records)
	l := &e.learnt
	l.mu.Lock()
	defer l.mu.Unlock()
	usual := map[string]quota.Record{} // of the last day, by model
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b quota.Record) int { return cmp.Compare(a.Day, b.Day) })
	for _, rec := range records {
		if rec.Calibration == (quota.Calibration{}) || rec.Model == quota.Other {
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
		if peak := min(float64(rec.Peak)/1000, mostFactor); peak > 1 {
			r.peak.raise(peak, at)
		}
		if was := usual[rec.Model]; rec.Usual > 0 && (rec.Day > was.Day || rec.Usual > was.Usual) {
			usual[rec.Model] = rec
			r.usual = min(float64(rec.Usual)/1000, mostFactor)
		}
	}
}
