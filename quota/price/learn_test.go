package price_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

const model = "@cf/meta/llama-3.1-8b-instruct-fp8"

// pupil is an estimator that learns what calls of model cost, as a multiple of
// their bound.
type pupil struct {
	*price.Estimator
	model price.Model
	r     workload.Request
	bound quota.Neurons
}

func newPupil(mode price.Mode) pupil {
	e := price.NewEstimator(nil, mode)
	r := workload.Request{PromptBytes: 936, MaxTokens: 1000}
	return pupil{e, e.Resolve(model), r, e.Estimate(e.Resolve(model), r).Bound}
}

// costs has the estimator learn from n calls.
func (p pupil) costs(n int, ratio float64) {
	for range n {
		p.Learn(p.model, p.r, price.Estimate{Bound: p.bound}, price.Told{Neurons: p.bound.Float() * ratio})
	}
}

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

func TestLearnAPrice(t *testing.T) {
	p := newPupil(price.Bound)
	p.costs(1000, 0.1)
	p.check(t, "below", 1, 1)
	p.costs(1, 3)
	p.check(t, "one call above", 3, 3.0001)
	p.costs(1, 1000)
	p.check(t, "absurd, once", 3, 3.0001)

	of := price.Estimate{Bound: p.bound}
	p.Learn(p.Resolve("@cf/other/model"), p.r, of, price.Told{Neurons: p.bound.Float() * 9})
	p.Learn(p.model, p.r, price.Estimate{}, price.Told{Neurons: p.bound.Float()})
	p.Learn(p.model, p.r, price.Estimate{Bound: p.bound, Foreign: true}, price.Told{Neurons: 5 * p.bound.Float()})
	p.Learn(p.model, p.r, of, price.Told{Neurons: -1})
	p.Learn(p.model, workload.Request{PromptBytes: 936}, of, price.Told{Neurons: p.bound.Float() * 9})
	p.check(t, "nonsense, and an answer that nothing limits", 3, 3.0001)

	p.costs(1, 20)
	p.check(t, "twice: as much as both agree on", 20, 20.0001)
	p.costs(1, 2000)
	p.check(t, "no more than this", 100, 100)
}

// Where tokens are reported, only a cost above their price says that the price is wrong.
func TestLearnAPriceByTokens(t *testing.T) {
	for _, c := range []struct {
		name string
		told price.Told
		want float64
	}{
		{"more tokens than estimated", price.Told{Neurons: 200, Input: 10_000, Output: 10_000}, 1},
		{"at their price", price.Told{Neurons: 399.06, Input: 10_000, Output: 10_000}, 1},
		{"at twice their price", price.Told{Neurons: 798.12, Input: 10_000, Output: 10_000}, 2},
		{
			"at thrice their price, and half as many as estimated",
			price.Told{Neurons: 3 * 10, Input: 500, Output: 119},
			1.4658,
		},
		{"without the tokens of the answer", price.Told{Neurons: 399.06, Input: 10_000}, 1},
	} {
		p := newPupil(price.Tight)
		r := workload.Request{PromptBytes: 936} // nothing else is learned of it that its estimate rests on
		p.Learn(p.model, r, p.Estimate(p.model, r), c.told)
		p.check(t, c.name, c.want*0.999, c.want*1.001)
	}
}

func TestWhatAPriceShowsIsForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPupil(price.Bound)
		p.costs(1, 3)
		time.Sleep(11 * time.Hour)
		p.costs(1, 5)
		p.check(t, "both", 5, 5.0001)
		time.Sleep(2 * time.Hour)
		p.costs(1, 2)
		p.check(t, "the next span", 5, 5.0001)
		time.Sleep(12 * time.Hour)
		p.check(t, "the span after that", 2, 2.0001)
		time.Sleep(12 * time.Hour)
		p.check(t, "a day later", 1, 1)
		p.costs(1, 2)
		p.check(t, "learned anew", 2, 2.0001)
		p.costs(1, 5)
		time.Sleep(30 * time.Hour)
		p.costs(1, 2)
		p.check(t, "of what is long ago nothing comes back", 2, 2.0001)
	})
}

func TestWhatARecordingSaysOfItselfTeachesNothing(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	whisper := e.Resolve("@cf/openai/whisper")
	for _, r := range []workload.Request{
		{AudioSeconds: 1},
		{AudioBytes: 1000},
		{Parts: []workload.Request{{PromptBytes: 1}, {AudioSeconds: 1}}},
	} {
		before := e.Estimate(whisper, r)
		e.Learn(whisper, r, before, price.Told{Neurons: 9 * before.Bound.Float()})
		if after := e.Estimate(whisper, r); after != before {
			t.Errorf("%+v: got %+v, want %+v as before", r, after, before)
		}
	}
}

