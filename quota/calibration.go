package quota

import "math"

// Ratio is what calls cost divided by the bound that the price table gives, in
// thousandths; 0 is none.
type Ratio int64

// RatioOf rounds up.
func RatioOf(f float64) Ratio { return Ratio(math.Ceil(f * 1000)) }

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
