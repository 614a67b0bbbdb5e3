package account_test

import (
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// The simulated catalog has the prices of the embedded table, and what only a catalog has.
func TestCatalogPricesOfTheEmbeddedTable(t *testing.T) {
	c := ask(t, workersai.New(workersai.Options{Account: testAccount, Token: testToken}), testToken)
	models, err := c.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	catalog := account.CatalogPrices(models, price.Embedded().USD())
	merged, deviations := price.Embedded().WithCatalog("2026-11-22", catalog)
	if len(deviations) != 0 {
		t.Errorf("got deviations %+v, want none", deviations)
	}
	if got := merged.AsOf(); got != "2026-11-22" {
		t.Errorf("got as of %s, want 2026-11-22", got)
	}
	for _, name := range price.Embedded().Models() {
		want, _ := price.Embedded().Row(name)
		got, _ := merged.Row(name)
		if want.Task == workload.TextGeneration && got.ContextWindow == 0 {
			t.Errorf("%s: got context window %d, want one", name, got.ContextWindow)
		}
		if got.ContextWindow, want.ContextWindow = 0, 0; got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	// A beta that is not billed costs the least there is, and is known.
	beta := merged.Resolve("@cf/lykon/dreamshaper-8-lcm")
	e := price.NewEstimator(merged, price.Bound).Estimate(beta, workload.Request{PromptBytes: 100})
	if want := quota.OneNeuron / 1000; !e.Known || e.Neurons != want {
		t.Errorf("got %+v of a beta, want a known one of %v", e, want)
	}
}

func TestCatalogPrices(t *testing.T) {
	const usd = 0.000011
	input := account.Tag{Unit: "per M input tokens", USD: 0.22}
	for name, c := range map[string]struct {
		tags   []account.Tag
		priced bool
		unread string
		want   price.Row
	}{
		"tokens": {
			[]account.Tag{input, {"per M output tokens", 0.55}},
			true, "",
			price.Row{InputPerM: 20000, OutputPerM: 50000},
		},
		"spelt otherwise": {[]account.Tag{{"Per  512x512  tile", 0.00011}}, true, "", price.Row{Tile: 10}},
		"free":            {[]account.Tag{{"per whatever", 0}}, true, "", price.Row{}},
		"an unknown unit": {
			[]account.Tag{input, {"per fortnight", 3}}, false, "per fortnight", price.Row{InputPerM: 20000},
		},
		"without any price": {nil, false, "", price.Row{}},
	} {
		got := account.CatalogPrices([]account.Model{{Name: "m", Task: "Text-to-Image", Prices: c.tags}}, usd)[0]
		c.want.Task = workload.TextToImage
		// Rounded, for the comparison.
		for _, v := range []*float64{&got.Row.InputPerM, &got.Row.OutputPerM, &got.Row.Tile} {
			*v = float64(int64(*v*1000+0.5)) / 1000
		}
		want := price.CatalogPrice{Model: "m", Row: c.want, Priced: c.priced, Unread: c.unread}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
