package price_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestCost(t *testing.T) {
	const llama, whisper = "@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/openai/whisper"
	e := price.NewEstimator(nil, price.Bound)
	for _, c := range []struct {
		name  string
		model string
		u     workload.Usage
		want  quota.Cost
		ok    bool
	}{
		{
			"reported before all else",
			llama,
			workload.Usage{HasNeurons: true, Neurons: 1.5, HasTokens: true, Input: 1e6},
			quota.Cost{Neurons: micro(1.5)},
			true,
		},
		{
			"reported zero is zero",
			llama,
			workload.Usage{HasNeurons: true, HasTokens: true, Input: 1e6},
			quota.Cost{},
			true,
		},
		{
			"reported of an unknown model",
			"@cf/new/model",
			workload.Usage{HasNeurons: true, Neurons: 2},
			quota.Cost{Neurons: micro(2)},
			true,
		},
		{
			"tokens",
			llama,
			workload.Usage{HasTokens: true, Input: 1000, Output: 1000},
			quota.Cost{Neurons: micro(13.778 + 26.128), Basis: quota.Priced},
			true,
		},
		{
			"cached tokens are cheaper",
			"@cf/zai-org/glm-5.2",
			workload.Usage{HasTokens: true, Input: 1000, Cached: 900},
			quota.Cost{Neurons: micro(12.7273 + 21.2724), Basis: quota.Priced},
			true,
		},
		{
			"tokens of a model that is billed otherwise",
			whisper,
			workload.Usage{HasTokens: true, Input: 1000},
			quota.Cost{},
			false,
		},
		{
			"audio",
			whisper,
			workload.Usage{HasAudio: true, AudioSeconds: 30},
			quota.Cost{Neurons: micro(20.57), Basis: quota.Priced},
			true,
		},
		{
			"images, as they are bounded",
			"@cf/black-forest-labs/flux-1-schnell",
			workload.Usage{HasImages: true, Images: 1},
			quota.Cost{Neurons: micro(172.8), Basis: quota.Priced},
			true,
		},
		{
			"images of documented defaults",
			"@cf/leonardo/phoenix-1.0",
			workload.Usage{HasImages: true, Images: 1},
			quota.Cost{Neurons: micro(3120), Basis: quota.Priced},
			true,
		},
		{
			"an image of known size and steps",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Usage{HasImages: true, Width: 512, Height: 512, Steps: 10},
			quota.Cost{Neurons: micro(375), Basis: quota.Priced},
			true,
		},
		{
			"an image of unknown steps",
			"@cf/black-forest-labs/flux-2-dev",
			workload.Usage{HasImages: true, Width: 512, Height: 512},
			quota.Cost{Neurons: micro(37.5 * 50), Basis: quota.Estimated},
			true,
		},
		{
			"an image given of unknown size",
			"@cf/black-forest-labs/flux-2-klein-4b",
			workload.Usage{HasImages: true, Given: 1},
			quota.Cost{Neurons: micro(4*26.05 + 4*5.37), Basis: quota.Estimated},
			true,
		},
		{
			"an image given of known size",
			"@cf/black-forest-labs/flux-2-klein-4b",
			workload.Usage{HasImages: true, Given: 1, Sized: 1, SizedTiles: 1},
			quota.Cost{Neurons: micro(4*26.05 + 5.37), Basis: quota.Priced},
			true,
		},
		{
			"an image that could not be measured",
			"@cf/black-forest-labs/flux-2-klein-4b",
			workload.Usage{HasImages: true, Assumed: true},
			quota.Cost{Neurons: micro(4 * 26.05), Basis: quota.Estimated},
			true,
		},
		{
			"tokens of an alias, at its target's price",
			"@cf/moonshotai/kimi-k2.5",
			workload.Usage{HasTokens: true, Input: 1000, Output: 1000},
			quota.Cost{Neurons: micro(86.364 + 363.636), Basis: quota.Priced},
			true,
		},
		{"nothing was reported", llama, workload.Usage{Input: 5}, quota.Cost{}, false},
		{
			"tokens of a model without a price, at the dearest of its task",
			"@cf/google/embeddinggemma-300m",
			workload.Usage{HasTokens: true, Input: 1000},
			quota.Cost{Neurons: micro(18.582), Basis: quota.Priced},
			true,
		},
		{
			"tokens of an unknown model, at the dearest language model's",
			"@cf/new/model",
			workload.Usage{HasTokens: true, Input: 1000},
			quota.Cost{Neurons: micro(127.273), Basis: quota.Priced},
			true,
		},
		{
			"tokens where no model of the task is billed by tokens",
			"@cf/facebook/detr-resnet-50",
			workload.Usage{HasTokens: true, Input: 1000},
			quota.Cost{Basis: quota.Priced},
			false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want.Basis != quota.Reported {
				c.want.Table = c.want.Neurons
			}
			if got, ok := e.Cost(e.Resolve(c.model), c.u); got != c.want || ok != c.ok {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestSentTokens(t *testing.T) {
	for _, c := range []struct {
		name string
		r    workload.Request
		want int64
	}{
		{"text", workload.Request{PromptBytes: 300, PromptTokens: 100}, 100},
		{"text that was not counted", workload.Request{PromptBytes: 300}, 300},
		{"more than its bytes", workload.Request{PromptBytes: 30, PromptTokens: 300}, 30},
		{"an image", workload.Request{PromptBytes: 300, PromptTokens: 100, Images: 1}, 100 + 6404},
		{"sound", workload.Request{PromptBytes: 300, PromptTokens: 100, AudioSeconds: 10}, 100 + 500},
		{"nonsense", workload.Request{PromptBytes: -1, PromptTokens: -1, Images: -1}, 0},
		{"what upstream remembers", workload.Request{PromptBytes: 300, PromptTokens: 100, Unseen: 1}, 100 + 8000},
	} {
		if got := (price.Row{ContextWindow: 8000}).SentTokens(c.r); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// What a model cannot read is no part of a prompt, whether it was counted or not; the estimate is the same.
func TestSentTokensBeyondTheWindow(t *testing.T) {
	e := price.NewEstimator(nil, price.Tight)
	m := e.Resolve("@cf/meta/llama-3.1-8b-instruct-fp8")
	enough := m.Enough()
	if enough != m.ContextWindow || enough == 0 {
		t.Fatalf("Enough() = %d, want the context window, %d", enough, m.ContextWindow)
	}
	for _, calls := range []int64{0, 3} {
		counted := workload.Request{PromptBytes: 9_000_000, PromptTokens: 3*enough + 1, Calls: calls}
		uncounted := counted
		uncounted.PromptTokens = 0
		for _, q := range []workload.Request{counted, uncounted} {
			if got, want := m.SentTokens(q), enough*max(calls, 1); got != want {
				t.Errorf("%d calls: SentTokens() of %d tokens = %d, want %d", calls, q.PromptTokens, got, want)
			}
			if got := m.Room(q, 1000); got > 0 {
				t.Errorf("%d calls: Room() beside %d tokens = %d, want none", calls, q.PromptTokens, got)
			}
		}
		if got, want := e.Estimate(m, uncounted), e.Estimate(m, counted); got != want {
			t.Errorf("%d calls: got the estimate %+v of what was not counted, want that of what was, %+v", calls, got,
				want)
		}
	}
	if got := (price.Row{Task: workload.TextEmbeddings, ContextWindow: 512}).Enough(); got != 0 {
		t.Errorf("Enough() of embeddings = %d, want 0: each text has the window", got)
	}
}