// Models of which a default is documented (256 tokens), and of which none is.
const glm = "@cf/zai-org/glm-4.7-flash" // 5,500 and 36,400 a million tokens

// Each cause makes those calls dearer that it concerns, and no others.
func TestLearnTokens(t *testing.T) {
	const prompt = 936 // and 64 of its template
	limited := workload.Request{PromptBytes: 10 * prompt, PromptTokens: prompt, MaxTokens: 1000}
	open := workload.Request{PromptBytes: 10 * prompt, PromptTokens: prompt}
	responses := workload.Request{PromptBytes: 10 * prompt, PromptTokens: prompt, NoDefault: true}
	type estimates struct{ limited, open, responses [2]int64 } // tokens of the prompt and of the answer
	asBefore := estimates{[2]int64{1000, 1000}, [2]int64{1000, 256}, [2]int64{1000, 16_384}}
	change := func(f func(e *estimates)) estimates { e := asBefore; f(&e); return e }
	for _, c := range []struct {
		name  string
		calls int
		r     workload.Request
		told  price.Told
		want  estimates
	}{
		{"as estimated", 1, limited, price.Told{Input: 1000, Output: 1000}, asBefore},
		{"less than estimated", 30, open, price.Told{Input: 10, Output: 10}, asBefore},
		{
			"a prompt of more tokens", 1, limited,
			price.Told{Input: 1500, Output: 10},
			change(func(e *estimates) { e.limited[0], e.open[0], e.responses[0] = 1468, 1468, 1468 }),
		},
		{
			"an absurd prompt", 1, limited,
			price.Told{Input: 1e9, Output: 10},
			change(func(e *estimates) { e.limited[0], e.open[0], e.responses[0] = 1936, 1936, 1936 }),
		},
		{
			"an answer above its limit", 1, limited,
			price.Told{Input: 10, Output: 1500},
			change(func(e *estimates) { e.limited[1] = 1500 }),
		},
		{
			"an absurd answer", 1, limited,
			price.Told{Input: 10, Output: 1e9},
			change(func(e *estimates) { e.limited[1] = 5000 }),
		},
		{
			"an answer above the documented default", 1, open,
			price.Told{Input: 10, Output: 1000},
			change(func(e *estimates) { e.open[1] = 1500 }),
		},
		{"too few answers where none is documented", 19, responses, price.Told{Input: 10, Output: 1000}, asBefore},
		{
			"enough answers where none is documented", 20, responses,
			price.Told{Input: 10, Output: 1000},
			change(func(e *estimates) { e.responses[1] = 1500 }),
		},
		{
			"enough short answers", 20, responses,
			price.Told{Input: 10, Output: 1},
			change(func(e *estimates) { e.responses[1] = 256 }),
		},
		{
			"one long answer where none is documented", 1, responses,
			price.Told{Input: 10, Output: 14_000},
			change(func(e *estimates) { e.responses[1] = 21_000 }),
		},
		{
			"an answer as long as the context window", 1, responses,
			price.Told{Input: 10, Output: 30_000},
			change(func(e *estimates) { e.responses[1] = 32_000 }),
		},
		{
			"a limit that upstream may not know", 1,
			workload.Request{PromptTokens: prompt, MaxTokens: 10, MayIgnoreLimit: true},
			price.Told{Output: 2000},
			asBefore,
		},
		{
			"no limit at all", 1,
			workload.Request{PromptTokens: prompt, MaxTokens: 10, OddLimit: true},
			price.Told{Output: 2000},
			asBefore,
		},
		{
			"several answers", 1,
			workload.Request{PromptTokens: prompt, MaxTokens: 1000, Answers: 3},
			price.Told{Output: 3000},
			asBefore,
		},
		{"a prompt that was not counted", 1, workload.Request{MaxTokens: 9}, price.Told{Input: 5000}, asBefore},
		{
			"of a batch", 1,
			workload.Request{PromptTokens: 1, Parts: make([]workload.Request, 2)},
			price.Told{Input: 5000},
			asBefore,
		},
	} {
		e := price.NewEstimator(nil, price.Tight)
		m := e.Resolve(model)
		for range c.calls {
			e.Learn(m, c.r, e.Estimate(m, c.r), c.told)
		}
		for name, call := range map[string]struct {
			r    workload.Request
			want [2]int64
		}{
			"limited": {limited, c.want.limited}, "open": {open, c.want.open},
			"Responses": {responses, c.want.responses},
		} {
			got, want := e.Estimate(m, call.r).Neurons, m.Tokens(call.want[0], 0, call.want[1])
			if diff := got - want; diff < -20_000 || diff > 20_000 {
				t.Errorf("%s: got %v for a %s call, want %v", c.name, got, name, want)
			}
		}
	}
}

