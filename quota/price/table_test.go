package price_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

func TestEmbeddedTable(t *testing.T) {
	p := price.Embedded()
	if p != price.Embedded() {
		t.Error("parsed twice")
	}
	names := p.Models()
	if len(names) != 67 || !slices.IsSorted(names) {
		t.Errorf("%d models, sorted %v; want 67, sorted", len(names), slices.IsSorted(names))
	}
	if p.AsOf() != "2026-08-28" || p.DailyFree() != 10_000*quota.OneNeuron || p.USD() != 0.000011 {
		t.Errorf("as of %s, %v free, $%v a neuron", p.AsOf(), p.DailyFree(), p.USD())
	}
	if _, ok := p.Row("@cf/meta/no-such-model"); ok {
		t.Error("a model that does not exist has a price")
	}
	names[0] = "changed"
	if p.Models()[0] == "changed" {
		t.Error("Models gives its own list away")
	}
}

func TestColumns(t *testing.T) {
	for name, want := range map[string]price.Row{
		"@cf/meta/llama-3.1-8b-instruct-fp8":     {Task: quota.TextGeneration, InputPerM: 13778, OutputPerM: 26128},
		"@cf/qwen/qwen3-30b-a3b-fp8":             {Task: quota.TextGeneration, InputPerM: 4625, OutputPerM: 30475},
		"@cf/deepseek-ai/deepseek-v4-flash-0731": {Task: quota.TextGeneration, InputPerM: 40000, CachedInputPerM: 1273, OutputPerM: 120000, RequiresWorkersPaid: true},
		"@cf/moonshotai/kimi-k2.5":               {Task: quota.TextGeneration, InputPerM: 54545, CachedInputPerM: 9091, OutputPerM: 272727, DeprecatedOn: "2026-05-30", AliasedTo: "@cf/moonshotai/kimi-k2.6"},
		"@cf/cloudflare/clef":                    {Task: quota.TextGeneration, InputPerM: 21818},
		"@cf/microsoft/resnet-50":                {Task: quota.ImageClassification, Image: 0.228055},
		"@cf/black-forest-labs/flux-1-schnell":   {Task: quota.TextToImage, Tile: 4.8, Step: 9.6, DefaultWidth: 1024, DefaultHeight: 1024, DefaultSteps: 4, MaxSteps: 8},
		"@cf/leonardo/lucid-origin":              {Task: quota.TextToImage, Tile: 636, Step: 12, DefaultWidth: 1120, DefaultHeight: 1120, DefaultSteps: 15, MaxSteps: 40},
		"@cf/black-forest-labs/flux-2-dev":       {Task: quota.TextToImage, InputTileStep: 18.75, OutputTileStep: 37.5, DefaultWidth: 1024, DefaultHeight: 768},
		"@cf/black-forest-labs/flux-2-klein-4b":  {Task: quota.TextToImage, InputTile: 5.37, OutputTile: 26.05, DefaultWidth: 1024, DefaultHeight: 768},
		"@cf/black-forest-labs/flux-2-klein-9b":  {Task: quota.TextToImage, FirstMegapixel: 1363.64, NextMegapixel: 181.82, InputMegapixel: 181.82, DefaultWidth: 1024, DefaultHeight: 768},
		"@cf/deepgram/nova-3":                    {Task: quota.SpeechRecognition, AudioMinute: 472.73, AudioMinuteLive: 836.36},
		"@cf/deepgram/aura-1":                    {Task: quota.TextToSpeech, CharactersPerK: 1363.64},
		"@cf/pipecat-ai/smart-turn-v2":           {Task: quota.VoiceActivity, AudioMinute: 0.51},
	} {
		if got, ok := price.Embedded().Row(name); !ok || got != want {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestAnAliasIsBilledAsItsTarget(t *testing.T) {
	const alias, target, plain = "@cf/moonshotai/kimi-k2.5", "@cf/moonshotai/kimi-k2.6", "@cf/baai/bge-m3"
	p := price.Embedded()
	for billed, as := range map[string]string{alias: target, target: target, plain: plain} {
		want, _ := p.Row(as)
		if got := p.Resolve(billed); !got.Known || got.Row != want || got.Name != billed || got.BilledAs != as {
			t.Errorf("%s: got %+v, want %s: %+v", billed, got, as, want)
		}
	}
	if got := p.Resolve(alias); !got.RequiresWorkersPaid {
		t.Error("the alias is answered on the free plan, its target is not")
	}
	if got := p.Resolve("@cf/new/model"); got.Known || got.Row != (price.Row{}) || got.BilledAs != "@cf/new/model" {
		t.Errorf("a model that does not exist: got %+v, want one that is not known", got)
	}
}

func TestEveryModelIsOfATaskAndHasAPrice(t *testing.T) {
	seen := map[quota.Task]bool{}
	for _, name := range price.Embedded().Models() {
		p, _ := price.Embedded().Row(name)
		seen[p.Task] = true
		free := price.Row{
			Task: p.Task, DefaultWidth: p.DefaultWidth, DefaultHeight: p.DefaultHeight, DefaultSteps: p.DefaultSteps, MaxSteps: p.MaxSteps, DefaultOutput: p.DefaultOutput,
			RequiresWorkersPaid: p.RequiresWorkersPaid, DeprecatedOn: p.DeprecatedOn, AliasedTo: p.AliasedTo,
		}
		if p == free {
			t.Errorf("%s costs nothing", name)
		}
	}
	for _, task := range quota.Tasks() {
		if !seen[task] {
			t.Errorf("no model for %s", task)
		}
	}
	if !slices.IsSorted(quota.Tasks()) {
		t.Error("tasks are not sorted")
	}
}

func TestTokens(t *testing.T) {
	llama := price.Row{InputPerM: 13778, OutputPerM: 26128}
	deepseek := price.Row{InputPerM: 40000, CachedInputPerM: 1273, OutputPerM: 120000}
	odd := price.Row{InputPerM: 0.3}
	for _, c := range []struct {
		name                  string
		price                 price.Row
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
			if got := c.price.Tokens(c.input, c.cached, c.output); got != c.want {
				t.Errorf("%d micro-neurons, want %d", got, c.want)
			}
		})
	}
}

func TestDeprecatedFromTheStartOfItsDay(t *testing.T) {
	p := price.Row{DeprecatedOn: "2026-05-30"}
	day := time.Date(2026, 5, 30, 0, 0, 0, 0, time.UTC)
	if p.Deprecated(day.Add(-time.Second)) || !p.Deprecated(day) || !p.Deprecated(day.AddDate(1, 0, 0)) {
		t.Error("deprecated at the wrong time")
	}
	if east := time.FixedZone("", 5*3600); p.Deprecated(day.Add(-time.Hour).In(east)) {
		t.Error("deprecated by a local date")
	}
	if (price.Row{}).Deprecated(day) {
		t.Error("deprecated without a date")
	}
}

// table is a small valid table; each test breaks one thing in it.
const table = `{"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 10000, "models": {
	"@cf/a/new": {"task": "text-generation", "input_tokens_per_m": 1000, "cached_input_tokens_per_m": 100, "output_tokens_per_m": 2000},
	"@cf/a/old": {"task": "text-generation", "input_tokens_per_m": 1000, "deprecated_on": "2026-05-30", "aliased_to": "@cf/a/new"},
	"@cf/b/img": {"task": "text-to-image", "tile": 4.8, "step": 9.6, "default_steps": 4, "max_steps": 8},
	"@cf/c/net": {"task": "image-classification", "images_per_m": 228055, "image": 0.228055}
}}`

func TestParseRefuses(t *testing.T) {
	if _, err := price.Parse([]byte(table)); err != nil {
		t.Fatalf("the whole table: %v", err)
	}
	for _, c := range []struct{ name, from, to, says string }{
		{"what is no JSON", table, `{`, "EOF"},
		{"nothing", table, ``, "EOF"},
		{"null", table, `null`, "there is none"},
		{"more after the table", `}}`, `}} {}`, "more after"},
		{"an unknown column", `"tile"`, `"tyle"`, `unknown field "tyle"`},
		{"an unknown key beside the models", `"as_of"`, `"as_off"`, `unknown field`},
		{"a key twice", `"tile": 4.8`, `"tile": 4.8, "tile": 0.1`, `"tile" is there twice`},
		{"a key twice in another case", `"tile": 4.8`, `"tile": 4.8, "TILE": 0.1`, "twice"},
		{"a model twice", `"@cf/a/old"`, `"@cf/a/new"`, "twice"},
		{"a price as text", `"tile": 4.8`, `"tile": "4.8"`, "cannot unmarshal"},
		{"a negative price", `"tile": 4.8`, `"tile": -4.8`, "tile: -4.8 is not between"},
		{"a free tile", `"tile": 4.8`, `"tile": 0`, "tile: 0 is not between"},
		{"no task", `"task": "text-to-image", `, ``, `task: ""`},
		{"a task that does not exist", `"text-to-image"`, `"text-to-video"`, `task: "text-to-video"`},
		{"no price", `"tile": 4.8, "step": 9.6, `, ``, "no price"},
		{"a cached token dearer than another", `_per_m": 100,`, `_per_m": 1001,`, "dearer"},
		{"more steps than there may be", `"default_steps": 4`, `"default_steps": 9`, "do not go together"},
		{"a picture without end", `"default_steps": 4`, `"default_steps": 4, "default_width": 1024000`, "default_width 1024000"},
		{"a date that is none", `2026-05-30`, `2026-02-30`, "deprecated_on"},
		{"a table without a date", `2026-08-28`, `yesterday`, "as_of"},
		{"an alias to nowhere", `_to": "@cf/a/new"`, `_to": "@cf/a/newer"`, "aliased_to"},
		{"an alias to an alias", `_to": "@cf/a/new"`, `_to": "@cf/a/old"`, "aliased_to"},
		{"a dollar rate a million times off", `0.011`, `11000`, "usd_per_1000_neurons"},
		{"an allocation below nothing", `10000,`, `-1,`, "free_daily_neurons"},
		{"two prices for an image", `0.228055`, `0.5`, "images_per_m"},
		{"an image a million times too cheap", `"images_per_m": 228055, "image": 0.228055`, `"image": 0.000000228055`, "image: 2.28055e-07 is not between"},
		{"a million images for the price of one", `"images_per_m": 228055, "image": 0.228055`, `"images_per_m": 0.228055`, "images_per_m, for each: 2.28055e-07 is not"},
		{"no models", table, `{"as_of": "2026-08-28", "usd_per_1000_neurons": 0.011, "free_daily_neurons": 1, "models": {}}`, "there is none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := strings.Replace(table, c.from, c.to, 1)
			if broken == table {
				t.Fatal("nothing was broken")
			}
			p, err := price.Parse([]byte(broken))
			if err == nil || !strings.Contains(err.Error(), c.says) || p != nil {
				t.Errorf("%v, %v; want an error with %q and no table", p, err, c.says)
			}
		})
	}
}

