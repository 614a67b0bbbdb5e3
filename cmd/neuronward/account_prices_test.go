package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// dearer is the embedded table with output of model at ten times its price, and a model that it does not have.
func dearer() *price.Table {
	row, _ := price.Embedded().Row(model)
	row.OutputPerM *= 10
	table, _ := price.Embedded().WithCatalog("2026-11-22", []price.CatalogPrice{
		{Model: model, Row: row, Priced: true},
		{
			Model: "@cf/new/model", Priced: true,
			Row: price.Row{Task: workload.TextGeneration, InputPerM: 1000, OutputPerM: 2000},
		},
	})
	return table
}

// simulated serves a simulated account and returns the URL of its API.
func simulated(t *testing.T, o workersai.Options) string {
	t.Helper()
	o.Account, o.Token = hexAccount, fakeToken
	server := httptest.NewServer(workersai.New(o))
	t.Cleanup(server.Close)
	return server.URL + "/client/v4"
}

// tabled is what newPriceFeed makes of some settings, beside what it reports and logs.
type tabled struct {
	*account.PriceFeed
	estimator *price.Estimator
	known     map[string]bool
	log       bytes.Buffer
}

func newTabled(t *testing.T, token proxy.Secret, set ...string) *tabled {
	t.Helper()
	c, err := config.Load(environ(set...), new(config.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	p := &tabled{estimator: price.NewEstimator(nil, price.Bound), known: map[string]bool{}}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	p.PriceFeed = newPriceFeed(c, p.estimator, token, func(names []string) {
		for _, n := range names {
			p.known[n] = true
		}
	}, nil, log)
	return p
}

func aToken() string { return fakeToken }

func TestPricesThatAreNotLive(t *testing.T) {
	own := filepath.Join(t.TempDir(), "prices.json")
	write := func(text string) {
		if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"as_of":"2026-01-02","usd_per_1000_neurons":0.011,"free_daily_neurons":10000,` +
		`"models":{"@cf/my/model":{"task":"text-generation","input_tokens_per_m":100}}}`)
	for _, c := range []struct {
		name, set, source, asOf, log string
		token                        proxy.Secret
	}{
		{"embedded", "embedded", "embedded", price.Embedded().AsOf(), "", aToken},
		{"without a token", "live", "embedded", price.Embedded().AsOf(), "without a token", nil},
		{"a file", own, "file", "2026-01-02", "", aToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTabled(t, c.token, "NEURONWARD_PRICES="+c.set)
			p.Run(t.Context()) // which returns
			s := pricesOf(p.Status())
			want := status.Prices{
				Source: c.source, AsOf: c.asOf, Models: len(p.known), Departures: []price.Deviation{},
			}
			if !reflect.DeepEqual(s, want) {
				t.Errorf("got %+v, want %+v", s, want)
			}
			if got := p.estimator.Table().AsOf(); got != c.asOf {
				t.Errorf("got a table as of %s, want %s", got, c.asOf)
			}
			if log := p.log.String(); strings.Count(log, "\n") != min(len(c.log), 1) || !strings.Contains(log, c.log) {
				t.Errorf("got log\n%s\nwant %q", log, c.log)
			}
		})
	}
	write(`{"as_of":"soon","models":{}}`)
	for set, want := range map[string]string{
		own: "as_of", "liev": "write live, embedded, or the path", t.TempDir(): "is a directory",
	} {
		_, err := config.Load(environ("NEURONWARD_PRICES="+set), new(config.Redactor))
		if err == nil {
			t.Errorf("%s: got no mistake, want one", set)
			continue
		}
		contains(t, set, err.Error(), want)
		lacks(t, set, err.Error(), "\n")
	}
}

// first returns the first log line whose message begins with prefix. Unlike await it also finds a line that was logged
// before the process listened: the prices are read at the same time.
func (p *process) first(prefix string) map[string]any {
	p.t.Helper()
	for {
		for text := range strings.Lines(p.log.String()) {
			line := map[string]any{}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				continue
			}
			if msg, _ := line["msg"].(string); strings.HasPrefix(msg, prefix) {
				return line
			}
		}
		if _, ok := <-p.lines; !ok {
			p.t.Fatalf("the process ended, want the log line %q before", prefix)
		}
	}
}

// The whole of it in a process, which calls with prices that another one has read.
func TestProcessKeepsLivePrices(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	set := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken, "XDG_STATE_HOME=" + state,
		"NEURONWARD_PRICES=live", "NEURONWARD_LOG_LEVEL=debug",
		"NEURONWARD_UPSTREAM=" + simulated(t, workersai.Options{Prices: dearer()}),
	}
	p := start(t, set)
	if line := p.first("prices are in use"); line["source"] != "live" {
		t.Errorf("got %v, want the source live", line)
	}
	code, body := p.do(http.MethodPost, p.app+"/run/@cf/new/model", `{"prompt":"x","max_tokens":16}`)
	if code != http.StatusOK {
		t.Errorf("got %d %s, want 200", code, body)
	}
	_, series := p.get(p.admin + "/metrics")
	contains(t, "the series", series, `model="@cf/new/model"`)
	s := p.status().Prices
	if s.Source != config.PricesLive || s.Failure != nil {
		t.Errorf("got %+v, want live prices and no failure", s)
	}
	if len(s.Departures) != 1 {
		t.Errorf("got departures %+v, want one", s.Departures)
	}
	p.stop()

	again := start(t, append(set, "NEURONWARD_API=http://127.0.0.1:1/client/v4"))
	if line := again.first("live prices cannot be read"); line["in_use"] != "kept" || line["age"] != "0s" {
		t.Errorf("got %v, want kept prices in use, of an age of 0s", line)
	}
	s = again.status().Prices
	if s.Source != string(account.PricesKept) || s.Failure == nil {
		t.Errorf("got %+v, want kept prices and a failure", s)
	}
	if len(s.Departures) != 1 {
		t.Errorf("got departures %+v, want one", s.Departures)
	}
	again.stop()
}
