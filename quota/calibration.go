package quota

import "math"

// A Ratio is what calls cost, divided by what the price table says, in thousandths; 0 is none.
type Ratio int64

// RatioOf converts f to a Ratio, rounded up.
func RatioOf(f float64) Ratio { return Ratio(math.Ceil(f * 1000)) }

// Float returns r as a factor.
func (r Ratio) Float() float64 { return float64(r) / 1000 }

// A Calibration is what the costs of a model's calls on one day have shown of the price table. Package price learns
// it; the ledger keeps it with the day and shares it.
type Calibration struct {
	Peak  Ratio `json:"peak,omitempty"`  // the largest ratio of cost to bound above 1
	Usual Ratio `json:"usual,omitempty"` // the largest 99th percentile of such ratios
	Paid  Ratio `json:"paid,omitempty"`  // the largest Audited.Ratio
}

// Max returns the larger figures of both.
func (c Calibration) Max(o Calibration) Calibration {
	return Calibration{Peak: max(c.Peak, o.Peak), Usual: max(c.Usual, o.Usual), Paid: max(c.Paid, o.Paid)}
}
