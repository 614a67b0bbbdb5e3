package price

import (
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// Every price of a Row is a column, in its order; a new one must be added.
func TestColumnsAreAllPrices(t *testing.T) {
	var row Row
	columns := row.columns()
	v := reflect.ValueOf(&row).Elem()
	i := 0
	for f := range v.Fields() {
		if f.Type.Kind() != reflect.Float64 {
			continue
		}
		if i >= len(columns) || v.FieldByIndex(f.Index).Addr().Interface() != columns[i].value {
			t.Fatalf("columns = %+v, want %s as number %d", columns, f.Name, i)
		}
		if got, want := columns[i].name, f.Tag.Get("json"); got != want {
			t.Errorf("%s: got the name %q, want %q", f.Name, got, want)
		}
		if got := columns[i].index; got != i {
			t.Errorf("%s: got the index %d, want %d", f.Name, got, i)
		}
		i++
	}
	if i != len(columns) {
		t.Errorf("got %d columns, want %d", len(columns), i)
	}
}

// baseTable is what the tests lay a catalog over.
func baseTable() *Table {
	return &Table{
		asOf: "2026-08-28", usd: 0.011, free: 10_000 * quota.OneNeuron, names: []string{"old", "text", "was"},
		models: map[string]Row{
			"text": {
				Task: workload.TextGeneration, InputPerM: 1000, OutputPerM: 3000, DefaultOutput: 4096,
				RequiresWorkersPaid: true, DeprecatedOn: "2026-05-30",
			},
			"old": {Task: workload.TextGeneration, InputPerM: 500, OutputPerM: 500, AliasedTo: "text"},
			"was": {Task: workload.TextToImage, Tile: 5, Step: 10, DefaultSteps: 4},
		},
	}
}

func TestWithCatalog(t *testing.T) {
	table := baseTable()
	priced := func(model string, row Row) CatalogPrice { return CatalogPrice{Model: model, Row: row, Priced: true} }
	text := func(change func(*Row)) Row {
		row := table.models["text"]
		row.RequiresWorkersPaid = false
		change(&row)
		return row
	}
	same := func(*Row) {}
	cases := []struct {
		name    string
		catalog CatalogPrice
		want    Row
		units   string // of the deviations
		refused string // part of why
	}{
		{
			"rounded to cents, the table is more exact",
			priced("text", Row{InputPerM: 990, OutputPerM: 3050, RequiresWorkersPaid: true, ContextWindow: 8000}),
			text(func(r *Row) { r.RequiresWorkersPaid, r.ContextWindow = true, 8000 }), "", "",
		},
		{
			"a little dearer",
			priced("text", Row{InputPerM: 1100, OutputPerM: 3000}), text(func(r *Row) { r.InputPerM = 1100 }),
			"input_tokens_per_m", "",
		},
		{
			"far from the table",
			priced("text", Row{InputPerM: 2000, OutputPerM: 1000, CachedInputPerM: 100}),
			text(func(r *Row) { r.InputPerM, r.OutputPerM, r.CachedInputPerM = 2000, 1000, 100 }),
			"input_tokens_per_m cached_input_tokens_per_m output_tokens_per_m", "",
		},
		{
			"output is not named",
			priced("text", Row{InputPerM: 1500}), text(func(r *Row) { r.InputPerM = 1500 }), "input_tokens_per_m", "",
		},
		{"too dear to be true", priced("text", Row{InputPerM: 1e9}), text(same), "", "not between"},
		{"too cheap to be true", priced("text", Row{InputPerM: 1, OutputPerM: 3000}), text(same), "", "not between"},
		{"below zero", priced("text", Row{InputPerM: -1000}), text(same), "", "not between"},
		{
			"cached dearer than fresh",
			priced("text", Row{InputPerM: 1000, CachedInputPerM: 2000}), text(same), "", "dearer",
		},
		{"suddenly free", priced("text", Row{}), text(same), "", "free"},
		{
			"a unit that nobody knows",
			CatalogPrice{Model: "text", Unread: "per fortnight"},
			text(same), "", "per fortnight",
		},
		{
			"no prices at all",
			CatalogPrice{Model: "text", Row: Row{DeprecatedOn: "2027-01-01"}},
			text(func(r *Row) { r.DeprecatedOn = "2027-01-01" }), "", "",
		},
		{
			"billed by other units",
			priced("was", Row{FirstMegapixel: 20}),
			Row{Task: workload.TextToImage, FirstMegapixel: 20, DefaultSteps: 4},
			"first_megapixel", "",
		},
		{
			"an alias, cheaper than its target",
			priced("old", Row{InputPerM: 500, OutputPerM: 500}), table.models["old"], "", "",
		},
		{
			"an alias, dearer by now",
			priced("old", Row{InputPerM: 9000, OutputPerM: 500}),
			Row{Task: workload.TextGeneration, InputPerM: 9000, OutputPerM: 500},
			"input_tokens_per_m", "",
		},
		{
			"new",
			priced("new", Row{Task: workload.TextEmbeddings, InputPerM: 2000}),
			Row{Task: workload.TextEmbeddings, InputPerM: 2000},
			"", "",
		},
		{"new and free", priced("new", Row{Task: workload.TextToImage}), Row{Task: workload.TextToImage}, "", ""},
		{
			"new, without a price",
			CatalogPrice{Model: "new", Row: Row{Task: workload.TextToImage}},
			Row{},
			"", "",
		},
		{
			"new, of a task without estimates",
			priced("new", Row{Task: "object-detection"}),
			Row{},
			"", "",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			merged, deviations := table.WithCatalog("2026-11-22", []CatalogPrice{c.catalog})
			if got, _ := merged.Row(c.catalog.Model); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			var units []string
			refused := ""
			for _, d := range deviations {
				if d.Refused != "" {
					refused = d.Refused
					continue
				}
				units = append(units, d.Unit)
			}
			if got := strings.Join(units, " "); got != c.units {
				t.Errorf("got deviations of %q, want %q", got, c.units)
			}
			if (refused != "") != (c.refused != "") || !strings.Contains(refused, c.refused) {
				t.Errorf("got refused %q, want %q", refused, c.refused)
			}
			if got := merged.AsOf(); got != "2026-11-22" {
				t.Errorf("got as of %q, want 2026-11-22", got)
			}
			if merged.USD() != table.USD() || merged.DailyFree() != table.free {
				t.Errorf("got $%v a neuron and %v free, want %v and %v",
					merged.USD(), merged.DailyFree(), table.USD(), table.free)
			}
			if got, want := len(merged.Models()), len(merged.models); got != want {
				t.Errorf("got %d names of models, want %d", got, want)
			}
		})
	}
	if want := baseTable(); !reflect.DeepEqual(table, want) {
		t.Errorf("the table itself has changed: got %+v, want %+v", table, want)
	}
}