func TestParseTellsAllMistakesAtOnce(t *testing.T) {
	broken := strings.NewReplacer("2026-05-30", "never", "4.8", "-1", "0.011", "-1").Replace(table)
	_, err := price.Parse([]byte(broken))
	for _, want := range []string{"deprecated_on", "tile", "usd_per"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}

// Each price of the real table, a million times too dear and too cheap, as a slip
// between neurons and micro-neurons would make it.
func TestAMillionTimesOffIsRefused(t *testing.T) {
	data, err := os.ReadFile("prices.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	notes := []string{"default_width", "default_height", "default_steps", "max_steps", "default_output_tokens", "usd_audio_minute", "derived_from_usd_per_m_input"}
	tried := 0
	for name, row := range file["models"].(map[string]any) {
		row := row.(map[string]any)
		for column, v := range row {
			value, ok := v.(float64)
			if !ok || value == 0 || slices.Contains(notes, column) {
				continue
			}
			for _, factor := range []float64{1e6, 1e-6} {
				row[column] = value * factor
				off, err := json.Marshal(file)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := price.Parse(off); err == nil || !strings.Contains(err.Error(), column) {
					t.Errorf("%s: %s = %v is accepted: %v", name, column, value*factor, err)
				}
				tried++
			}
			row[column] = value
		}
	}
	if tried < 200 {
		t.Errorf("only %d prices tried", tried)
	}
}
