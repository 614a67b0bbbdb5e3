package price_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestEmbeddedTable(t *testing.T) {
	table := price.Embedded()
	if table != price.Embedded() {
		t.Error("got another table from the second Embedded(), want the same")
	}
	names := table.Models()
	if len(names) != 67 {
		t.Errorf("got %d models, want 67", len(names))
	}
	if !slices.IsSorted(names) {
		t.Errorf("got names %v, want them sorted", names)
	}
	if got := table.AsOf(); got != "2026-08-28" {
		t.Errorf("got as of %s, want 2026-08-28", got)
	}
	if got, want := table.DailyFree(), 10_000*quota.OneNeuron; got != want {
		t.Errorf("got %v free a day, want %v", got, want)
	}
	if got := table.USD(); got != 0.000011 {
		t.Errorf("got $%v a neuron, want $0.000011", got)
	}
	if row, ok := table.Row("@cf/meta/no-such-model"); ok {
		t.Errorf("a model that does not exist: got %+v, want none", row)
	}
	names[0] = "changed"
	if got := table.Models()[0]; got == "changed" {
		t.Errorf("got %q first after a change of what Models() returned, want the table unchanged", got)
	}
}

func TestRows(t *testing.T) {
	for name, want := range map[string]price.Row{
		"@cf/meta/llama-3.1-8b-instruct-fp8": {
			Task: workload.TextGeneration, InputPerM: 13778, OutputPerM: 26128, DefaultOutput: 256,
			ContextWindow: 32_000,
		},
		"@cf/qwen/qwen3-30b-a3b-fp8": {
			Task: workload.TextGeneration, InputPerM: 4625, OutputPerM: 30475, DefaultOutput: 2000,
			ContextWindow: 32_768,
		},
		"@cf/deepseek-ai/deepseek-v4-flash-0731": {
			Task: workload.TextGeneration, InputPerM: 40000, CachedInputPerM: 1273, OutputPerM: 120000,
			ContextWindow: 1_048_576, RequiresWorkersPaid: true,
		},
		"@cf/moonshotai/kimi-k2.5": {
			Task: workload.TextGeneration, InputPerM: 54545, CachedInputPerM: 9091, OutputPerM: 272727,
			ContextWindow: 256_000, DeprecatedOn: "2026-05-30", AliasedTo: "@cf/moonshotai/kimi-k2.6",
		},
		"@cf/cloudflare/clef":     {Task: workload.TextGeneration, InputPerM: 21818, ContextWindow: 65_536},
		"@cf/microsoft/resnet-50": {Task: workload.ImageClassification, Image: 0.228055},
		"@cf/black-forest-labs/flux-1-schnell": {
			Task: workload.TextToImage, Tile: 4.8, Step: 9.6,
			DefaultWidth: 1024, DefaultHeight: 1024, DefaultSteps: 4, MaxSteps: 8,
		},
		"@cf/leonardo/lucid-origin": {
			Task: workload.TextToImage, Tile: 636, Step: 12,
			DefaultWidth: 1120, DefaultHeight: 1120, DefaultSteps: 15, MaxSteps: 40,
		},
		"@cf/black-forest-labs/flux-2-dev": {
			Task: workload.TextToImage, InputTileStep: 18.75, OutputTileStep: 37.5,
			DefaultWidth: 1024, DefaultHeight: 768,
		},
		"@cf/black-forest-labs/flux-2-klein-4b": {
			Task: workload.TextToImage, InputTile: 5.37, OutputTile: 26.05, DefaultWidth: 1024, DefaultHeight: 768,
		},
		"@cf/black-forest-labs/flux-2-klein-9b": {
			Task: workload.TextToImage, FirstMegapixel: 1363.64, NextMegapixel: 181.82, InputMegapixel: 181.82,
			DefaultWidth: 1024, DefaultHeight: 768,
		},
		"@cf/deepgram/nova-3": {
			Task: workload.SpeechRecognition, AudioMinute: 472.73, AudioMinuteLive: 836.36, WebSocket: true,
		},
		"@cf/deepgram/aura-1":          {Task: workload.TextToSpeech, CharactersPerK: 1363.64, WebSocket: true},
		"@cf/pipecat-ai/smart-turn-v2": {Task: workload.VoiceActivity, AudioMinute: 30.9, WebSocket: true},
	} {
		if got, ok := price.Embedded().Row(name); !ok || got != want {
			t.Errorf("%s\n got %+v (%v)\nwant %+v", name, got, ok, want)
		}
	}
}

