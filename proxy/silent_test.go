package proxy

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// A model that answers with the bytes of a picture says nowhere what that cost,
// and the table is wrong about it. Once the account's own figure has the calls,
// they and the next ones are booked right.
func TestAPictureThatCostsOtherThanItsTable(t *testing.T) {
	const model = "@cf/leonardo/phoenix-1.0"
	for name, times := range map[string]float64{"dearer": 3, "cheaper": 0.5} {
		t.Run(name, func(t *testing.T) {
			row, _ := price.Embedded().Row(model)
			row.Tile, row.Step = row.Tile*times, row.Step*times
			prices, _ := price.Embedded().WithCatalog("2026-11-22",
				[]price.CatalogPrice{{Model: model, Row: row, Priced: true}})
			virtually(t, func(t *testing.T) {
				time.Sleep(time.Hour)
				g := newGuarded(t, quota.Options{Limit: 100_000 * neuron},
					workersai.Options{Prices: prices, AnalyticsLag: 5 * time.Minute})
				defer g.close()
				client, err := account.New(account.Config{
					API: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/client/v4"}, Account: testAccount,
					Token: func() string { return testToken }, Transport: inMemory{g.sim},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				call := func() {
					t.Helper()
					if w := g.post("/ai/run/"+model, `{"prompt":"a cat","width":1024,"height":768}`); w.Code != 200 ||
						w.Header().Get("Cf-Ai-Neurons") != "" {
						t.Fatalf("a call: got status %d, Cf-Ai-Neurons %q, want 200 and none: %s", w.Code,
							w.Header().Get("Cf-Ai-Neurons"), w.Body)
					}
				}
				for range 4 {
					call()
				}
				if used := g.ledger.Snapshot().Account.Used.Float(); used < g.sim.Billed().Float()/times*0.999 ||
					used > g.sim.Billed().Float()/times*1.001 {
					t.Errorf("used by the table: got %v, want %v or a thousandth more or less, of %v billed", used,
						g.sim.Billed().Float()/times, g.sim.Billed())
				}
				for range 3 {
					time.Sleep(6 * time.Minute)
					found, err := g.ledger.Audit(t.Context(), 5*time.Minute,
						func(ctx context.Context, day quota.Day, until time.Time) (map[string]quota.ModelBill, error) {
							u, err := client.CallsUntil(ctx, day, until)
							if err != nil || len(u.Models) != 1 {
								t.Errorf("the account's calls: got %+v and error %v, want one model and no error", u,
									err)
							}
							return map[string]quota.ModelBill{u.Models[0].Model: {
								Neurons: u.Models[0].Neurons,
								Calls:   u.Models[0].Calls,
							}}, err
						})
					if err != nil {
						t.Fatal(err)
					}
					for _, a := range found {
						g.config.Estimator.Correct(a.Model, a.Ratio)
					}
				}
				for range 2 {
					if used, billed := g.ledger.Snapshot().Account.Used, g.sim.Billed(); max(used-billed,
						billed-used) > neuron/1000 {
						t.Errorf("used: got %v, want the %v billed, or a thousandth of a neuron more or less", used,
							billed)
					}
					call()
				}
			})
		})
	}
}
