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
}

// Max returns the larger figures of both.
func (c Calibration) Max(o Calibration) Calibration {
	return Calibration{Peak: max(c.Peak, o.Peak), Usual: max(c.Usual, o.Usual)}
}

// Calibrate keeps with the call's day what Estimator.Learn returned of it.
func (r *Reservation) Calibrate(c Calibration) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if c = c.Max(r.row.Calibration); c != r.row.Calibration {
		r.row.Calibration, r.row.dirty = c, true
	}
}

// Recall takes up what was learnt on former days, or by former processes today,
// as their records tell. It counts for as long as if it had been learnt at the
// end of its day.
func (e *Estimator) Recall(records []Record) {
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
