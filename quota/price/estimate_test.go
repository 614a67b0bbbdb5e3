package price_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

func micro(neurons float64) quota.Neurons { return quota.FromFloat(neurons) }

func TestEstimate(t *testing.T) {
	const (
		llama = "@cf/meta/llama-3.1-8b-instruct-fp8" // 13,778 and 26,128 a million tokens
		flux  = "@cf/black-forest-labs/flux-1-schnell"
	)
	for _, c := range []struct {
		name  string
		model string
		r     quota.Request
		want  quota.Neurons
	}{
		{"text: bytes are tokens, and max_tokens", llama, quota.Request{PromptBytes: 936, MaxTokens: 1000}, micro(13.778 + 26.128)},
		{"text without max_tokens", llama, quota.Request{PromptBytes: 936}, micro(13.778 + 2048*0.026128)},
		{"text without max_tokens, of a model that publishes none", "@cf/zai-org/glm-4.7-flash", quota.Request{PromptBytes: 936}, micro(5.5 + 2048*0.0364)},
		{"three answers", llama, quota.Request{PromptBytes: 936, MaxTokens: 1000, Answers: 3}, micro(13.778 + 3*26.128)},
		{"nonsense counts as nothing", llama, quota.Request{PromptBytes: -5, MaxTokens: -1, Answers: -1, Images: -2}, micro(64*0.013778 + 2048*0.026128)},
		{"an image to a language model", "@cf/meta/llama-3.2-11b-vision-instruct", quota.Request{PromptBytes: 936, Images: 1, MaxTokens: 100}, micro(7404*0.00441 + 6.1493)},
		{"a recording to a language model", llama, quota.Request{PromptBytes: 936, AudioSeconds: 60, MaxTokens: 1000}, micro(4*13.778 + 26.128)},
		{"a recording of unknown length to a language model", llama, quota.Request{PromptBytes: 936, AudioBytes: 59 * 750, MaxTokens: 1000}, micro(4*13.778 + 26.128)},
		{"free output", "@cf/cloudflare/clef", quota.Request{PromptBytes: 936, MaxTokens: 1e6}, micro(21.818)},
		{"embeddings", "@cf/baai/bge-m3", quota.Request{PromptBytes: 1e6 - 64, Texts: 10}, micro(1075)},
		{"a reranker reads the query with each context", "@cf/baai/bge-reranker-base", quota.Request{PromptBytes: 936, Texts: 100}, micro(52200 * 0.000283)},
		{"translation", "@cf/meta/m2m100-1.2b", quota.Request{PromptBytes: 936}, micro(2 * 31.05)},
		{"an image of a megapixel, as it was measured", flux, quota.Request{PromptBytes: 100}, micro(172.8)},
		{"its largest steps", flux, quota.Request{Steps: 500}, micro(4 * (4.8 + 8*9.6))},
		{"the default image of Lucid Origin, as it was measured", "@cf/leonardo/lucid-origin", quota.Request{}, micro(3904.6875)},
		{"the default image of Phoenix, as it was measured", "@cf/leonardo/phoenix-1.0", quota.Request{}, micro(3120)},
		{"four megapixels", "@cf/leonardo/phoenix-1.0", quota.Request{Width: 2048, Height: 2048, Steps: 50}, micro(16 * (530 + 50*10))},
		{"two images", flux, quota.Request{MakeImages: 2}, micro(2 * 172.8)},
		{"tiles are rounded up", "@cf/black-forest-labs/flux-2-klein-4b", quota.Request{Width: 1025, Height: 1024}, micro(6 * 26.05)},
		{"but not where they were measured", flux, quota.Request{Width: 1280, Height: 1024, Steps: 4}, micro(5 * (4.8 + 4*9.6))},
		{"a size and steps that the model may ignore", flux, quota.Request{Width: 1, Height: 1, Steps: 1}, micro(172.8)},
		{"unknown steps", "@cf/black-forest-labs/flux-2-dev", quota.Request{}, micro(4 * 37.5 * 50)},
		{"with an image given", "@cf/black-forest-labs/flux-2-dev", quota.Request{Images: 1, Steps: 25}, micro(4*37.5*25 + 4*18.75*25)},
		{"with small images given, and one of unknown size", "@cf/black-forest-labs/flux-2-dev", quota.Request{Images: 3, Sized: 2, SizedTiles: quota.InputTiles(512, 512) + quota.InputTiles(513, 100), Steps: 25}, micro(4*37.5*25 + (1+2+4)*18.75*25)},
		{"with large images given", "@cf/black-forest-labs/flux-2-dev", quota.Request{Images: 1, Sized: 1, SizedTiles: quota.InputTiles(9000, 9000), Steps: 25}, micro(4*37.5*25 + 4*18.75*25)},
		{"more of known size than there are", "@cf/black-forest-labs/flux-2-dev", quota.Request{Sized: 1, SizedTiles: 4, Steps: 25}, micro(4 * 37.5 * 25)},
		{"by the tile", "@cf/black-forest-labs/flux-2-klein-4b", quota.Request{Images: 2}, micro(4*26.05 + 2*4*5.37)},
		{"by the megapixel", "@cf/black-forest-labs/flux-2-klein-9b", quota.Request{Width: 2048, Height: 1024, Images: 1}, micro(1363.64 + 181.82 + 181.82)},
		{"an image to be classified", "@cf/microsoft/resnet-50", quota.Request{PromptBytes: 1e6}, micro(0.228055)},
		{"speech of known length", "@cf/openai/whisper", quota.Request{AudioSeconds: 90, AudioBytes: 1e9}, micro(41.14 * 1.5)},
		{"speech of unknown length", "@cf/openai/whisper", quota.Request{AudioBytes: 750 * 59}, micro(41.14)},
		{"speech that is live", "@cf/deepgram/nova-3", quota.Request{AudioSeconds: 60, Live: true}, micro(836.36)},
		{"only live", "@cf/deepgram/flux", quota.Request{AudioSeconds: 60}, micro(700)},
		{"voice activity, at the larger of two prices", "@cf/pipecat-ai/smart-turn-v2", quota.Request{AudioSeconds: 60}, micro(30.73)},
		{"speaking, by characters", "@cf/deepgram/aura-1", quota.Request{Characters: 500, PromptBytes: 9999}, micro(681.82)},
		{"speaking, by the minute", "@cf/myshell-ai/melotts", quota.Request{Characters: 59 * 8}, micro(18.63)},
		{"an alias pays its target's price", "@cf/moonshotai/kimi-k2.5", quota.Request{PromptBytes: 936, MaxTokens: 1000}, micro(86.364 + 363.636)},
		{"an unknown model is the dearest that still answers", "@cf/new/model", quota.Request{PromptBytes: 936, MaxTokens: 1000}, micro(127.273 + 400)},
		{"an unknown model that is told steps makes images", "@cf/new/model", quota.Request{PromptBytes: 936, Steps: 20}, micro(1120 * 1120 / (512. * 512) * (636 + 20*12))},
		{"an unknown model that is told a number of images", "@cf/new/model", quota.Request{PromptBytes: 936, MakeImages: 1}, micro(4 * 37.5 * 50)},
		{"an unknown model that is told a number of answers", "@cf/new/model", quota.Request{PromptBytes: 936, MaxTokens: 1000, MakeImages: 2, Answers: 2}, micro(45.17 + 2*443.756)},
		{"an unknown model whose name tells of images", "@cf/new/Image-9", quota.Request{PromptBytes: 936}, micro(4 * 37.5 * 50)},
		{"a beta that is not billed", "@cf/stabilityai/Stable-Diffusion-xl-base-1.0", quota.Request{PromptBytes: 936, Steps: 20}, quota.OneNeuron / 1000},
		{"an unknown model that is sent sound", "@cf/new/model", quota.Request{AudioSeconds: 60}, micro(700)},
		{"an unknown model that is sent nothing but an image", "@cf/new/model", quota.Request{Images: 1}, micro((64+6404)*0.027273 + 2048*0.090909)},
		{"an unknown model whose name tells of speaking", "@cf/new/tts-1", quota.Request{PromptBytes: 9000, Characters: 9000, MaxTokens: 1}, micro(9 * 2727.27)},
		{"an unknown embedding model", "@cf/new/model", quota.Request{Task: quota.TextEmbeddings, PromptBytes: 936}, micro(18.582)},
		{"a task without a table", "@cf/new/model", quota.Request{Task: "object-detection"}, quota.OneNeuron / 1000},
		{"a batch", llama, quota.Request{PromptBytes: 1e9, Parts: []quota.Request{{PromptBytes: 936, MaxTokens: 1000}, {PromptBytes: 936, MaxTokens: 1000}}}, micro(2 * (13.778 + 26.128))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := price.NewEstimator(nil, price.Bound).Estimate(price.Embedded().Resolve(c.model), c.r)
			if diff := got.Neurons - c.want; diff < -2 || diff > 2 {
				t.Errorf("%v, want %v", got.Neurons.Float(), c.want.Float())
			}
			_, listed := price.Embedded().Row(c.model)
			if got.Bound != got.Neurons || got.Known != listed {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Whatever a call says, its estimate is positive and bounded, and saying more
// never makes it cheaper.
func TestEstimatesAreSane(t *testing.T) {
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
	for _, model := range append(price.Embedded().Models(), "@cf/new/model") {
		for range 200 {
			r := quota.Request{
				PromptBytes: size(), Texts: size(), MaxTokens: size(), Answers: size(), Images: size(), MakeImages: size(),
				Width: size(), Height: size(), Steps: size(), AudioSeconds: float64(size()), AudioBytes: size(), Characters: size(),
			}
			got := e.Estimate(e.Resolve(model), r).Neurons
			if got < quota.OneNeuron/1000 || got > 1_000_000_000*quota.OneNeuron {
				t.Fatalf("%+v: %v", r, got)
			}
			more := r
			for _, field := range []*int64{&more.PromptBytes, &more.Texts, &more.MaxTokens, &more.Answers, &more.Images, &more.MakeImages, &more.Width, &more.Height, &more.Steps} {
				if *field > 0 && *field < math.MaxInt64/2 {
					*field *= 2
				}
			}
			if e.Estimate(e.Resolve(model), more).Neurons < got {
				t.Fatalf("%+v: %v; %+v: %v", r, got, more, e.Estimate(e.Resolve(model), more).Neurons)
			}
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := e.Estimate(e.Resolve("@cf/openai/whisper"), quota.Request{AudioSeconds: bad, AudioBytes: 1000}).Neurons; got < quota.OneNeuron/1000 {
			t.Errorf("%v seconds: %v", bad, got)
		}
	}
}

// The bound of every model is at least what its tokens can cost.
func TestTheBoundHolds(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, model := range price.Embedded().Models() {
		for range 100 {
			r := quota.Request{PromptBytes: rng.Int64N(20_000), MaxTokens: 1 + rng.Int64N(5000), AudioSeconds: 1 + 100*rng.Float64()}
			u := quota.Usage{
				HasTokens: true, Input: rng.Int64N(r.PromptBytes + 65), Output: rng.Int64N(r.MaxTokens + 1),
				HasAudio: true, AudioSeconds: r.AudioSeconds,
			}
			if c, ok := e.Cost(e.Resolve(model), u); ok && c.Neurons > e.Estimate(e.Resolve(model), r).Neurons && e.Estimate(e.Resolve(model), r).Known {
				if p, _ := price.Embedded().Row(model); p.Task != quota.TextToSpeech { // whose audio is not in the request
					t.Fatalf("%s: %+v costs %v, estimated %v", model, u, c.Neurons, e.Estimate(e.Resolve(model), r).Neurons)
				}
			}
		}
	}
}

func TestCost(t *testing.T) {
	const llama, whisper = "@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/openai/whisper"
	e := price.NewEstimator(nil, price.Bound)
	for _, c := range []struct {
		name  string
		model string
		u     quota.Usage
		want  quota.Cost
		ok    bool
	}{
		{"reported before all else", llama, quota.Usage{HasNeurons: true, Neurons: 1.5, HasTokens: true, Input: 1e6}, quota.Cost{Neurons: micro(1.5)}, true},
		{"reported zero is zero", llama, quota.Usage{HasNeurons: true, HasTokens: true, Input: 1e6}, quota.Cost{}, true},
		{"reported of an unknown model", "@cf/new/model", quota.Usage{HasNeurons: true, Neurons: 2}, quota.Cost{Neurons: micro(2)}, true},
		{"tokens", llama, quota.Usage{HasTokens: true, Input: 1000, Output: 1000}, quota.Cost{Neurons: micro(13.778 + 26.128), Basis: quota.Priced}, true},
		{"cached tokens are cheaper", "@cf/zai-org/glm-5.2", quota.Usage{HasTokens: true, Input: 1000, Cached: 900}, quota.Cost{Neurons: micro(12.7273 + 21.2724), Basis: quota.Priced}, true},
		{"tokens of a model that is billed otherwise", whisper, quota.Usage{HasTokens: true, Input: 1000}, quota.Cost{}, false},
		{"audio", whisper, quota.Usage{HasAudio: true, AudioSeconds: 30}, quota.Cost{Neurons: micro(20.57), Basis: quota.Priced}, true},
		{"images, as they are bounded", "@cf/black-forest-labs/flux-1-schnell", quota.Usage{HasImages: true, Images: 1}, quota.Cost{Neurons: micro(172.8), Basis: quota.Priced}, true},
		{"images of documented defaults", "@cf/leonardo/phoenix-1.0", quota.Usage{HasImages: true, Images: 1}, quota.Cost{Neurons: micro(3120), Basis: quota.Priced}, true},
		{"an image of which all is said", "@cf/black-forest-labs/flux-2-dev", quota.Usage{HasImages: true, Width: 512, Height: 512, Steps: 10}, quota.Cost{Neurons: micro(375), Basis: quota.Priced}, true},
		{"an image in steps that nobody said", "@cf/black-forest-labs/flux-2-dev", quota.Usage{HasImages: true, Width: 512, Height: 512}, quota.Cost{Neurons: micro(37.5 * 50), Basis: quota.Estimated}, true},
		{"an image given whose size nobody said", "@cf/black-forest-labs/flux-2-klein-4b", quota.Usage{HasImages: true, Given: 1}, quota.Cost{Neurons: micro(4*26.05 + 4*5.37), Basis: quota.Estimated}, true},
		{"an image given of known size", "@cf/black-forest-labs/flux-2-klein-4b", quota.Usage{HasImages: true, Given: 1, Sized: 1, SizedTiles: 1}, quota.Cost{Neurons: micro(4*26.05 + 5.37), Basis: quota.Priced}, true},
		{"an image that could not be measured", "@cf/black-forest-labs/flux-2-klein-4b", quota.Usage{HasImages: true, Assumed: true}, quota.Cost{Neurons: micro(4 * 26.05), Basis: quota.Estimated}, true},
		{"tokens of an alias, at its target's price", "@cf/moonshotai/kimi-k2.5", quota.Usage{HasTokens: true, Input: 1000, Output: 1000}, quota.Cost{Neurons: micro(86.364 + 363.636), Basis: quota.Priced}, true},
		{"nothing was said", llama, quota.Usage{Input: 5}, quota.Cost{}, false},
		{"tokens of an unknown model", "@cf/new/model", quota.Usage{HasTokens: true, Input: 1000}, quota.Cost{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want.Basis != quota.Reported {
				c.want.Table = c.want.Neurons
			}
			if got, ok := e.Cost(e.Resolve(c.model), c.u); got != c.want || ok != c.ok {
				t.Errorf("%+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestLearn(t *testing.T) {
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	r := quota.Request{PromptBytes: 936, MaxTokens: 1000}
	bound := price.NewEstimator(nil, price.Bound).Estimate(price.Embedded().Resolve(model), r).Bound
	of := price.Estimate{Bound: bound}
	ratio := func(e *price.Estimator) float64 {
		got := e.Estimate(e.Resolve(model), r)
		if got.Bound != bound {
			t.Errorf("what was learnt changes the bound: %v", got.Bound)
		}
		return got.Neurons.Float() / bound.Float()
	}
	near := func(got, low, high float64, name string) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.4f times the bound, want %v to %v", name, got, low, high)
		}
	}
	t.Run("bound: one call above it raises it, calls below change nothing", func(t *testing.T) {
		e := price.NewEstimator(nil, price.Bound)
		for range 1000 {
			e.Learn(e.Resolve(model), of, bound/10)
		}
		near(ratio(e), 1, 1, "below")
		e.Learn(e.Resolve(model), of, bound*3)
		near(ratio(e), 3, 3.0001, "above")
		e.Learn(e.Resolve(model), of, 1000*bound)
		near(ratio(e), 3, 3.0001, "absurd, once")
		e.Learn(e.Resolve("@cf/other/model"), of, bound*9)
		e.Learn(e.Resolve(model), price.Estimate{}, bound)
		e.Learn(e.Resolve(model), price.Estimate{Bound: bound, Foreign: true}, 5*bound)
		e.Learn(e.Resolve(model), of, -1)
		near(ratio(e), 3, 3.0001, "nonsense")
		e.Learn(e.Resolve(model), of, 20*bound)
		near(ratio(e), 20, 20.0001, "twice: as much as both agree on")
		e.Learn(e.Resolve(model), of, 2000*bound)
		near(ratio(e), 100, 100, "no more than this")
	})
	t.Run("bound: what was seen once is forgotten after a day", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := price.NewEstimator(nil, price.Bound)
			e.Learn(e.Resolve(model), of, 3*bound)
			time.Sleep(11 * time.Hour)
			e.Learn(e.Resolve(model), of, 5*bound)
			near(ratio(e), 5, 5.0001, "both")
			time.Sleep(2 * time.Hour)
			e.Learn(e.Resolve(model), of, 2*bound)
			near(ratio(e), 5, 5.0001, "the next span")
			time.Sleep(12 * time.Hour)
			near(ratio(e), 2, 2.0001, "the span after that")
			time.Sleep(12 * time.Hour)
			near(ratio(e), 1, 1, "a day later")
			e.Learn(e.Resolve(model), of, 2*bound)
			near(ratio(e), 2, 2.0001, "and it is no barrier")
			e.Learn(e.Resolve(model), of, 5*bound)
			time.Sleep(30 * time.Hour)
			e.Learn(e.Resolve(model), of, 2*bound)
			near(ratio(e), 2, 2.0001, "of what is long ago nothing comes back")
		})
	})
	t.Run("what a recording says of itself teaches nothing", func(t *testing.T) {
		e := price.NewEstimator(nil, price.Bound)
		const whisper = "@cf/openai/whisper"
		for _, r := range []quota.Request{
			{AudioSeconds: 1},
			{AudioBytes: 1000},
			{Parts: []quota.Request{{PromptBytes: 1}, {AudioSeconds: 1}}},
		} {
			before := e.Estimate(e.Resolve(whisper), r)
			e.Learn(e.Resolve(whisper), before, 9*before.Bound)
			if after := e.Estimate(e.Resolve(whisper), r); after != before {
				t.Errorf("%+v: %+v became %+v", r, before, after)
			}
		}
	})
	t.Run("expected: the 99th percentile", func(t *testing.T) {
		e := price.NewEstimator(nil, price.Expected)
		for range 99 {
			e.Learn(e.Resolve(model), of, bound/10)
		}
		near(ratio(e), 1, 1, "too few")
		for range 9000 {
			e.Learn(e.Resolve(model), of, bound/10)
		}
		near(ratio(e), 0.1, 0.12, "all alike")
		rng := rand.New(rand.NewPCG(5, 6))
		for range 20_000 {
			e.Learn(e.Resolve(model), of, quota.Neurons(float64(bound)*rng.Float64()))
		}
		near(ratio(e), 0.97, 1.2, "uniform")
		for range 20_000 {
			e.Learn(e.Resolve(model), of, bound/10)
		}
		near(ratio(e), 0.1, 0.12, "it forgets")
		for range 20_000 {
			e.Learn(e.Resolve(model), of, 0)
		}
		if got := ratio(e); got > 0.001 {
			t.Errorf("%v times the bound where all cost nothing", got)
		}
	})
}

func TestPricesMayBeReplaced(t *testing.T) {
	e := price.NewEstimator(nil, price.Bound)
	p, err := price.Parse([]byte(`{"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 10000,
		"models": {"@cf/a/b": {"task": "text-generation", "input_tokens_per_m": 1000, "output_tokens_per_m": 2000, "default_output_tokens": 256}}}`))
	if err != nil {
		t.Fatal(err)
	}
	e.SetTable(p)
	if got := e.Estimate(e.Resolve("@cf/a/b"), quota.Request{PromptBytes: 936}); got.Neurons != 1_000_000+2*256_000 || !got.Known || e.Table() != p {
		t.Errorf("%+v", got)
	}
}

func TestSentTokens(t *testing.T) {
	for _, c := range []struct {
		name string
		r    quota.Request
		wide int64
		want int64
	}{
		{"plain text", quota.Request{PromptBytes: 300}, 0, 100},
		{"a script that is not ASCII", quota.Request{PromptBytes: 300}, 300, 300},
		{"both", quota.Request{PromptBytes: 301}, 30, 91 + 30},
		{"more than there is", quota.Request{PromptBytes: 30}, 300, 30},
		{"an image", quota.Request{PromptBytes: 300, Images: 1}, 0, 100 + 6404},
		{"sound", quota.Request{PromptBytes: 300, AudioSeconds: 10}, 0, 100 + 500},
		{"nonsense", quota.Request{PromptBytes: -1, Images: -1}, -1, 0},
	} {
		if got := price.SentTokens(c.r, c.wide); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
