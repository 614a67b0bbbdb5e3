package proxy

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// offered is the embedded table with one offer over it.
func offered(model string, p price.Row) *price.Table {
	merged, _ := price.Embedded().WithCatalog("2026-11-22", []price.CatalogPrice{{Model: model, Row: p, Priced: true}})
	return merged
}

func TestPricesAreReplacedWhileCallsAreServed(t *testing.T) {
	g := newGuarded(t, quota.Options{Limit: 100 * quota.OneNeuron}, workersai.Options{},
		func(c *Config) { c.FreePlan = true })
	dear := price.Row{Task: workload.TextGeneration, InputPerM: 4e6, OutputPerM: 4e6}
	call := func() (int, string) {
		w := g.post("/v1/chat/completions", chat)
		return w.Code, w.Body.String()
	}
	if status, body := call(); status != http.StatusOK {
		t.Fatalf("at the embedded price: got %d %s, want 200", status, body)
	}
	g.config.Estimator.SetTable(offered(testModel, dear))
	if status, body := call(); status != http.StatusTooManyRequests || !strings.Contains(body, "account_limited") {
		t.Errorf("at a price beyond the day: got %d %s, want 429 and account_limited", status, body)
	}
	paid := price.Row{Task: workload.TextGeneration, InputPerM: 13778, OutputPerM: 26128, RequiresWorkersPaid: true}
	g.config.Estimator.SetTable(offered(testModel, paid))
	if status, body := call(); status != http.StatusForbidden || !strings.Contains(body, "paid_plan_required") {
		t.Errorf("once it requires Workers Paid: got %d %s, want 403 and paid_plan_required", status, body)
	}
	g.config.Estimator.SetTable(price.Embedded())
	if status, body := call(); status != http.StatusOK {
		t.Errorf("at the embedded price again: got %d %s, want 200", status, body)
	}
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 20 {
				call()
			}
		})
	}
	for i := range 50 {
		g.config.Estimator.SetTable(offered(testModel,
			price.Row{Task: workload.TextGeneration, InputPerM: 13778 + float64(i), OutputPerM: 26128}))
		g.proxy.KnowModels([]string{fmt.Sprint("@cf/new/", i)})
	}
	calls.Wait()
	g.close()
}

func TestKnownModelsAreBounded(t *testing.T) {
	b := newBench(t, answerJSON(http.StatusOK, `{}`))
	names := make([]string, 600)
	for i := range names {
		names[i] = fmt.Sprint("@cf/new/", i)
	}
	if b.proxy.models.label(names[0]) != "other" {
		t.Errorf("before it is known: got the label %q for %s, want other", b.proxy.models.label(names[0]), names[0])
	}
	b.proxy.KnowModels(names[:10])
	b.proxy.KnowModels(names)
	for name, want := range map[string]string{
		testModel: testModel, names[0]: names[0], names[498]: names[498],
		names[499]: "other", names[599]: "other", "": "other",
	} {
		if got := b.proxy.models.label(name); got != want {
			t.Errorf("%q: got the label %q, want %q", name, got, want)
		}
	}
}

func TestModelsThatEndAreWarnedAboutOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		days int // from today to the end
		says string
	}{
		{"in 15 days", 15, ""},
		{"in 14 days", 14, "ends soon"},
		{"tomorrow", 1, "ends soon"},
		{"today", 0, "deprecated model called"},
		{"long past", -100, "deprecated model called"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 1000 * quota.OneNeuron}, workersai.Options{})
				defer g.close()
				g.post("/v1/chat/completions", chat) // no end is planned yet
				ends := time.Now().UTC().AddDate(0, 0, c.days).Format(time.DateOnly)
				g.config.Estimator.SetTable(offered(testModel,
					price.Row{InputPerM: 13778, OutputPerM: 26128, DeprecatedOn: ends}))
				for range 3 {
					g.post("/v1/chat/completions", chat)
				}
				log := g.log.String()
				if got := strings.Count(log, "model called"); got != min(len(c.says), 1) ||
					!strings.Contains(log, c.says) {
					t.Errorf("got it told %d times, want %d times with %q: %s", got, min(len(c.says), 1), c.says, log)
				}
			})
		})
	}
}

// An answer that reports tokens alone costs what the price table says. Where the account is billed other prices, the
// account's own figure by model corrects that. Where others call the model as well, what is too low shows as external,
// and what is too high stays.
func TestPricesThatAreOutOfDate(t *testing.T) {
	for _, c := range []struct {
		name   string
		times  float64 // the table's price
		others quota.Neurons
	}{
		{"they rose", 2, 0},
		{"they fell", 0.5, 0},
		{"they rose, and others call the model", 2, 3 * neuron},
		{"they fell, and others call the model", 0.5, 3 * neuron},
	} {
		t.Run(c.name, func(t *testing.T) {
			row, _ := price.Embedded().Row(testModel)
			row.InputPerM, row.OutputPerM = row.InputPerM*c.times, row.OutputPerM*c.times
			prices, _ := price.Embedded().WithCatalog("2026-11-22",
				[]price.CatalogPrice{{Model: testModel, Row: row, Priced: true}})
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{
					Prices: prices, AnalyticsLag: 5 * time.Minute, Telling: workersai.TellTotal,
				})
				time.Sleep(time.Hour)
				stop := g.reconciles()
				for range 20 {
					wantEqual(t, "status", g.post(chatPath, chat, "X-Simulate", "tokens=50").Code, http.StatusOK)
				}
				billed := g.sim.Billed()
				if c.others > 0 {
					g.sim.Spend(testModel, c.others)
				}
				wantAbout(t, "used by the table", g.ledger.Snapshot().Account.Used, billed.Float()/c.times)
				time.Sleep(20 * time.Minute)
				stop()
				s := g.close().Account
				if c.others == 0 {
					wantAbout(t, "used after two readings", s.Used, billed.Float())
					wantEqual(t, "external", s.External, 0)
					return
				}
				wantAbout(t, "used after two readings", s.Used, billed.Float()/c.times)
				wantEqual(t, "external", s.External, max(g.sim.Billed()-s.Used, 0))
			})
		})
	}
}

// wantAbout fails the test where got is a thousandth off.
func wantAbout(t *testing.T, what string, got quota.Neurons, want float64) {
	t.Helper()
	if off := got.Float()/want - 1; math.Abs(off) > 0.001 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
