package price_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// Whatever a call says, its estimate is positive and bounded, and saying more
// never makes it cheaper.
func TestEstimatesAreSane(t *testing.T) {
	const minNeurons, maxNeurons = quota.OneNeuron / 1000, 1_000_000_000 * quota.OneNeuron
	e := price.NewEstimator(nil, price.Bound)
	rng := rand.New(rand.NewPCG(1, 2))
	size := func() int64 {
		switch rng.IntN(4) {
		case 0:
			return 0
		case 1:
			return math.MaxInt64 >> rng.IntN(64)
		case 2:
			return -rng.Int64()
		}
		return rng.Int64N(100_000)
	}
	for _, name := range append(price.Embedded().Models(), "@cf/new/model") {
		model := e.Resolve(name)
		for range 200 {
			r := workload.Request{
				PromptBytes: size(), Texts: size(), MaxTokens: size(), Answers: size(),
				Images: size(), MakeImages: size(), Width: size(), Height: size(), Steps: size(),
				AudioSeconds: float64(size()), AudioBytes: size(), Characters: size(), Calls: size(), Unseen: size(),
			}
			got := e.Estimate(model, r).Neurons
			if got < minNeurons || got > maxNeurons {
				t.Fatalf("%s: %+v: got %v, want between %v and %v", name, r, got, minNeurons, maxNeurons)
			}
			more := r
			for _, field := range []*int64{
				&more.PromptBytes, &more.Texts, &more.MaxTokens, &more.Answers, &more.Images, &more.MakeImages,
				&more.Width, &more.Height, &more.Steps, &more.Calls, &more.Unseen,
			} {
				if *field > 0 && *field < math.MaxInt64/2 {
					*field *= 2
				}
			}
			more.OddLimit, more.MayIgnoreLimit, more.NoDefault = true, true, true
			if larger := e.Estimate(model, more).Neurons; larger < got {
				t.Fatalf("%s: got %v of %+v, want at least the %v of %+v", name, larger, more, got, r)
			}
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := workload.Request{AudioSeconds: bad, AudioBytes: 1000}
		if got := e.Estimate(e.Resolve("@cf/openai/whisper"), r).Neurons; got < minNeurons {
			t.Errorf("%v seconds: got %v, want at least %v", bad, got, minNeurons)
		}
	}
}

// The bound of every model is at least what its tokens can cost.
func TestTheBoundHolds(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, name := range price.Embedded().Models() {
		model := e.Resolve(name)
		for range 100 {
			r := workload.Request{
				PromptBytes: rng.Int64N(20_000), MaxTokens: 1 + rng.Int64N(5000), AudioSeconds: 1 + 100*rng.Float64(),
			}
			u := workload.Usage{
				HasTokens: true, Input: rng.Int64N(r.PromptBytes + 65), Output: rng.Int64N(r.MaxTokens + 1),
				HasAudio: true, AudioSeconds: r.AudioSeconds,
			}
			if model.Task == workload.TextGeneration && model.ContextWindow > 0 { // a model reads no more
				u.Input, u.Output = min(u.Input, model.ContextWindow), min(u.Output, model.ContextWindow)
			}
			cost, ok := e.Cost(model, u)
			if model.Task == workload.TextToSpeech { // whose audio is not in the request
				continue
			}
			if estimate := e.Estimate(model, r); ok && estimate.Known && cost.Neurons > estimate.Neurons {
				t.Fatalf("%s: %+v: got a cost of %v, want at most the estimate, %v", name, u, cost.Neurons,
					estimate.Neurons)
			}
		}
	}
}

func TestTheTableMayBeReplaced(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	table, err := price.Parse([]byte(`{
		"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 10000,
		"models": {"@cf/a/b": {
			"task": "text-generation", "input_tokens_per_m": 1000, "output_tokens_per_m": 2000,
			"default_output_tokens": 256
		}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	before := e.Resolve("@cf/a/b")
	e.SetTable(table)
	if e.Table() != table {
		t.Errorf("got the table as of %s, want that which was set, as of %s", e.Table().AsOf(), table.AsOf())
	}
	got := e.Estimate(e.Resolve("@cf/a/b"), workload.Request{PromptBytes: 936})
	if want := quota.Neurons(1_000_000 + 2*256_000); got.Neurons != want || !got.Known {
		t.Errorf("got %v (known %v), want %v of a known model", got.Neurons, got.Known, want)
	}
	if got := e.Estimate(before, workload.Request{PromptBytes: 936}); got.Known {
		t.Errorf("resolved before the table was replaced: got %+v, want an unknown model", got)
	}
}
