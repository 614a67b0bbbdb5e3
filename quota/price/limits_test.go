package price

import (
	"reflect"
	"slices"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// limits.json has every model of the price table, of the same task, and no price.
func TestLimitsOfEveryModel(t *testing.T) {
	documented := parseLimits()
	for _, name := range Embedded().Models() {
		row, _ := Embedded().Row(name)
		limits, ok := documented[name]
		if !ok {
			t.Errorf("%s: got no limits, want them", name)
			continue
		}
		if limits.Task != row.Task {
			t.Errorf("%s: got the task %q, want %q as in the price table", name, limits.Task, row.Task)
		}
		if row.ContextWindow != limits.ContextWindow {
			t.Errorf("%s: got a window of %d in the table, want %d", name, row.ContextWindow, limits.ContextWindow)
		}
		if row.DefaultOutput != limits.DefaultOutput {
			t.Errorf("%s: got a default of %d in the table, want %d", name, row.DefaultOutput, limits.DefaultOutput)
		}
		if row.WebSocket != limits.WebSocket {
			t.Errorf("%s: got WebSocket %v in the table, want %v", name, row.WebSocket, limits.WebSocket)
		}
		if limits.DeprecatedOn != "" {
			t.Errorf("%s: got an end of %s beside the one of the price table, want none", name, limits.DeprecatedOn)
		}
	}
	var windows, defaults int
	for name, row := range documented {
		if row.ContextWindow > 0 {
			windows++
		}
		if row.DefaultOutput > 0 {
			defaults++
		}
		if row.Task == "" || row.billed() {
			t.Errorf("%s: got %+v, want a task and no price", name, row)
		}
		if row.ContextWindow > 0 && row.DefaultOutput >= row.ContextWindow {
			t.Errorf("%s: got a default of %d, want less than the window, %d", name, row.DefaultOutput,
				row.ContextWindow)
		}
		if m := Embedded().Resolve(name); m.AliasedTo == "" && m.Name == m.BilledAs && m.Task != row.Task {
			t.Errorf("%s: got the task %q, want %q", name, m.Task, row.Task)
		}
	}
	if windows != 55 || defaults != 38 {
		t.Errorf("got %d windows and %d defaults, want 55 and 38", windows, defaults)
	}
}

// Nothing checks the embedded files when they are read.
func TestEmbeddedFilesHaveNoMistakes(t *testing.T) {
	table, err := Parse(embedded)
	if err != nil {
		t.Fatalf("prices.json: %v", err)
	}
	if got := Embedded(); !reflect.DeepEqual(got, table) {
		t.Errorf("got the table %+v, want %+v", got, table)
	}
	if err := uniqueKeys(embeddedLimits); err != nil {
		t.Errorf("limits.json: %v", err)
	}
}

func TestModelsForWebSockets(t *testing.T) {
	var got []string
	for _, name := range Embedded().Models() {
		if row, _ := Embedded().Row(name); row.WebSocket {
			got = append(got, name)
		}
	}
	want := []string{
		"@cf/deepgram/aura-1", "@cf/deepgram/aura-2-en", "@cf/deepgram/aura-2-es", "@cf/deepgram/flux",
		"@cf/deepgram/nova-3", "@cf/pipecat-ai/smart-turn-v2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A table of the operator's own may say otherwise, and need not repeat what is documented.
func TestATableBeforeTheLimits(t *testing.T) {
	table, err := Parse([]byte(`{
		"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 10000,
		"models": {
			"@cf/qwen/qwq-32b": {"task": "text-generation", "input_tokens_per_m": 1000},
			"@cf/openai/gpt-oss-20b": {
				"task": "text-generation", "input_tokens_per_m": 1000, "context_window": 9000,
				"default_output_tokens": 8
			}
		}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]int64{
		"@cf/qwen/qwq-32b": {24_000, 256}, "@cf/openai/gpt-oss-20b": {9000, 8}, "@cf/zai-org/glm-5.2": {262_144, 0},
	} {
		m := table.Resolve(name)
		if got := [2]int64{m.ContextWindow, m.DefaultOutput}; got != want {
			t.Errorf("%s: got the window and default %v, want %v", name, got, want)
		}
	}
}

// The catalog's window holds. What the catalog does not say stays, of models with and without a price.
func TestCatalogKeepsLimits(t *testing.T) {
	const (
		priced, free = "@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/meta/llama-3.1-70b-instruct"
		ended        = "@cf/tiiuae/falcon-7b-instruct"
	)
	for _, c := range []struct {
		name    string
		catalog CatalogPrice
		want    Row
	}{
		{"no field", CatalogPrice{Model: priced}, Row{ContextWindow: 32_000, DefaultOutput: 256}},
		{
			"a window",
			CatalogPrice{Model: priced, Row: Row{ContextWindow: 9000}},
			Row{ContextWindow: 9000, DefaultOutput: 256},
		},
		{
			"a price",
			CatalogPrice{Model: priced, Priced: true, Row: Row{InputPerM: 13778}},
			Row{ContextWindow: 32_000, DefaultOutput: 256},
		},
		{"no field, no price", CatalogPrice{Model: free}, Row{ContextWindow: 24_000, DefaultOutput: 256}},
		{
			"a window, no price",
			CatalogPrice{Model: free, Row: Row{ContextWindow: 9000}},
			Row{ContextWindow: 9000, DefaultOutput: 256},
		},
		{
			"its first price",
			CatalogPrice{Model: free, Priced: true, Row: Row{Task: workload.TextGeneration, InputPerM: 1000}},
			Row{ContextWindow: 24_000, DefaultOutput: 256},
		},
		{
			"an end",
			CatalogPrice{Model: ended},
			Row{ContextWindow: 4096, DefaultOutput: 256, DeprecatedOn: "2025-10-01"},
		},
	} {
		table, _ := Embedded().WithCatalog("2026-11-22", []CatalogPrice{c.catalog})
		table, _ = table.WithCatalog("2026-11-23", nil)
		m := table.Resolve(c.catalog.Model)
		got := Row{ContextWindow: m.ContextWindow, DefaultOutput: m.DefaultOutput, DeprecatedOn: m.DeprecatedOn}
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
		if m.Task != workload.TextGeneration {
			t.Errorf("%s: got the task %q, want %q", c.name, m.Task, workload.TextGeneration)
		}
	}
}

// A model without a price is bounded within its own limits, not those of the dearest model.
func TestAModelWithoutAPriceHasItsOwnLimits(t *testing.T) {
	e := NewEstimator(nil, Bound)
	for _, c := range []struct {
		model       string
		in, out     float64 // tokens
		promptBytes int64
	}{
		{"@cf/tiiuae/falcon-7b-instruct", 4096, 256, 1 << 20},
		{"@cf/utter-project/eurollm-9b-it", 32_000, 2048, 1 << 20},
		{"@cf/new/model", 1<<21 + templateTokens, 2048, 1 << 21},
	} {
		got := e.Estimate(e.Resolve(c.model), workload.Request{PromptBytes: c.promptBytes}).Neurons
		row, _ := Embedded().Row("@cf/zai-org/glm-5.3") // the dearest
		want := quota.FromMicro(c.in*row.InputPerM + c.out*row.OutputPerM)
		if got != want {
			t.Errorf("%s: got %v, want %v", c.model, got, want)
		}
	}
}
