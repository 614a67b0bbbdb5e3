package price

import (
	"testing"

	"github.com/neuronward/neuronward/quota/workload"
)

// A model without a price is bounded by the dearest model of its own task, as far as the catalog or this program knows
// it, and not by the dearest of all.
func TestModelsWithoutAPrice(t *testing.T) {
	catalog := []CatalogPrice{
		{Model: "@cf/new/beta", Row: Row{
			Task: workload.TextGeneration, ContextWindow: 1000, RequiresWorkersPaid: true,
		}},
		{Model: "@cf/new/reranker", Row: Row{Task: workload.TextClassification}},
		{Model: "@cf/new/detector", Row: Row{Task: "object-detection"}},
	}
	table, _ := Embedded().WithCatalog("2026-11-22", catalog)
	e := NewEstimator(table, Bound)
	for _, c := range []struct {
		model     string
		r         workload.Request
		task      workload.Task
		low, high float64 // neurons
	}{
		{"@cf/google/embeddinggemma-300m", workload.Request{PromptBytes: 300}, workload.TextEmbeddings, 1, 2},
		{"@cf/new/beta", workload.Request{PromptBytes: 1 << 20}, workload.TextGeneration, 127, 800},
		{"@cf/new/reranker", workload.Request{PromptBytes: 10, Texts: 1}, workload.TextClassification, 0.001, 30},
		{"@cf/new/detector", workload.Request{PromptBytes: 1 << 20}, "object-detection", 50, 50},
		{"@cf/facebook/bart-large-cnn", workload.Request{PromptBytes: 1 << 20}, "summarization", 50, 50},
		{
			"@hf/nousresearch/hermes-2-pro-mistral-7b",
			workload.Request{PromptBytes: 1},
			workload.TextGeneration, 100, 1000,
		},
	} {
		m := e.Resolve(c.model)
		if m.Known {
			t.Errorf("%s: got a price, want none", c.model)
		}
		if m.Task != c.task {
			t.Errorf("%s: got the task %q, want %q", c.model, m.Task, c.task)
		}
		if got := e.Estimate(m, c.r).Neurons.Float(); got < c.low || got > c.high {
			t.Errorf("%s: got a bound of %v neurons, want %v to %v", c.model, got, c.low, c.high)
		}
	}
	if beta := e.Resolve("@cf/new/beta"); !beta.RequiresWorkersPaid || beta.ContextWindow != 1000 {
		t.Errorf("got %+v, want what the catalog says of the model", beta.Row)
	}
	// Its price is taken once there is one.
	priced, _ := table.WithCatalog("2026-11-23", []CatalogPrice{
		{Model: "@cf/new/beta", Priced: true, Row: Row{
			Task: workload.TextGeneration, InputPerM: 1000, OutputPerM: 2000,
		}},
	})
	if m := priced.Resolve("@cf/new/beta"); !m.Known || m.OutputPerM != 2000 {
		t.Errorf("got %+v, want its price", m)
	}
}
