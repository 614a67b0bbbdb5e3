package price

import (
	"math"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const (
	// enoughSeen is how many settled calls of a model a 99th percentile needs; before, the bound holds.
	enoughSeen = 100

	// halveAt is when what was seen is halved, so that it follows a model that changes.
	halveAt = 4096

	// mostLearnt bounds the models that are remembered, and mostFactor what one absurd figure can do.
	mostLearnt = 512
	mostFactor = 100

	// A ratio above suspectRatio counts only once another one is seen.
	suspectRatio = 10

	// peakKept is how long the largest ratio counts at least; at most it is twice as long. Time decides, not calls: a model whose
	// bound is a hundred times too high may get no more calls through.
	peakKept = 12 * time.Hour

	// Ratios are kept in steps of 2^(1/4), which a percentile is rounded up by, from 2^-16 to 2^7.
	stepsADouble = 4
	lowestStep   = -16 * stepsADouble
	ratioSteps   = (16 + 7) * stepsADouble
)

// learnt is how far calls were from their bound, by model, in bounded memory.
type learnt struct {
	mu     sync.RWMutex
	models map[string]*ratios
}

// ratios counts settled / bound of one model.
type ratios struct {
	peak    peak
	usual   float64 // the 99th percentile that was kept, until enough is seen anew; 0: none was
	suspect float64 // the largest above suspectRatio; 0: none
	paid    float64 // what calls cost whose cost the wire does not say, by what the table makes of them; 0: not known
	seen    uint32
	steps   [ratioSteps]uint32
}

// peak is the largest ratio of late: of the present span of peakKept, and of the
// one before.
type peak struct {
	now, before float64
	began       time.Time // the present span
}

func (p *peak) raise(ratio float64, at time.Time) {
	if age := at.Sub(p.began); age >= peakKept {
		p.before, p.now, p.began = p.now, 0, at
		if age >= 2*peakKept {
			p.before = 0
		}
	}
	p.now = max(p.now, ratio)
}

// at is the peak by a time; 0: none.
func (p *peak) at(at time.Time) float64 {
	switch age := at.Sub(p.began); {
	case age < peakKept:
		return max(p.now, p.before)
	case age < 2*peakKept:
		return p.now
	}
	return 0
}

// Learn tells the estimator what a call cost whose cost Workers AI reported and
// whose estimate it was. From the first call on that cost more than its bound,
// the bound of its model is so much larger, for half a day at least and a day at
// most. A cost beyond ten times the bound is believed when it is seen twice. What
// is returned is to be kept, for Recall.
func (e *Estimator) Learn(m Model, of Estimate, cost quota.Neurons) quota.Calibration {
	if of.Bound <= 0 || of.Foreign || cost < 0 {
		return quota.Calibration{}
	}
	return e.learnt.add(m.Name, float64(cost)/float64(of.Bound), time.Now())
}

func (l *learnt) add(model string, ratio float64, now time.Time) (c quota.Calibration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(model)
	if r == nil {
		return c
	}
	if ratio > suspectRatio {
		believed := min(r.suspect, ratio)
		r.suspect = max(r.suspect, ratio)
		if ratio = believed; ratio == 0 {
			return c
		}
	}
	if ratio > 1 {
		ratio = min(ratio, mostFactor)
		r.peak.raise(ratio, now)
		c.Peak = quota.RatioOf(ratio)
	}
	if r.seen == halveAt {
		r.seen = 0
		for i := range r.steps {
			r.steps[i] /= 2
			r.seen += r.steps[i]
		}
	}
	r.seen++
	r.steps[step(ratio)]++
	if r.seen >= enoughSeen {
		c.Usual = quota.RatioOf(r.percentile(0.99))
	}
	return c
}

// of returns what is known of model, made if need be; nil beyond mostLearnt.
func (l *learnt) of(model string) *ratios {
	r := l.models[model]
	if r != nil || len(l.models) >= mostLearnt {
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
	s := math.Ceil(math.Log2(ratio)*stepsADouble - 1e-9)
	return int(min(max(s-lowestStep, 0), ratioSteps-1))
}

// factor is what the bound of a model is multiplied by.
func (l *learnt) factor(model string, mode Mode) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.models[model]
	if r == nil {
		return 1
	}
	if mode == Expected && r.seen >= enoughSeen {
		return r.percentile(0.99)
	}
	if mode == Expected && r.usual > 0 {
		return r.usual
	}
	most := max(1, r.paid)
	if r.peak.began.IsZero() {
		return most
	}
	return max(most, r.peak.at(time.Now()))
}

// paid is what the table's word on a call of a model is multiplied by.
func (l *learnt) paid(model string) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if r := l.models[model]; r != nil && r.paid > 0 {
		return r.paid
	}
	return 1
}

// percentile is the least step that the share q of what was seen does not pass.
func (r *ratios) percentile(q float64) float64 {
	need := uint32(math.Ceil(float64(r.seen) * q))
	sum := uint32(0)
	for i, n := range r.steps {
		if sum += n; sum >= need {
			return math.Exp2(float64(i+lowestStep) / stepsADouble)
		}
	}
	return mostFactor
}
