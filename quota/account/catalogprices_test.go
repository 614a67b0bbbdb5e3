package account_test

import (
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// What the simulated catalog says of the embedded table is that table, with what only the catalog knows.
func TestCatalogPricesOfTheEmbeddedTable(t *testing.T) {
	c := ask(t, workersai.New(workersai.Options{Account: testAccount, Token: testToken}), testToken)
	models, err := c.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	merged, told := price.Embedded().WithCatalog("2026-11-22", account.CatalogPrices(models, price.Embedded().USD()))
	if len(told) != 0 || merged.AsOf() != "2026-11-22" {
		t.Errorf("%+v", told)
	}
	for _, name := range price.Embedded().Models() {
		want, _ := price.Embedded().Row(name)
		got, _ := merged.Row(name)
		if want.Task == quota.TextGeneration && got.ContextWindow == 0 {
			t.Errorf("%s has no context window", name)
		}
		if got.ContextWindow = 0; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	// A beta that is not billed costs the least there is, and is known.
	e := price.NewEstimator(merged, price.Bound).Estimate(merged.Resolve("@cf/lykon/dreamshaper-8-lcm"), quota.Request{PromptBytes: 100})
	if !e.Known || e.Neurons != quota.OneNeuron/1000 {
		t.Errorf("%+v", e)
	}
}

func TestCatalogPrices(t *testing.T) {
	usd := 0.000011
	for name, c := range map[string]struct {
		tags   []account.Tag
		priced bool
		unread string
		want   price.Row
	}{
		"tokens":            {[]account.Tag{{"per M input tokens", 0.22}, {"per M output tokens", 0.55}}, true, "", price.Row{InputPerM: 20000, OutputPerM: 50000}},
		"spelt otherwise":   {[]account.Tag{{"Per  512x512  tile", 0.00011}}, true, "", price.Row{Tile: 10}},
		"free":              {[]account.Tag{{"per whatever", 0}}, true, "", price.Row{}},
		"an unknown unit":   {[]account.Tag{{"per M input tokens", 0.22}, {"per fortnight", 3}}, false, "per fortnight", price.Row{InputPerM: 20000}},
		"without any price": {nil, false, "", price.Row{}},
	} {
		o := account.CatalogPrices([]account.Model{{Name: "m", Task: "Text-to-Image", Prices: c.tags}}, usd)[0]
		c.want.Task = quota.TextToImage
		for _, v := range []*float64{&o.Row.InputPerM, &o.Row.OutputPerM, &o.Row.Tile} { // rounded, for the comparison
			*v = float64(int64(*v*1000+0.5)) / 1000
		}
		if o.Priced != c.priced || o.Unread != c.unread || o.Row != c.want {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