// An answer that is a few tokens above a tiny limit makes calls with a large one hardly dearer. The next call with the
// tiny one has what it may need.
func TestATinyLimitThatIsPassed(t *testing.T) {
	e := price.NewEstimator(nil, price.Tight)
	m := e.Resolve("@cf/openai/gpt-oss-120b")
	call := func(maxTokens int64) workload.Request {
		return workload.Request{PromptBytes: 100, PromptTokens: 10, MaxTokens: maxTokens}
	}
	before := e.Estimate(m, call(4000)).Neurons
	e.Learn(m, call(1), e.Estimate(m, call(1)), price.Told{Input: 10, Output: 5})
	if got := e.Estimate(m, call(4000)).Neurons; got < before || got > before+before/50 {
		t.Errorf("a call with a limit of 4,000 tokens: got %v, want %v or 2 %% more at most", got, before)
	}
	got, want := e.Estimate(m, call(1)).Neurons, m.Tokens(74, 0, 5)
	if diff := got - want; diff < -20_000 || diff > 20_000 {
		t.Errorf("a call with a limit of 1 token: got %v, want %v", got, want)
	}
}

// What calls without a limit have shown holds for half a day, and then the next one may be of any length again.
func TestUndocumentedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := price.NewEstimator(nil, price.Tight)
		m := e.Resolve(glm)
		r := workload.Request{PromptBytes: 1, PromptTokens: 1}
		output := func() int64 {
			return int64((e.Estimate(m, r).Neurons.Float() - 65*0.0055) / 0.0364)
		}
		wantOutput := func(when string, want int64) {
			t.Helper()
			if got := output(); got < want-1 || got > want+1 {
				t.Errorf("%s: got %d tokens of an answer, want %d", when, got, want)
			}
		}
		wantOutput("at first", 16_384)
		for range 20 {
			e.Learn(m, r, e.Estimate(m, r), price.Told{Input: 10, Output: 1000})
		}
		wantOutput("after 20 calls", 1500)
		time.Sleep(11 * time.Hour)
		wantOutput("11 hours later", 1500)
		time.Sleep(14 * time.Hour)
		wantOutput("a day later", 16_384)
		e.Learn(m, r, e.Estimate(m, r), price.Told{Input: 10, Output: 1000})
		wantOutput("after one more call", 16_384)
	})
}

// What prompts have shown is halved each hour, and counts again with the next call that shows it.
func TestPromptsFade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := price.NewEstimator(nil, price.Tight)
		m := e.Resolve(model)
		r := workload.Request{PromptBytes: 10_000, PromptTokens: 1000 - 64, MaxTokens: 1}
		wantInput := func(when string, want float64) {
			t.Helper()
			if got := (e.Estimate(m, r).Neurons.Float()-0.026128)/0.013778 - 64; got < want-2 || got > want+2 {
				t.Errorf("%s: got %.1f tokens of a prompt, want %v", when, got, want)
			}
		}
		wantInput("at first", 936)
		e.Learn(m, r, e.Estimate(m, r), price.Told{Input: 1500, Output: 1})
		wantInput("at once", 936*1.5)
		time.Sleep(time.Hour)
		wantInput("an hour later", 936*1.25)
		e.Learn(m, r, e.Estimate(m, r), price.Told{Input: 1100, Output: 1})
		wantInput("after a call that shows less", 936*1.25)
		time.Sleep(time.Hour)
		e.Learn(m, r, e.Estimate(m, r), price.Told{Input: 1500, Output: 1})
		wantInput("after a call that shows it again", 936*1.5)
		time.Sleep(24 * time.Hour)
		wantInput("a day later", 936)
	})
}

// What is remembered is bounded, whatever models are called.
func TestLearnedModelsAreBounded(t *testing.T) {
	e := price.NewEstimator(nil, price.Tight)
	r := workload.Request{Task: workload.TextGeneration, PromptBytes: 100, MaxTokens: 10}
	told := price.Told{Input: 10, Output: 15}
	last := quota.Calibration{}
	for i := range 600 {
		m := e.Resolve(fmt.Sprintf("@cf/new/model-%d", i))
		m.Task = workload.TextGeneration
		last = e.Learn(m, r, e.Estimate(m, r), told)
	}
	if last != (quota.Calibration{}) {
		t.Errorf("got %+v learned of the 600th model, want nothing", last)
	}
}
