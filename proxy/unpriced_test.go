package proxy

import (
	"net/http"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A call of a model without a price is booked by what its answer says, else by the dearest price of its task.
func TestAModelWithoutAPrice(t *testing.T) {
	const (
		gemma  = `{"model":"@cf/google/embeddinggemma-300m","input":["a"]}`
		hermes = "/run/@hf/nousresearch/hermes-2-pro-mistral-7b"
		data   = `{"object":"list","data":[{"object":"embedding","embedding":[0.0],"index":0}]}`
		tokens = `{"result":{"response":"x","usage":{"prompt_tokens":10,"completion_tokens":5}},"success":true}`
	)
	for _, c := range []struct {
		name, path, body, neurons, answer string
		low, high                         float64
	}{
		{"nothing said", "/v1/embeddings", gemma, "", data, 0.001, 1},
		{"a header", "/v1/embeddings", gemma, "0.02", data, 0.015, 0.025},
		{"a header of zero", "/v1/embeddings", gemma, "0.00", data, 0.005, 0.005},
		{"of a new model", "/v1/embeddings", `{"model":"@cf/new/embedder","input":"a"}`, "", data, 0.001, 1},
		{
			"neurons", hermes, `{"prompt":"x"}`, "0.00",
			`{"result":{"usage":{"neurons":1.25}},"success":true}`, 1.25, 1.25,
		},
		{"tokens", hermes, `{"prompt":"x"}`, "", tokens, 0.001, 5},
		{"a header of zero before tokens", hermes, `{"prompt":"x"}`, "0.00", tokens, 0.005, 0.005},
		{
			"a task without prices", "/run/@cf/facebook/bart-large-cnn", `{"input_text":"x"}`, "",
			`{"result":{"summary":"x"},"success":true}`, 50, 50,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			if c.neurons != "" {
				header.Set("Cf-Ai-Neurons", c.neurons)
			}
			g := newGuarded(t, quota.Options{Limit: 10_000 * quota.OneNeuron}, workersai.Options{}, func(cfg *Config) {
				cfg.Transport = &answering{header, c.answer}
			})
			defer g.close()
			if res := g.post(c.path, c.body); res.Code != 200 {
				t.Fatalf("got %d %s, want 200", res.Code, res.Body)
			}
			if got := g.ledger.Snapshot().Account.Used.Float(); got < c.low || got > c.high {
				t.Errorf("got %v neurons booked, want %v to %v", got, c.low, c.high)
			}
		})
	}
}
