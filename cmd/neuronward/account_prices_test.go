package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// dearer is the embedded table with output of model at ten times its price, and a model that it does not have.
func dearer() *price.Table {
	p, _ := price.Embedded().Row(model)
	p.OutputPerM *= 10
	table, _ := price.Embedded().WithCatalog("2026-11-22", []price.CatalogPrice{
		{Model: model, Row: p, Priced: true},
		{Model: "@cf/new/model", Row: price.Row{Task: quota.TextGeneration, InputPerM: 1000, OutputPerM: 2000}, Priced: true},
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

// tabled is what newPriceFeed makes of these settings, beside what it knows and logs.
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
	}, log)
	return p
}

func aToken() string { return fakeToken }

func TestPricesThatAreNotAsked(t *testing.T) {
	own := filepath.Join(t.TempDir(), "prices.json")
	write := func(text string) {
		if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"as_of":"2026-01-02","usd_per_1000_neurons":0.011,"free_daily_neurons":10000,"models":{"@cf/my/model":{"task":"text-generation","input_tokens_per_m":100}}}`)
	for _, c := range []struct {
		name, set, source, asOf, says string
		token                         proxy.Secret
	}{
		{"embedded", "embedded", "embedded", price.Embedded().AsOf(), "", aToken},
		{"without a token", "live", "embedded", price.Embedded().AsOf(), "without a token", nil},
		{"a file", own, "file", "2026-01-02", "", aToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTabled(t, c.token, "NEURONWARD_PRICES="+c.set)
			p.Run(t.Context()) // which returns
			s := pricesOf(p.Status())
			if s.Source != c.source || s.AsOf != c.asOf || s.AskedAt != nil || s.Failure != nil || p.estimator.Table().AsOf() != c.asOf || s.Models != len(p.known) {
				t.Errorf("%+v", s)
			}
			if log := p.log.String(); strings.Count(log, "\n") != min(len(c.says), 1) || !strings.Contains(log, c.says) {
				t.Errorf("%s", log)
			}
		})
	}
	write(`{"as_of":"soon","models":{}}`)
	for set, want := range map[string]string{own: "as_of", "liev": "write live, embedded, or the path", t.TempDir(): "is a directory"} {
		_, err := config.Load(environ("NEURONWARD_PRICES="+set), new(config.Redactor))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// The whole of it in a process, which calls with prices that another one has read.
func TestProcessKeepsLivePrices(t *testing.T) {
	state := t.TempDir()
	set := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken, "XDG_STATE_HOME=" + state, "NEURONWARD_PRICES=live",
		"NEURONWARD_LOG_LEVEL=debug", "NEURONWARD_UPSTREAM=" + simulated(t, workersai.Options{Prices: dearer()}),
	}
	p := start(t, set)
	if line := p.await("prices are in use"); line["source"] != "live" {
		t.Errorf("%v", line)
	}
	if status, body := p.do(http.MethodPost, p.app+"/run/@cf/new/model", `{"prompt":"x","max_tokens":16}`); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if _, series := p.get(p.admin + "/metrics"); !strings.Contains(series, `model="@cf/new/model"`) {
		t.Error("a model that the catalog knows is no label")
	}
	if s := p.status().Prices; s.Source != config.PricesLive || len(s.Departures) != 1 || s.Failure != nil {
		t.Errorf("%+v", s)
	}
	p.stop()

	again := start(t, append(set, "NEURONWARD_API=http://127.0.0.1:1/client/v4"))
	if line := again.await("live prices cannot be read"); line["in_use"] != "kept" || line["age"] != "0s" {
		t.Errorf("%v", line)
	}
	if s := again.status().Prices; s.Source != string(account.PricesKept) || s.Failure == nil || len(s.Departures) != 1 {
		t.Errorf("%+v", s)
	}
	again.stop()
}
