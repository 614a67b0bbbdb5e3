package account

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	feedAccount = "0123456789abcdef0123456789abcdef"
	feedToken   = "canary-token-0123456789-abcdefghijklmnop"
	feedModel   = "@cf/meta/llama-3.1-8b-instruct-fp8"
)

// feed is a PriceFeed beside what it reports and logs.
type feed struct {
	*PriceFeed
	estimator *price.Estimator
	known     map[string]bool
	log       bytes.Buffer
}

func newFeed(t *testing.T, api, file string) *feed {
	t.Helper()
	u, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{API: u, Account: feedAccount, Token: func() string { return feedToken }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	f := &feed{estimator: price.NewEstimator(nil, price.Bound), known: map[string]bool{}}
	f.PriceFeed = NewPriceFeed(PriceFeedOptions{
		Base: price.Embedded(), Source: PricesEmbedded, Estimator: f.estimator, Client: client, File: file,
		OnModels: func(names []string) {
			for _, n := range names {
				f.known[n] = true
			}
		},
		Log: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	return f
}

func (f *feed) estimate(model string, r workload.Request) price.Estimate {
	return f.estimator.Estimate(f.estimator.Resolve(model), r)
}

// dearer is the embedded table with output of feedModel at ten times its price, and a model that it does not have.
func dearer() *price.Table {
	row, _ := price.Embedded().Row(feedModel)
	row.OutputPerM *= 10
	table, _ := price.Embedded().WithCatalog("2026-11-22", []price.CatalogPrice{
		{Model: feedModel, Row: row, Priced: true},
		{
			Model: "@cf/new/model", Priced: true,
			Row: price.Row{Task: workload.TextGeneration, InputPerM: 1000, OutputPerM: 2000},
		},
	})
	return table
}

func TestLivePrices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "neurons.prices")
	server := httptest.NewServer(workersai.New(workersai.Options{
		Account: feedAccount, Token: feedToken, Prices: dearer(),
	}))
	t.Cleanup(server.Close)
	f := newFeed(t, server.URL+"/client/v4", file)
	call := workload.Request{PromptBytes: 10, MaxTokens: 1000}
	before := f.estimate(feedModel, call).Neurons
	for range 2 {
		if err := f.read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s := f.Status()
	if s.Source != PricesLive {
		t.Errorf("got source %q, want %q", s.Source, PricesLive)
	}
	if s.AskedAt.IsZero() || time.Since(s.AskedAt) > time.Minute {
		t.Errorf("got asked at %v, want just now", s.AskedAt)
	}
	if today := quota.DayOf(time.Now()).String(); s.AsOf != today {
		t.Errorf("got as of %q, want %q", s.AsOf, today)
	}
	if len(s.Deviations) != 1 {
		t.Fatalf("got deviations %+v, want one", s.Deviations)
	}
	want := price.Deviation{Model: feedModel, Unit: "output_tokens_per_m", Table: 26128, Live: s.Deviations[0].Live}
	if s.Deviations[0] != want {
		t.Errorf("got deviation %+v, want %+v", s.Deviations[0], want)
	}
	if log := f.log.String(); strings.Count(log, "not the table's") != 1 || strings.Count(log, "\n") != 1 {
		t.Errorf("got log\n%s\nwant one line, about the price", log)
	}
	if after := f.estimate(feedModel, call).Neurons; after < 9*before {
		t.Errorf("got an estimate of %v, want at least 9 times the former %v", after, before)
	}
	if e := f.estimate("@cf/new/model", workload.Request{}); !e.Known {
		t.Errorf("got estimate %+v of the catalog's new model, want a known one", e)
	}
	for _, model := range []string{"@cf/new/model", "@cf/facebook/detr-resnet-50"} {
		if !f.known[model] {
			t.Errorf("got models %v reported, want %s among them", f.known, model)
		}
	}

	// At the next start Cloudflare cannot be reached.
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
	again := newFeed(t, "http://127.0.0.1:1/client/v4", file)
	at, models, err := again.file.load()
	if err != nil {
		t.Fatal(err)
	}
	if at.Sub(s.AskedAt).Abs() > time.Second {
		t.Errorf("got a catalog that was read at %v, want %v", at, s.AskedAt)
	}
	again.use(PricesKept, at.Add(-3*time.Hour), models)
	failure := again.read(t.Context())
	again.onChange(failure)
	if got := KindOf(failure); got != Unreachable {
		t.Errorf("got %v (%v), want %v", got, failure, Unreachable)
	}
	kept := again.Status()
	if kept.Source != PricesKept {
		t.Errorf("got source %q, want %q", kept.Source, PricesKept)
	}
	if kept.Failure == nil || kept.AskedAt.IsZero() {
		t.Errorf("got failure %v, asked at %v; want both", kept.Failure, kept.AskedAt)
	}
	if kept.Models != s.Models || len(kept.Deviations) != 1 {
		t.Errorf("got %d models and deviations %+v, want %d and one", kept.Models, kept.Deviations, s.Models)
	}
	for _, want := range []string{"live prices cannot be read", "in_use=kept", "age=3h0m0s"} {
		if log := again.log.String(); !strings.Contains(log, want) {
			t.Errorf("got log\n%s\nwant %q in it", log, want)
		}
	}
}

func TestCatalogFile(t *testing.T) {
	f := catalogFile{path: filepath.Join(t.TempDir(), "prices"), account: "a"}
	at, models, err := f.load()
	if err != nil {
		t.Fatalf("without a file: got %v, want no error", err)
	}
	if models != nil || !at.IsZero() {
		t.Errorf("without a file: got %v, %v; want nothing", at, models)
	}
	now := time.Now().UTC()
	want := []Model{{
		Name: "m", Task: "Translation", Prices: []Tag{{Unit: "per step", USD: 0.1}}, DeprecatedOn: "2027-01-01",
		ContextWindow: 5,
	}}
	if err := f.save(now, want); err != nil {
		t.Fatal(err)
	}
	at, models, err = f.load()
	if err != nil || !at.Equal(now) {
		t.Errorf("got a catalog of %v (%v), want of %v", at, err, now)
	}
	if got, want := asJSON(t, models), asJSON(t, want); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, _, err := (catalogFile{path: f.path, account: "b"}).load(); err == nil {
		t.Error("the catalog of another account: got no error, want one")
	}
	if err := os.WriteFile(f.path, []byte(`{"version":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.load(); err == nil {
		t.Error("half a file: got no error, want one")
	}
	left, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil || len(left) != 1 {
		t.Errorf("got files %v (%v), want one", left, err)
	}
	if at, _, err := (catalogFile{}).load(); err != nil || !at.IsZero() {
		t.Errorf("without a path: got %v, %v; want nothing", at, err)
	}
	if err := (catalogFile{}).save(now, want); err != nil {
		t.Errorf("without a path: %v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
