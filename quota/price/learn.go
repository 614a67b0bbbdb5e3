package price

import (
	"math"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const (
	// minSample is how many settled calls of a model its 99th percentile needs. Before, the bound holds.
	minSample = 100

	// maxSample is when all counts are halved, so that the percentile follows a model that changes.
	maxSample = 4096

	// maxModels bounds the models that are remembered, and maxFactor what one absurd figure can do.
	maxModels = 512
	maxFactor = 100

	// A ratio above suspectRatio counts only once there is a second one.
	suspectRatio = 10

	// peakSpan is how long the largest ratio holds at least; it holds at most twice as long. Time ends it, not a number
	// of calls: a model whose bound is a hundred times too high may get no more calls.
	peakSpan = 12 * time.Hour

	// Ratios are counted in steps of 2^(1/4), from 2^-16 to 2^7. A percentile is rounded up to such a step.
	stepsPerDoubling = 4
	lowestStep       = -16 * stepsPerDoubling
	ratioSteps       = (16 + 7) * stepsPerDoubling
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
	usual      float64 // the 99th percentile of former days, until there is a new sample; 0: none
	suspect    float64 // the largest ratio above suspectRatio; 0: none
	correction float64 // by Correct; 0: none
	sample     uint32  // sum of steps
	steps      [ratioSteps]uint32
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
	if r.sample == maxSample {
		r.sample = 0
		for i := range r.steps {
			r.steps[i] /= 2
			r.sample += r.steps[i]
		}
	}
	r.sample++
	r.steps[step(ratio)]++
	if r.sample >= minSample {
		c.Usual = quota.RatioOf(r.percentile(0.99))
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

// step is where a ratio is counted: the first step that is not below it.
func step(ratio float64) int {
	if ratio <= 0 {
		return 0
	}
	s := math.Ceil(math.Log2(ratio)*stepsPerDoubling - 1e-9)
	return int(min(max(s-lowestStep, 0), ratioSteps-1))
}

// factor is what the bound of a model is multiplied by.
func (l *learned) factor(model string, mode Mode) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.models[model]
	if r == nil {
		return 1
	}
	if mode == Expected && r.sample >= minSample {
		return r.percentile(0.99)
	}
	if mode == Expected && r.usual > 0 {
		return r.usual
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

// percentile is the lowest step that at least the share q of all ratios is not
// above.
func (r *ratios) percentile(q float64) float64 {
	need := uint32(math.Ceil(float64(r.sample) * q))
	sum := uint32(0)
	for i, n := range r.steps {
		if sum += n; sum >= need {
			return math.Exp2(float64(i+lowestStep) / stepsPerDoubling)
		}
	}
	return maxFactor
}