func TestAnAliasIsBilledAsItsTarget(t *testing.T) {
	const alias, target, plain = "@cf/moonshotai/kimi-k2.5", "@cf/moonshotai/kimi-k2.6", "@cf/baai/bge-m3"
	table := price.Embedded()
	for name, billedAs := range map[string]string{alias: target, target: target, plain: plain} {
		want, _ := table.Row(billedAs)
		got := table.Resolve(name)
		if !got.Known || got.Row != want {
			t.Errorf("%s: got %+v (known %v), want %+v", name, got.Row, got.Known, want)
		}
		if got.Name != name || got.BilledAs != billedAs {
			t.Errorf("got %s billed as %s, want %s as %s", got.Name, got.BilledAs, name, billedAs)
		}
	}
	if got := table.Resolve(alias); !got.RequiresWorkersPaid {
		t.Errorf("alias: requires Workers Paid = %t, want true, as its target", got.RequiresWorkersPaid)
	}
	got := table.Resolve("@cf/new/model")
	if got.Known || got.Row != (price.Row{}) {
		t.Errorf("a model that does not exist: got %+v (known %t), want none", got.Row, got.Known)
	}
	if got.BilledAs != "@cf/new/model" {
		t.Errorf("a model that does not exist: got billed as %s, want as itself", got.BilledAs)
	}
}

func TestEveryModelIsOfATaskAndHasAPrice(t *testing.T) {
	seen := map[workload.Task]bool{}
	for _, name := range price.Embedded().Models() {
		row, _ := price.Embedded().Row(name)
		seen[row.Task] = true
		free := price.Row{
			Task: row.Task, DefaultWidth: row.DefaultWidth, DefaultHeight: row.DefaultHeight,
			DefaultSteps: row.DefaultSteps, MaxSteps: row.MaxSteps, DefaultOutput: row.DefaultOutput,
			ContextWindow: row.ContextWindow, WebSocket: row.WebSocket,
			RequiresWorkersPaid: row.RequiresWorkersPaid, DeprecatedOn: row.DeprecatedOn, AliasedTo: row.AliasedTo,
		}
		if row == free {
			t.Errorf("%s: got %+v, want a price", name, row)
		}
	}
	for _, task := range workload.Tasks() {
		if !seen[task] {
			t.Errorf("got models for %v, want one for %s", seen, task)
		}
	}
	if !slices.IsSorted(workload.Tasks()) {
		t.Errorf("got tasks %v, want them sorted", workload.Tasks())
	}
}

func TestTokens(t *testing.T) {
	llama := price.Row{InputPerM: 13778, OutputPerM: 26128}
	deepseek := price.Row{InputPerM: 40000, CachedInputPerM: 1273, OutputPerM: 120000}
	odd := price.Row{InputPerM: 0.3}
	for _, c := range []struct {
		name                  string
		row                   price.Row
		input, cached, output int64
		want                  quota.Neurons
	}{
		{"nothing", llama, 0, 0, 0, 0},
		{"input and output", llama, 1000, 0, 100, 13_778_000 + 2_612_800},
		{"cached tokens at their rate", deepseek, 1000, 900, 0, 100*40000 + 900*1273},
		{"cached tokens without a rate", llama, 1000, 900, 0, 13_778_000},
		{"more cached than there are", deepseek, 10, 99, 0, 10 * 1273},
		{"negative counts", llama, -5, -5, -5, 0},
		{"negative cached", deepseek, 10, -5, 0, 400_000},
		{"a fraction is rounded up", odd, 1, 0, 0, 1},
		{"more than fits", llama, math.MaxInt64, 0, math.MaxInt64, quota.MaxNeurons},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.row.Tokens(c.input, c.cached, c.output); got != c.want {
				t.Errorf("got %d micro-neurons, want %d", got, c.want)
			}
		})
	}
}

func TestDeprecatedFromTheStartOfItsDay(t *testing.T) {
	day := time.Date(2026, 5, 30, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		on   string
		now  time.Time
		want bool
	}{
		{"the second before", "2026-05-30", day.Add(-time.Second), false},
		{"the start of the day", "2026-05-30", day, true},
		{"a year later", "2026-05-30", day.AddDate(1, 0, 0), true},
		{"by a local date", "2026-05-30", day.Add(-time.Hour).In(time.FixedZone("", 5*3600)), false},
		{"without a date", "", day, false},
	} {
		if got := (price.Row{DeprecatedOn: c.on}).Deprecated(c.now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
