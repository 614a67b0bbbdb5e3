package price_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
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
		r     workload.Request
		want  quota.Neurons
	}{
		{
			"text: bytes are tokens, and max_tokens",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 1000},
			micro(13.778 + 26.128),
		},
		{"text without max_tokens", llama, workload.Request{PromptBytes: 936}, micro(13.778 + 256*0.026128)},
		{
			"in a form of which no default is documented",
			llama,
			workload.Request{PromptBytes: 936, NoDefault: true},
			micro(13.778 + 32_000*0.026128),
		},
		{
			"a limit that upstream may ignore",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 100, MayIgnoreLimit: true},
			micro(13.778 + 256*0.026128),
		},
		{
			"a larger limit that upstream may ignore",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 1000, MayIgnoreLimit: true},
			micro(13.778 + 26.128),
		},
		{
			"a limit that may be none: the context window",
			llama,
			workload.Request{PromptBytes: 936, OddLimit: true},
			micro(13.778 + 32_000*0.026128),
		},
		{
			"a context window above 131,072",
			"@cf/zai-org/glm-5.3",
			workload.Request{PromptBytes: 936, OddLimit: true},
			micro(127.273 + 1_310_720*0.4),
		},
		{
			"a limit that may be none, of a model without a known window",
			"@cf/mistral/mistral-7b-instruct-v0.1",
			workload.Request{PromptBytes: 936, OddLimit: true},
			micro(10 + 131_072*0.0173),
		},
		{
			"a limit that may be none, of an unknown model",
			"@cf/new/model",
			workload.Request{PromptBytes: 936, OddLimit: true},
			micro(45.17 + 131_072*0.443756),
		},
		{
			"what upstream fetches or remembers: the context window",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 1000, Unseen: 3},
			micro(32*13.778 + 26.128),
		},
		{
			"what upstream remembers, of a model without a known window",
			"@cf/mistral/mistral-7b-instruct-v0.1",
			workload.Request{PromptBytes: 936, MaxTokens: 1000, Unseen: 3},
			micro(10 + 1310.72 + 17.3),
		},
		{
			"calls added up, two of them with what upstream remembers",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 1000, Answers: 5, Calls: 5, Unseen: 2},
			micro(13.778 + 2*32*13.778 + 5*26.128),
		},
		{
			"calls added up that are longer than one context window",
			llama,
			workload.Request{PromptBytes: 100_000 - 64, MaxTokens: 1000, Answers: 5, Calls: 5},
			micro(100*13.778 + 5*26.128),
		},
		{
			"text without max_tokens, of a model that publishes none",
			"@cf/zai-org/glm-4.7-flash",
			workload.Request{PromptBytes: 936},
			micro(5.5 + 131_072*0.0364),
		},
		{
			"three answers",
			llama,
			workload.Request{PromptBytes: 936, MaxTokens: 1000, Answers: 3},
			micro(13.778 + 3*26.128),
		},
		{
			"nonsense counts as nothing",
			llama,
			workload.Request{PromptBytes: -5, MaxTokens: -1, Answers: -1, Images: -2},
			micro(64*0.013778 + 256*0.026128),
		},
		{
			"an image to a language model",
			"@cf/meta/llama-3.2-11b-vision-instruct",
			workload.Request{PromptBytes: 936, Images: 1, MaxTokens: 100},
			micro(7404*0.00441 + 6.1493),
		},
		{
			"a recording to a language model",
			llama,
			workload.Request{PromptBytes: 936, AudioSeconds: 60, MaxTokens: 1000},
			micro(4*13.778 + 26.128),
		},
		{
			"a recording of unknown length to a language model",
			llama,
			workload.Request{PromptBytes: 936, AudioBytes: 59 * 750, MaxTokens: 1000},
			micro(4*13.778 + 26.128),
		},
		{"free output", "@cf/cloudflare/clef", workload.Request{PromptBytes: 936, MaxTokens: 1e6}, micro(21.818)},
		{"embeddings", "@cf/baai/bge-m3", workload.Request{PromptBytes: 1e6 - 64, Texts: 10}, micro(1075)},
		{
			"a reranker reads the query with each context",
			"@cf/baai/bge-reranker-base",
			workload.Request{PromptBytes: 936, Texts: 100},
			micro(52200 * 0.000283),
		},
		{"translation", "@cf/meta/m2m100-1.2b", workload.Request{PromptBytes: 936}, micro(2 * 31.05)},
		{"an image of a megapixel, as it was measured", flux, workload.Request{PromptBytes: 100}, micro(172.8)},
		{"its largest steps", flux, workload.Request{Steps: 500}, micro(4 * (4.8 + 8*9.6))},
		{
			"the default image of Lucid Origin, as it was measured",
			"@cf/leonardo/lucid-origin",
			workload.Request{},
			micro(3904.6875),
		},
		{
			"the default image of Phoenix, as it was measured", "@cf/leonardo/phoenix-1.0",
			workload.Request{},
			micro(3120),
		},
		{
			"four megapixels",
			"@cf/leonardo/phoenix-1.0",
			workload.Request{Width: 2048, Height: 2048, Steps: 50},
			micro(16 * (530 + 50*10)),
		},
		{"two images", flux, workload.Request{MakeImages: 2}, micro(2 * 172.8)},
		{
			"tiles are rounded up",
			"@cf/black-forest-labs/flux-2-klein-4b",
			workload.Request{Width: 1025, Height: 1024},
			micro(6 * 26.05),
		},
		{
			"but not where they were measured",
			flux,
			workload.Request{Width: 1280, Height: 1024, Steps: 4},
			micro(5 * (4.8 + 4*9.6)),
		},
		{
			"a size and steps that the model may ignore",
			flux,
			workload.Request{Width: 1, Height: 1, Steps: 1},
			micro(172.8),
		},
		{"unknown steps", "@cf/black-forest-labs/flux-2-dev", workload.Request{}, micro(4 * 37.5 * 50)},
		{
			"with an image given",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Request{Images: 1, Steps: 25},
			micro(4*37.5*25 + 4*18.75*25),
		},
		{
			"with small images given, and one of unknown size",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Request{
				Images: 3, Sized: 2, SizedTiles: workload.InputTiles(512, 512) + workload.InputTiles(513, 100),
				Steps: 25,
			},
			micro(4*37.5*25 + (1+2+4)*18.75*25),
		},
		{
			"with large images given",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Request{Images: 1, Sized: 1, SizedTiles: workload.InputTiles(9000, 9000), Steps: 25},
			micro(4*37.5*25 + 4*18.75*25),
		},
		{
			"more of known size than there are",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Request{Sized: 1, SizedTiles: 4, Steps: 25},
			micro(4 * 37.5 * 25),
		},
		{
			"by the tile", "@cf/black-forest-labs/flux-2-klein-4b",
			workload.Request{Images: 2},
			micro(4*26.05 + 2*4*5.37),
		},
		{
			"by the megapixel",
			"@cf/black-forest-labs/flux-2-klein-9b",
			workload.Request{Width: 2048, Height: 1024, Images: 1},
			micro(1363.64 + 181.82 + 181.82),
		},
		{"an image to be classified", "@cf/microsoft/resnet-50", workload.Request{PromptBytes: 1e6}, micro(0.228055)},
		{
			"speech of known length",
			"@cf/openai/whisper",
			workload.Request{AudioSeconds: 90, AudioBytes: 1e9},
			micro(41.14 * 1.5),
		},
		{"speech of unknown length", "@cf/openai/whisper", workload.Request{AudioBytes: 750 * 59}, micro(41.14)},
		{"speech that is live", "@cf/deepgram/nova-3", workload.Request{AudioSeconds: 60, Live: true}, micro(836.36)},
		{"only live", "@cf/deepgram/flux", workload.Request{AudioSeconds: 60}, micro(700)},
		{
			"voice activity, at the larger of two prices",
			"@cf/pipecat-ai/smart-turn-v2",
			workload.Request{AudioSeconds: 60},
			micro(30.9),
		},
		{
			"speaking, by characters",
			"@cf/deepgram/aura-1",
			workload.Request{Characters: 500, PromptBytes: 9999},
			micro(681.82),
		},
		{"speaking, by the minute", "@cf/myshell-ai/melotts", workload.Request{Characters: 59 * 8}, micro(18.63)},
		{
			"speaking, by the seconds of a text",
			"@cf/myshell-ai/melotts",
			workload.Request{Characters: 9, SpokenSeconds: 59},
			micro(18.63),
		},
		{"speaking what is not known", "@cf/myshell-ai/melotts", workload.Request{PromptBytes: 14}, micro(1.863)},
		{
			"an alias pays its target's price",
			"@cf/moonshotai/kimi-k2.5",
			workload.Request{PromptBytes: 936, MaxTokens: 1000},
			micro(86.364 + 363.636),
		},
		{
			"an unknown model is the dearest that still answers",
			"@cf/new/model",
			workload.Request{PromptBytes: 936, MaxTokens: 1000},
			micro(127.273 + 400),
		},
		{
			"an unknown model with steps makes images",
			"@cf/new/model",
			workload.Request{PromptBytes: 936, Steps: 20},
			micro(1120 * 1120 / (512. * 512) * (636 + 20*12)),
		},
		{
			"an unknown model with a number of images",
			"@cf/new/model",
			workload.Request{PromptBytes: 936, MakeImages: 1},
			micro(4 * 37.5 * 50),
		},
		{
			"an unknown model with a number of answers",
			"@cf/new/model",
			workload.Request{PromptBytes: 936, MaxTokens: 1000, MakeImages: 2, Answers: 2},
			micro(45.17 + 2*443.756),
		},
		{
			"an unknown model whose name suggests images",
			"@cf/new/Image-9",
			workload.Request{PromptBytes: 936},
			micro(4 * 37.5 * 50),
		},
		{
			"a beta that is not billed",
			"@cf/stabilityai/Stable-Diffusion-xl-base-1.0",
			workload.Request{PromptBytes: 936, Steps: 20},
			quota.OneNeuron / 1000,
		},
		{"an unknown model that is sent sound", "@cf/new/model", workload.Request{AudioSeconds: 60}, micro(700)},
		{
			"an unknown model that is sent nothing but an image",
			"@cf/new/model",
			workload.Request{Images: 1},
			micro((64+6404)*0.027273 + 2048*0.090909),
		},
		{
			"an unknown model whose name suggests speech",
			"@cf/new/tts-1",
			workload.Request{PromptBytes: 9000, Characters: 9000, MaxTokens: 1},
			micro(9 * 2727.27),
		},
		{
			"an unknown embedding model",
			"@cf/new/model",
			workload.Request{Task: workload.TextEmbeddings, PromptBytes: 936},
			micro(18.582),
		},
		{"a task without a table", "@cf/new/model", workload.Request{Task: "object-detection"}, 50 * quota.OneNeuron},
		{
			"a batch",
			llama,
			workload.Request{PromptBytes: 1e9, Parts: []workload.Request{
				{PromptBytes: 936, MaxTokens: 1000}, {PromptBytes: 936, MaxTokens: 1000},
			}},
			micro(2 * (13.778 + 26.128)),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := price.NewEstimator(nil, price.Bound).Estimate(price.Embedded().Resolve(c.model), c.r)
			if diff := got.Neurons - c.want; diff < -2 || diff > 2 {
				t.Errorf("got %v, want %v", got.Neurons.Float(), c.want.Float())
			}
			if got.Bound != got.Neurons {
				t.Errorf("got a bound of %v, want %v", got.Bound, got.Neurons)
			}
			if _, listed := price.Embedded().Row(c.model); got.Known != listed {
				t.Errorf("got known %v, want %v", got.Known, listed)
			}
		})
	}
}

