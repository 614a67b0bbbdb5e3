package quota_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// ServeHTTP answers as the simulator does, but for prices once there is a catalog, and for figures that are wrong.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.figures != nil && strings.HasSuffix(r.URL.Path, "/graphql") {
		c.figures.serve(w, r, c.Simulator)
		return
	}
	if c.catalog == nil || !strings.HasSuffix(r.URL.Path, "/ai/models/search") {
		c.Simulator.ServeHTTP(w, r)
		return
	}
	type tag struct {
		Unit  string  `json:"unit"`
		Price float64 `json:"price"`
	}
	type property struct {
		ID    string `json:"property_id"`
		Value []tag  `json:"value"`
	}
	type model struct {
		Name       string            `json:"name"`
		Task       map[string]string `json:"task"`
		Properties []property        `json:"properties"`
	}
	usd := price.Embedded().USD()
	var all []model
	for name, p := range c.catalog {
		all = append(all, model{name, map[string]string{"name": "Text Generation"}, []property{{"price", []tag{
			{"per M input tokens", p.InputPerM * usd}, {"per M output tokens", p.OutputPerM * usd},
		}}}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"success": true, "result": all, "errors": []any{}, "messages": []any{},
	})
}

// times is p at so many times its price.
func times(p price.Row, factor float64) price.Row {
	p.InputPerM *= factor
	p.OutputPerM *= factor
	return p
}

// readPrices reads the catalog into e and returns of how many models the prices are refused.
func (c *cloud) readPrices(t *testing.T, e *price.Estimator) (refused int) {
	live, err := c.client.Models(t.Context())
	if err != nil {
		t.Error(err)
	}
	base := price.Embedded()
	table, deviations := base.WithCatalog(quota.DayOf(time.Now()).String(), account.CatalogPrices(live, base.USD()))
	e.SetTable(table)
	for _, d := range deviations {
		if d.Refused != "" {
			refused++
		}
	}
	return refused
}
