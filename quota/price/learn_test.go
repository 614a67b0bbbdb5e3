package price_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

const model = "@cf/meta/llama-3.1-8b-instruct-fp8"

// pupil is an estimator that learns what calls of model cost, as a multiple of
// their bound.
type pupil struct {
	*price.Estimator
	model price.Model
	r     quota.Request
	bound quota.Neurons
}

func newPupil(mode price.Mode) pupil {
	e := price.NewEstimator(nil, mode)
	r := quota.Request{PromptBytes: 936, MaxTokens: 1000}
	return pupil{e, e.Resolve(model), r, e.Estimate(e.Resolve(model), r).Bound}
}

// costs has the estimator learn from n calls.
func (p pupil) costs(n int, ratio func() float64) {
	for range n {
		p.Learn(p.model, price.Estimate{Bound: p.bound}, quota.Neurons(float64(p.bound)*ratio()))
	}
}

func times(f float64) func() float64 { return func() float64 { return f } }

// check wants an estimate between low and high times the bound.
func (p pupil) check(t *testing.T, name string, low, high float64) {
	t.Helper()
	got := p.Estimate(p.model, p.r)
	if got.Bound != p.bound {
		t.Errorf("%s: got a bound of %v, want %v whatever was learned", name, got.Bound, p.bound)
	}
	if ratio := got.Neurons.Float() / p.bound.Float(); ratio < low || ratio > high {
		t.Errorf("%s: got %.4f times the bound, want %v to %v", name, ratio, low, high)
	}
}

func TestLearnABound(t *testing.T) {
	p := newPupil(price.Bound)
	p.costs(1000, times(0.1))
	p.check(t, "below", 1, 1)
	p.costs(1, times(3))
	p.check(t, "one call above", 3, 3.0001)
	p.costs(1, times(1000))
	p.check(t, "absurd, once", 3, 3.0001)

	of := price.Estimate{Bound: p.bound}
	p.Learn(p.Resolve("@cf/other/model"), of, p.bound*9)
	p.Learn(p.model, price.Estimate{}, p.bound)
	p.Learn(p.model, price.Estimate{Bound: p.bound, Foreign: true}, 5*p.bound)
	p.Learn(p.model, of, -1)
	p.check(t, "nonsense", 3, 3.0001)

	p.costs(1, times(20))
	p.check(t, "twice: as much as both agree on", 20, 20.0001)
	p.costs(1, times(2000))
	p.check(t, "no more than this", 100, 100)
}

func TestWhatABoundLearnsIsForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPupil(price.Bound)
		p.costs(1, times(3))
		time.Sleep(11 * time.Hour)
		p.costs(1, times(5))
		p.check(t, "both", 5, 5.0001)
		time.Sleep(2 * time.Hour)
		p.costs(1, times(2))
		p.check(t, "the next span", 5, 5.0001)
		time.Sleep(12 * time.Hour)
		p.check(t, "the span after that", 2, 2.0001)
		time.Sleep(12 * time.Hour)
		p.check(t, "a day later", 1, 1)
		p.costs(1, times(2))
		p.check(t, "learned anew", 2, 2.0001)
		p.costs(1, times(5))
		time.Sleep(30 * time.Hour)
		p.costs(1, times(2))
		p.check(t, "of what is long ago nothing comes back", 2, 2.0001)
	})
}

func TestWhatARecordingSaysOfItselfTeachesNothing(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	whisper := e.Resolve("@cf/openai/whisper")
	for _, r := range []quota.Request{
		{AudioSeconds: 1},
		{AudioBytes: 1000},
		{Parts: []quota.Request{{PromptBytes: 1}, {AudioSeconds: 1}}},
	} {
		before := e.Estimate(whisper, r)
		e.Learn(whisper, before, 9*before.Bound)
		if after := e.Estimate(whisper, r); after != before {
			t.Errorf("%+v: got %+v, want %+v as before", r, after, before)
		}
	}
}
