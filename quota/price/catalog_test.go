package price

import (
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// Every price of a Row is a column, in its order; a new one must be added.
func TestColumnsAreAllPrices(t *testing.T) {
	var p Row
	columns := p.columns()
	v := reflect.ValueOf(&p).Elem()
	row := reflect.TypeFor[priceRow]()
	i := 0
	for f := range v.Fields() {
		if f.Type.Kind() != reflect.Float64 {
			continue
		}
		if i >= len(columns) || v.FieldByIndex(f.Index).Addr().Interface() != columns[i].value {
			t.Fatalf("%s is not column %d", f.Name, i)
		}
		if in, ok := row.FieldByName(f.Name); !ok || in.Tag.Get("json") != columns[i].name || columns[i].place != i {
			t.Errorf("%s is %+v", f.Name, columns[i])
		}
		i++
	}
	if i != len(columns) {
		t.Errorf("%d prices, %d columns", i, len(columns))
	}
}

func TestOver(t *testing.T) {
	const turn = "@cf/pipecat-ai/smart-turn-v2"
	table := &Table{asOf: "2026-08-28", usd: 0.011, free: 10_000 * quota.OneNeuron, names: []string{"old", "text", turn, "was"}, models: map[string]Row{
		"text": {Task: quota.TextGeneration, InputPerM: 1000, OutputPerM: 3000, DefaultOutput: 4096, RequiresWorkersPaid: true, DeprecatedOn: "2026-05-30"},
		"old":  {Task: quota.TextGeneration, InputPerM: 500, OutputPerM: 500, AliasedTo: "text"},
		"was":  {Task: quota.TextToImage, Tile: 5, Step: 10, DefaultSteps: 4},
		turn:   {Task: quota.VoiceActivity, AudioMinute: 0.51},
	}}
	factor := measuredFactor(turn)
	offer := func(model string, p Row) CatalogPrice { return CatalogPrice{Model: model, Row: p, Priced: true} }
	text := func(change func(*Row)) Row {
		p := table.models["text"]
		p.RequiresWorkersPaid = false
		change(&p)
		return p
	}
	cases := []struct {
		name    string
		offer   CatalogPrice
		want    Row
		units   string // of the departures
		refused string // part of why
	}{
		{
			"rounded to cents, the table is more exact", offer("text", Row{InputPerM: 990, OutputPerM: 3050, RequiresWorkersPaid: true, ContextWindow: 8000}),
			text(func(p *Row) { p.RequiresWorkersPaid, p.ContextWindow = true, 8000 }), "", "",
		},
		{"a little dearer", offer("text", Row{InputPerM: 1100, OutputPerM: 3000}), text(func(p *Row) { p.InputPerM = 1100 }), "", ""},
		{
			"far from the table", offer("text", Row{InputPerM: 2000, OutputPerM: 1000, CachedInputPerM: 100}),
			text(func(p *Row) { p.InputPerM, p.OutputPerM, p.CachedInputPerM = 2000, 1000, 100 }), "input_tokens_per_m output_tokens_per_m", "",
		},
		{"output is not named", offer("text", Row{InputPerM: 1500}), text(func(p *Row) { p.InputPerM = 1500 }), "input_tokens_per_m", ""},
		{"too dear to be true", offer("text", Row{InputPerM: 1e9}), text(func(*Row) {}), "", "not between"},
		{"too cheap to be true", offer("text", Row{InputPerM: 1, OutputPerM: 3000}), text(func(*Row) {}), "", "not between"},
		{"below zero", offer("text", Row{InputPerM: -1000}), text(func(*Row) {}), "", "not between"},
		{"cached dearer than fresh", offer("text", Row{InputPerM: 1000, CachedInputPerM: 2000}), text(func(*Row) {}), "", "dearer"},
		{"suddenly free", offer("text", Row{}), text(func(*Row) {}), "", "free"},
		{"a unit that nobody knows", CatalogPrice{Model: "text", Unread: "per fortnight"}, text(func(*Row) {}), "", "per fortnight"},
		{"no prices at all", CatalogPrice{Model: "text", Row: Row{DeprecatedOn: "2027-01-01"}}, text(func(p *Row) { p.DeprecatedOn = "2027-01-01" }), "", ""},
		{"billed by other units", offer("was", Row{FirstMegapixel: 20}), Row{Task: quota.TextToImage, FirstMegapixel: 20, DefaultSteps: 4}, "", ""},
		{"an alias, cheaper than its target", offer("old", Row{InputPerM: 500, OutputPerM: 500}), table.models["old"], "", ""},
		{"an alias, dearer by now", offer("old", Row{InputPerM: 9000, OutputPerM: 500}), Row{Task: quota.TextGeneration, InputPerM: 9000, OutputPerM: 500}, "input_tokens_per_m", ""},
		{"below what was measured", offer(turn, Row{AudioMinute: 30.72}), table.models[turn], "", ""},
		{"above what was measured", offer(turn, Row{AudioMinute: 60}), Row{Task: quota.VoiceActivity, AudioMinute: 60 / factor}, "audio_minute", ""},
		{"new", offer("new", Row{Task: quota.TextEmbeddings, InputPerM: 2000}), Row{Task: quota.TextEmbeddings, InputPerM: 2000}, "", ""},
		{"new and free", offer("new", Row{Task: quota.TextToImage}), Row{Task: quota.TextToImage}, "", ""},
		{"new, without a price", CatalogPrice{Model: "new", Row: Row{Task: quota.TextToImage}}, Row{}, "", ""},
		{"new, of a task without estimates", offer("new", Row{Task: "object-detection"}), Row{}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			merged, told := table.WithCatalog("2026-11-22", []CatalogPrice{c.offer})
			got, _ := merged.Row(c.offer.Model)
			if got != c.want {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			var units []string
			refused := ""
			for _, d := range told {
				if d.Refused != "" {
					refused = d.Refused
					continue
				}
				units = append(units, d.Unit)
			}
			if strings.Join(units, " ") != c.units || (refused != "") != (c.refused != "") || !strings.Contains(refused, c.refused) {
				t.Errorf("told %+v", told)
			}
			if merged.AsOf() != "2026-11-22" || merged.USD() != table.USD() || merged.DailyFree() != table.free || len(merged.Models()) != len(merged.models) {
				t.Errorf("the rest of the table: %+v", merged)
			}
		})
	}
	if p, _ := table.Row("text"); p.InputPerM != 1000 || len(table.models) != 4 {
		t.Error("the table itself has changed")
	}
}

// What was measured bounds a call by the larger of the two.
func TestOverKeepsWhatWasMeasured(t *testing.T) {
	const turn = "@cf/pipecat-ai/smart-turn-v2"
	minute := quota.Request{AudioSeconds: 60}
	for live, want := range map[float64]float64{0.51: 30.73, 30.72: 30.73, 61.46: 61.46} {
		merged, _ := Embedded().WithCatalog("2026-11-22", []CatalogPrice{{Model: turn, Priced: true, Row: Row{Task: quota.VoiceActivity, AudioMinute: live}}})
		if got := NewEstimator(merged, Bound).Estimate(merged.Resolve(turn), minute).Neurons.Float(); got < want-0.01 || got > want+0.01 {
			t.Errorf("at %v a minute costs %v, want %v", live, got, want)
		}
	}
}

func TestContextWindowBoundsTokens(t *testing.T) {
	p := Row{Task: quota.TextGeneration, InputPerM: 1000, OutputPerM: 1000, ContextWindow: 8000}
	table := &Table{models: map[string]Row{"m": p}, names: []string{"m"}}
	for _, c := range []struct {
		prompt, most int64
		want         float64 // tokens
	}{{100, 50, 100 + templateTokens + 50}, {1 << 20, 50, 8050}, {1 << 20, 1 << 20, 16000}, {100, 0, 100 + templateTokens + unknownOutput}} {
		got := NewEstimator(table, Bound).Estimate(table.Resolve("m"), quota.Request{PromptBytes: c.prompt, MaxTokens: c.most}).Neurons.Float() * 1000
		if got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("%d bytes and %d tokens are bound by %v tokens, want %v", c.prompt, c.most, got, c.want)
		}
	}
}

// A model whose end is planned is still answered, and still bounds what nobody knows.
func TestUnknownModelsCostWhatPlannedEndsDo(t *testing.T) {
	for end, want := range map[string]bool{"2026-11-21": false, "2026-11-22": false, "2026-11-23": true, "": true} {
		table := &Table{asOf: "2026-11-22", names: []string{"m"}, models: map[string]Row{"m": {Task: quota.TextGeneration, InputPerM: 1e6, DeprecatedOn: end}}}
		if got := NewEstimator(table, Bound).Estimate(table.Resolve("unknown"), quota.Request{PromptBytes: 1000}); (got.Neurons > quota.OneNeuron) != want {
			t.Errorf("ends on %q: %v", end, got.Neurons)
		}
	}
}
