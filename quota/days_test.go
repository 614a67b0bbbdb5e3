package quota_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// ServeHTTP answers as the simulator does, but for prices once there is a catalog.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// Ten days with resets, outages of the figure, prices that change, a catalog that is wrong, calls that cost other
// than they were estimated, and another spender: ledger and account agree at the end of each day. By default it is
// two days.
//
// Of every other call Workers AI reports the neurons, of the others its tokens alone, which cost what the table says.
// A price that rises hours before the catalog is read shows as external.
func TestLedgerAndAccountAgreeForDays(t *testing.T) {
	days := 2
	if *seeds >= 100 {
		days = 10
	}
	virtually(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 11))
		c := newCloud(t, workersai.Options{GraphQLFails: func(now time.Time) string {
			if now.Hour()%6 == 3 || now.Minute() < 7 { // an hour in six, and some minutes of each
				return "internal server error"
			}
			return ""
		}})
		defer c.client.Close()
		l := open(t, quota.Options{Limit: 100_000 * n, Heartbeat: longBeat})
		e := price.NewEstimator(nil, price.Bound)
		models := []string{"@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/meta/llama-3.2-3b-instruct", "@cf/qwen/qwq-32b"}
		c.reconcile(t, l)
		var before, counted quota.Neurons
		for day := range days {
			end := l.Snapshot().ResetsAt
			rises := end.Add(-6 * time.Hour)
			changes := rises // or is read
			prices, listed := map[string]price.Row{}, map[string]price.Row{}
			for _, m := range models {
				p, _ := price.Embedded().Row(m)
				prices[m] = times(p, 0.3+3*rng.Float64())
				listed[m] = prices[m]
				if wrong := day%4 == 1; wrong {
					prices[m], listed[m] = p, times(p, 1e9)
				}
			}
			c.catalog = listed
			if refused, want := c.readPrices(t, e), map[bool]int{true: len(models)}[day%4 == 1]; refused != want {
				t.Errorf("day %d: got the prices of %d models refused, want %d", day, refused, want)
			}
			for time.Until(end) > 70*time.Second {
				switch now := time.Now(); {
				case day%4 != 2 || now.Before(changes):
				case changes == rises:
					for m, p := range prices {
						prices[m] = times(p, 1.5)
					}
					changes = end.Add(-30 * time.Minute)
				default:
					c.catalog, changes = prices, end
					c.readPrices(t, e)
				}
				m := models[rng.IntN(len(models))]
				u := quota.Usage{Input: rng.Int64N(200), Output: rng.Int64N(200), HasTokens: true}
				cost := prices[m].Tokens(u.Input, 0, u.Output)
				if rng.IntN(2) == 0 {
					u.Neurons, u.HasNeurons = cost.Float(), true
				}
				estimate := e.Estimate(e.Resolve(m), quota.Request{PromptBytes: 2 * u.Input, MaxTokens: 200})
				res := take(t, l, quota.Call{Model: m, Estimate: estimate.Neurons})
				time.Sleep(time.Duration(rng.IntN(20)) * time.Second)
				booked, ok := e.Cost(e.Resolve(m), u)
				if !ok {
					t.Fatalf("%s: got no cost for %+v, want one", m, u)
				}
				res.Settle(booked)
				c.bill(cost, true)
				if rng.IntN(3) == 0 && time.Until(end) > 20*time.Minute {
					c.bill(quota.Neurons(rng.Int64N(int64(4*n))), false)
				}
				time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
			}
			s := l.Snapshot().Account
			billed := c.Billed() - before
			before = c.Billed()
			counted += s.Used + s.External
			if drift := (s.Used + s.External - billed).Float() / billed.Float(); drift > 0.001 || drift < -0.001 {
				t.Errorf("day %d: got %v used and %v external, want the %v that were billed: %.3f %% off",
					day, s.Used, s.External, billed, drift*100)
			}
			time.Sleep(2 * time.Minute)
		}
		off := 100 * (counted - c.Billed()).Float() / c.Billed().Float()
		t.Logf("%d days, %v billed, %v counted: %.4f %%", days, c.Billed(), counted, off)
	})
}