// The tokens that were counted are at most the bytes, and hold where no vocabulary is small and no bound is asked for.
func TestEstimateByCountedTokens(t *testing.T) {
	const llama = "@cf/meta/llama-3.1-8b-instruct-fp8" // 13,778 and 26,128 a million tokens
	for _, c := range []struct {
		name  string
		mode  price.Mode
		model string
		r     workload.Request
		want  quota.Neurons
	}{
		{"counted", price.Tight, llama, workload.Request{PromptTokens: 936}, micro(13.778 + 26.128)},
		{"by bytes", price.Bound, llama, workload.Request{PromptTokens: 936}, micro(10_064*0.013778 + 26.128)},
		{"not counted", price.Tight, llama, workload.Request{}, micro(10_064*0.013778 + 26.128)},
		{"more than bytes", price.Tight, llama, workload.Request{PromptTokens: 1e6}, micro(10_064*0.013778 + 26.128)},
		{
			"a small vocabulary", price.Tight, "@cf/mistral/mistral-7b-instruct-v0.1",
			workload.Request{PromptTokens: 936},
			micro(10_064*0.01 + 17.3),
		},
		{
			"a small vocabulary of a model without a price", price.Tight, "@hf/thebloke/zephyr-7b-beta-awq",
			workload.Request{Task: workload.TextGeneration, PromptTokens: 936},
			micro(10_064*0.127273 + 400),
		},
		{
			"a translation has as many tokens as bytes", price.Tight, "@cf/meta/m2m100-1.2b",
			workload.Request{PromptTokens: 936, MaxTokens: -1},
			micro(31.05 + 10_064*0.03105),
		},
		{
			"no limit, by the documented default", price.Tight, llama,
			workload.Request{PromptTokens: 936, MaxTokens: -1},
			micro(13.778 + 256*0.026128),
		},
		{
			"no limit, in a form without a default", price.Tight, llama,
			workload.Request{PromptTokens: 936, MaxTokens: -1, NoDefault: true},
			micro(13.778 + 16_384*0.026128),
		},
		{
			"no limit, of a model that documents no default", price.Tight, glm,
			workload.Request{PromptTokens: 936, MaxTokens: -1},
			micro(5.5 + 16_384*0.0364),
		},
		{
			"no limit, of a model whose price is a guess", price.Tight, "@cf/new/model",
			workload.Request{Task: workload.TextGeneration, PromptTokens: 936, MaxTokens: -1},
			micro(45.17 + 2048*0.443756),
		},
		{"a batch", price.Tight, llama, workload.Request{Parts: []workload.Request{
			{PromptBytes: 10_000, PromptTokens: 936, MaxTokens: 1000},
			{PromptBytes: 10_000, PromptTokens: 1936, MaxTokens: 1000},
		}}, micro(3*13.778 + 2*26.128)},
	} {
		c.r.PromptBytes = 10_000
		if c.r.MaxTokens == 0 {
			c.r.MaxTokens = 1000
		}
		e := price.NewEstimator(nil, c.mode)
		got := e.Estimate(e.Resolve(c.model), c.r).Neurons
		if diff := got - c.want; diff < -2 || diff > 2 {
			t.Errorf("%s: got %v, want %v", c.name, got.Float(), c.want.Float())
		}
	}
}