func TestContextWindowBoundsTokens(t *testing.T) {
	row := Row{Task: workload.TextGeneration, InputPerM: 1000, OutputPerM: 1000, ContextWindow: 8000}
	table := &Table{models: map[string]Row{"m": row}, names: []string{"m"}}
	for _, c := range []struct {
		prompt, max int64
		want        float64 // tokens
	}{
		{100, 50, 100 + templateTokens + 50},
		{1 << 20, 50, 8050},
		{1 << 20, 1 << 20, 16000},
		{100, 0, 100 + templateTokens + 8000},
	} {
		r := workload.Request{PromptBytes: c.prompt, MaxTokens: c.max}
		got := NewEstimator(table, Bound).Estimate(table.Resolve("m"), r).Neurons.Float() * 1000
		if got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("%d bytes and max_tokens %d: got a bound of %v tokens, want %v", c.prompt, c.max, got, c.want)
		}
	}
}

// A model whose end is planned is still answered, and still bounds unknown models.
func TestUnknownModelsCostWhatPlannedEndsDo(t *testing.T) {
	for end, want := range map[string]bool{"2026-11-21": false, "2026-11-22": false, "2026-11-23": true, "": true} {
		row := Row{Task: workload.TextGeneration, InputPerM: 1e6, DeprecatedOn: end}
		table := &Table{asOf: "2026-11-22", names: []string{"m"}, models: map[string]Row{"m": row}}
		request := workload.Request{PromptBytes: 1000}
		got := NewEstimator(table, Bound).Estimate(table.Resolve("unknown"), request).Neurons
		if (got != unknownTask) != want {
			t.Errorf("ends on %q: got %v, want it bounded by the model: %v", end, got, want)
		}
	}
}
