package price

import "time"

// peakSpan is how long a peak holds at least; it holds at most twice as long. Time ends it, not a number of calls: a
// model whose bound is a hundred times too high may get no more calls.
const peakSpan = 12 * time.Hour

// peak is the largest value of the present span of peakSpan, and of the span
// before it.
type peak struct {
	now, before float64
	began       time.Time // the present span
}

func (p *peak) raise(v float64, at time.Time) {
	if age := at.Sub(p.began); age >= peakSpan {
		p.before, p.now, p.began = p.now, 0, at
		if age >= 2*peakSpan {
			p.before = 0
		}
	}
	p.now = max(p.now, v)
}

// at is the peak that holds at a time; 0: none.
func (p *peak) at(at time.Time) float64 {
	switch age := at.Sub(p.began); {
	case age < peakSpan:
		return max(p.now, p.before)
	case age < 2*peakSpan:
		return p.now
	}
	return 0
}
