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
	"time"

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
	table, _ := price.Embedded().Over("2026-11-22", []price.CatalogPrice{
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

// tabled is what newPrices makes of these settings, beside what it knows and logs.
type tabled struct {
	*prices
	estimator *price.Estimator
	known     map[string]bool
	log       bytes.Buffer
}

func newTabled(t *testing.T, token proxy.Secret, set ...string) *tabled {
	t.Helper()
	l := config.Load(environ(set...), new(config.Redactor))
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	p := &tabled{estimator: price.NewEstimator(nil, price.Bound), known: map[string]bool{}}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	p.prices = newPrices(&l.Config, p.estimator, token, func(names []string) {
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
			p.watch(t.Context()) // which returns
			s := p.now()
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
		l := config.Load(environ("NEURONWARD_PRICES="+set), new(config.Redactor))
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", set, err)
		}
	}
}

func TestLivePrices(t *testing.T) {
	state := filepath.Join(t.TempDir(), "neurons")
	api := simulated(t, workersai.Options{Prices: dearer()})
	set := []string{"NEURONWARD_STORE=file:" + state, "NEURONWARD_UPSTREAM=" + api}
	p := newTabled(t, aToken, set...)
	before := p.estimator.Estimate(p.estimator.Resolve(model), quota.Request{PromptBytes: 10, MaxTokens: 1000}).Neurons
	for range 2 {
		if err := p.read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s := p.now()
	if s.Source != config.PricesLive || s.AskedAt == nil || time.Since(*s.AskedAt) > time.Minute || s.AsOf != quota.DayOf(time.Now()).String() {
		t.Errorf("%+v", s)
	}
	if len(s.Departures) != 1 || s.Departures[0].Model != model || s.Departures[0].Unit != "output_tokens_per_m" || s.Departures[0].Table != 26128 {
		t.Errorf("%+v", s.Departures)
	}
	if log := p.log.String(); strings.Count(log, "far from the table's") != 1 || strings.Count(log, "\n") != 1 {
		t.Errorf("told more than once: %s", log)
	}
	if after := p.estimator.Estimate(p.estimator.Resolve(model), quota.Request{PromptBytes: 10, MaxTokens: 1000}).Neurons; after < 9*before {
		t.Errorf("a call is estimated at %v, and was at %v", after, before)
	}
	if e := p.estimator.Estimate(p.estimator.Resolve("@cf/new/model"), quota.Request{}); !e.Known || !p.known["@cf/new/model"] || !p.known["@cf/facebook/detr-resnet-50"] {
		t.Errorf("%+v, and known are %v", e, p.known)
	}

	// At the next start Cloudflare is away.
	info, err := os.Stat(state + ".prices")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	again := newTabled(t, aToken, append(set, "NEURONWARD_API=http://127.0.0.1:1/client/v4")...)
	at, models, err := again.kept.read()
	if err != nil || !at.Equal(s.AskedAt.UTC()) && at.Sub(*s.AskedAt).Abs() > time.Second {
		t.Fatalf("%v, %v", at, err)
	}
	again.take(pricesKept, at.Add(-3*time.Hour), models)
	failure := again.read(t.Context())
	again.changed(failure)
	if account.KindOf(failure) != account.Unreachable {
		t.Errorf("%v", failure)
	}
	kept := again.now()
	if kept.Source != pricesKept || kept.Failure == nil || kept.AskedAt == nil || kept.Models != s.Models || len(kept.Departures) != 1 {
		t.Errorf("%+v", kept)
	}
	if log := again.log.String(); !strings.Contains(log, "live prices cannot be read") || !strings.Contains(log, "in_use=kept") || !strings.Contains(log, "age=3h0m0s") {
		t.Errorf("%s", log)
	}
}

func TestKeptCatalog(t *testing.T) {
	k := keptCatalog{path: filepath.Join(t.TempDir(), "prices"), account: "a"}
	if at, models, err := k.read(); err != nil || models != nil || !at.IsZero() {
		t.Errorf("nothing is kept: %v, %v, %v", at, models, err)
	}
	now := time.Now().UTC()
	want := []account.Model{{Name: "m", Task: "Translation", Prices: []account.Tag{{Unit: "per step", USD: 0.1}}, DeprecatedOn: "2027-01-01", ContextWindow: 5}}
	if err := k.write(now, want); err != nil {
		t.Fatal(err)
	}
	if at, models, err := k.read(); err != nil || !at.Equal(now) || asJSON(t, models) != asJSON(t, want) {
		t.Errorf("%v, %v, %v", at, models, err)
	}
	if _, _, err := (keptCatalog{path: k.path, account: "b"}).read(); err == nil {
		t.Error("the catalog of another account is taken")
	}
	if err := os.WriteFile(k.path, []byte(`{"version":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.read(); err == nil {
		t.Error("half a file is taken")
	}
	left, err := os.ReadDir(filepath.Dir(k.path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if at, _, err := (keptCatalog{}).read(); err != nil || !at.IsZero() {
		t.Error(err)
	}
	if err := (keptCatalog{}).write(now, want); err != nil {
		t.Error(err)
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
	if s := again.status().Prices; s.Source != pricesKept || s.Failure == nil || len(s.Departures) != 1 {
		t.Errorf("%+v", s)
	}
	again.stop()
}
