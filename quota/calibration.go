package quota

import "math"

// A Ratio is what calls come to, divided by what was counted for them before, in thousandths; 0 is none.
type Ratio int64

// RatioOf converts f to a Ratio, rounded up.
func RatioOf(f float64) Ratio { return Ratio(math.Ceil(f * 1000)) }

// Float returns r as a factor.
func (r Ratio) Float() float64 { return float64(r) / 1000 }

// A Calibration is what a model's calls on one day have shown of what is counted before they are made. Package price
// learns it; the ledger keeps it with the day and shares it. Each ratio is the largest one above 1.
type Calibration struct {
	Peak   Ratio `json:"peak,omitempty"`   // of costs to what the price table says
	Paid   Ratio `json:"paid,omitempty"`   // Audited.Ratio, also below 1
	Prompt Ratio `json:"prompt,omitempty"` // of tokens of prompts to those that were counted
	Output Ratio `json:"output,omitempty"` // of tokens of answers to the limit that the call set

	// The most tokens of an answer to a call without a limit, where the model documents a default that was passed, and
	// where it documents none; and how many calls of the latter kind there were, up to as many as are enough.
	ByDefault         int64 `json:"by_default,omitempty"`
	Undocumented      int64 `json:"undocumented,omitempty"`
	UndocumentedCalls int64 `json:"undocumented_calls,omitempty"`
}

// Max returns the larger figures of both.
func (c Calibration) Max(o Calibration) Calibration {
	return Calibration{
		Peak: max(c.Peak, o.Peak), Paid: max(c.Paid, o.Paid),
		Prompt: max(c.Prompt, o.Prompt), Output: max(c.Output, o.Output),
		ByDefault: max(c.ByDefault, o.ByDefault), Undocumented: max(c.Undocumented, o.Undocumented),
		UndocumentedCalls: max(c.UndocumentedCalls, o.UndocumentedCalls),
	}
}
