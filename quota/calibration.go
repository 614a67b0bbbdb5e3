package quota

import (
	"math"
	"slices"
	"time"
)

// Ratio is what calls cost divided by the bound that the price table gives, in
// thousandths; 0 is none.
type Ratio int64

// ratioOf rounds up.
func ratioOf(f float64) Ratio { return Ratio(math.Ceil(f * 1000)) }

// Calibration is how far the costs of a model were from their bounds on a day.
type Calibration struct {
	Peak  Ratio `json:"peak,omitempty"`  // the largest above 1
	Usual Ratio `json:"usual,omitempty"` // the largest 99th percentile
	Paid  Ratio `json:"paid,omitempty"`  // the largest of Audit.Ratio
}

// Max returns the larger figures of both.
func (c Calibration) Max(o Calibration) Calibration {
	return Calibration{Peak: max(c.Peak, o.Peak), Usual: max(c.Usual, o.Usual), Paid: max(c.Paid, o.Paid)}
}

// Calibrate keeps with the call's day what Estimator.Learn returned of it.
func (r *Reservation) Calibrate(c Calibration) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if c = c.Max(r.row.Calibration); c != r.row.Calibration {
		r.row.Calibration, r.row.dirty = c, true
	}
}

// Pays tells the estimator what the account's own figure showed of calls of a
// model whose cost the wire does not say: ratio times what the table makes of
// them. From then on they cost that, and are bounded by no less.
func (e *Estimator) Pays(model string, ratio float64) {
	if !(ratio >= leastPaid && ratio <= mostPaid) {
		return
	}
	l := &e.learnt
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.of(model); r != nil {
		r.paid = ratio
	}
}

// RecallPaid takes up of records what Pays was told, by other processes or by
// former ones.
func (e *Estimator) RecallPaid(records []Record) {
	last := map[string]Record{} // by model
	for _, rec := range records {
		if was, ok := last[rec.Model]; rec.Paid > 0 && rec.Model != Other && (!ok || rec.Day > was.Day || rec.Day == was.Day && rec.Paid > was.Paid) {
			last[rec.Model] = rec
		}
	}
	for model, rec := range last {
		e.Pays(model, float64(rec.Paid)/1000)
	}
}

// Recall takes up what was learnt on former days, or by former processes today,
// as their records tell. It counts for as long as if it had been learnt at the
// end of its day.
func (e *Estimator) Recall(records []Record) {
	e.RecallPaid(records)
	l := &e.learnt
	l.mu.Lock()
	defer l.mu.Unlock()
	usual := map[string]Record{} // of the last day, by model
	for _, rec := range sortRecords(slices.Clone(records)) {
		if rec.Calibration == (Calibration{}) || rec.Model == Other {
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
