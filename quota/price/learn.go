package price

import (
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const (
	// maxModels bounds the models that are remembered, and maxFactor what one absurd figure can do.
	maxModels = 512
	maxFactor = 100

	// A ratio above suspectRatio counts only once there is a second one.
	suspectRatio = 10

	// peakSpan is how long the largest ratio holds at least; it holds at most twice as long. Time ends it, not a number
	// of calls: a model whose bound is a hundred times too high may get no more calls.
	peakSpan = 12 * time.Hour
)

// learned is what the costs of former calls show of each model, in bounded
// memory.
type learned struct {
	mu     sync.RWMutex
	models map[string]*ratios
}

// ratios are what calls of one model cost, divided by their bound.
type ratios struct {
	peak       peak
	suspect    float64 // the largest ratio above suspectRatio; 0: none
	correction float64 // by Correct; 0: none
}

// peak is the largest ratio of the present span of peakSpan, and of the span
// before it.
type peak struct {
	now, before float64
	began       time.Time // the present span
}

func (p *peak) raise(ratio float64, at time.Time) {
	if age := at.Sub(p.began); age >= peakSpan {
		p.before, p.now, p.began = p.now, 0, at
		if age >= 2*peakSpan {
			p.before = 0
		}
	}
	p.now = max(p.now, ratio)
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

// Learn takes up what a call of m cost whose cost Workers AI reported and whose
// estimate was of. The first cost above its bound raises the bounds of the model by
// the same ratio, for 12 to 24 hours. A cost above ten times its bound counts only
// once there is a second one. The result is to be kept with the day, for Recall.
func (e *Estimator) Learn(m Model, of Estimate, cost quota.Neurons) quota.Calibration {
	if of.Bound <= 0 || of.Foreign || cost < 0 {
		return quota.Calibration{}
	}
	return e.learned.add(m.Name, float64(cost)/float64(of.Bound), time.Now())
}

func (l *learned) add(model string, ratio float64, now time.Time) (c quota.Calibration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(model)
	if r == nil {
		return c
	}
	if ratio > suspectRatio {
		confirmed := min(r.suspect, ratio)
		r.suspect = max(r.suspect, ratio)
		if ratio = confirmed; ratio == 0 {
			return c
		}
	}
	if ratio > 1 {
		ratio = min(ratio, maxFactor)
		r.peak.raise(ratio, now)
		c.Peak = quota.RatioOf(ratio)
	}
	return c
}

// of returns the ratios of a model, made if need be; nil beyond maxModels.
func (l *learned) of(model string) *ratios {
	r := l.models[model]
	if r != nil || len(l.models) >= maxModels {
		return r
	}
	if l.models == nil {
		l.models = map[string]*ratios{}
	}
	r = &ratios{}
	l.models[model] = r
	return r
}

// factor is what the bound of a model is multiplied by.
func (l *learned) factor(model string) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.models[model]
	if r == nil {
		return 1
	}
	factor := max(1, r.correction)
	if r.peak.began.IsZero() {
		return factor
	}
	return max(factor, r.peak.at(time.Now()))
}

// correction is what a cost by the table is multiplied by; 1 where none is known.
func (l *learned) correction(model string) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if r := l.models[model]; r != nil && r.correction > 0 {
		return r.correction
	}
	return 1
}
