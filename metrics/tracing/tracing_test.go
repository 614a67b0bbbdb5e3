package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
)

const (
	trace1 = "0af7651916cd43dd8448eb211c80319c"
	span1  = "b7ad6b7169203331"
)

// options export to a collector at once.
func options(t testing.TB, c *otlptest.Collector) tracing.Options {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	return tracing.Options{
		Traces: tracing.Exporter{URL: u.JoinPath("v1/traces"), Timeout: time.Minute}, Propagate: true,
		Delay: time.Millisecond, Ratio: 1,
	}
}

func tracer(t testing.TB, o tracing.Options) *tracing.Tracer {
	t.Helper()
	tr, err := tracing.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		tr.Close(ctx)
	})
	return tr
}

// call makes a call with one attempt, and returns the headers that the attempt was sent with.
func call(t testing.TB, tr *tracing.Tracer, headers ...string) http.Header {
	t.Helper()
	h := http.Header{}
	for pair := range slices.Chunk(headers, 2) {
		h.Set(pair[0], pair[1])
	}
	r, err := http.NewRequest(http.MethodPost, "https://api.cloudflare.com/client/v4", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h.Clone()
	c := tr.Start(h, time.Now())
	c.Attempt(r, tracing.Attempt{Infers: true, Model: "m", Label: "m", Known: true})
	c.EndAttempt(&tracing.Outcome{Status: 200, HasTokens: true, Input: 5, Output: 7, FirstEvent: time.Now()})
	c.End(&tracing.Result{Method: http.MethodPost, Route: "/run", Status: 200, Result: "ok"})
	return r.Header
}

func TestTheNilTracerDoesNothing(t *testing.T) {
	tr, err := tracing.New(t.Context(), tracing.Options{})
	if tr != nil || err != nil {
		t.Fatalf("got %v, %v; want nothing", tr, err)
	}
	caller := http.Header{"Traceparent": {"00-" + trace1 + "-" + span1 + "-01"}, "Tracestate": {"a=b"}}
	r, err := http.NewRequest(http.MethodPost, "https://api.cloudflare.com", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = caller
	if n := testing.AllocsPerRun(100, func() {
		c := tr.Start(caller, time.Time{})
		if c.TraceID(caller) != trace1 {
			t.Errorf("got trace %q, want %q", c.TraceID(caller), trace1)
		}
		c.RateWaited(time.Second)
		c.QuotaWaited(time.Second)
		c.Attempt(r, tracing.Attempt{})
		c.EndAttempt(&tracing.Outcome{})
		c.End(&tracing.Result{})
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
	if tr.Dropped() != 0 || tr.Close(t.Context()) != nil {
		t.Error("got spans that were dropped or an error, want none")
	}
}

func TestTraceIDOfACaller(t *testing.T) {
	good := "00-" + trace1 + "-" + span1 + "-01"
	for text, want := range map[string]string{
		good: trace1, "00-" + trace1 + "-" + span1 + "-00": trace1, "cc" + good[2:] + "-more": trace1,
		"": "", "ff" + good[2:]: "", good + "-more": "", good[:54]: "", strings.ToUpper(good): "",
		"00-" + strings.Repeat("0", 32) + "-" + span1 + "-01":  "",
		"00-" + trace1 + "-" + strings.Repeat("0", 16) + "-01": "",
		"00-" + trace1[:31] + "g-" + span1 + "-01":             "",
		"00_" + trace1 + "-" + span1 + "-01":                   "",
		strings.Repeat("-", 55):                                "",
		"cc" + good[2:] + "more":                               "",
	} {
		if got := (*tracing.Call)(nil).TraceID(http.Header{"Traceparent": {text}}); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := (*tracing.Call)(nil).TraceID(http.Header{"Traceparent": {good, good}}); got != "" {
		t.Errorf("two of them: got %q, want none", got)
	}
}

// What a caller does not sample is not exported, and is sent on as such.
func TestSampling(t *testing.T) {
	for _, s := range []struct {
		sampler, flags string
		exported       bool
	}{
		{"", "00", false},
		{"", "01", true},
		{"parentbased_always_off", "01", true},
		{"always_on", "00", true},
		{"always_off", "01", false},
		{"parentbased_traceidratio", "00", false},
		{"traceidratio", "00", true},
	} {
		c := otlptest.New(t)
		o := options(t, c)
		o.Sampler = s.sampler
		tr := tracer(t, o)
		sent := call(t, tr, "traceparent", "00-"+trace1+"-"+span1+"-"+s.flags, "tracestate", "a=b")
		if err := tr.Close(t.Context()); err != nil {
			t.Error(err)
		}
		spans := c.Spans()
		if got := len(spans) == 2; got != s.exported {
			t.Errorf("%s, %s: got %d spans, want exported %t", s.sampler, s.flags, len(spans), s.exported)
		}
		flags := "00"
		if s.exported {
			flags = "01"
		}
		got := sent.Get("Traceparent")
		ours := strings.HasPrefix(got, "00-"+trace1+"-") && !strings.Contains(got, span1)
		if !ours || !strings.HasSuffix(got, "-"+flags) {
			t.Errorf("%s, %s: sent on %q, want a span of our own in the trace, with flags %s",
				s.sampler, s.flags, got, flags)
		}
		if sent.Get("Tracestate") != "a=b" {
			t.Errorf("%s: got tracestate %q, want a=b", s.sampler, sent.Get("Tracestate"))
		}
	}
}

func TestWithoutPropagationBothHeadersPass(t *testing.T) {
	c := otlptest.New(t)
	o := options(t, c)
	o.Propagate = false
	parent := "00-" + trace1 + "-" + span1 + "-01"
	sent := call(t, tracer(t, o), "traceparent", parent, "tracestate", "a=b")
	if sent.Get("Traceparent") != parent || sent.Get("Tracestate") != "a=b" {
		t.Errorf("got %v, want both headers unchanged", sent)
	}
	if s := c.Await(2); s[0].Trace == trace1 {
		t.Error("got the caller's trace, want one of its own")
	}
}

// A traceparent that is none begins a trace, and what came with it goes.
func TestABrokenTraceparent(t *testing.T) {
	c := otlptest.New(t)
	sent := call(t, tracer(t, options(t, c)), "traceparent", "00-x", "tracestate", "a=b")
	s := c.Await(2)
	want := "00-" + s[0].Trace + "-" + s[1].ID + "-01"
	if sent.Get("Traceparent") != want || sent.Get("Tracestate") != "" {
		t.Errorf("got %v, want %s and no tracestate", sent, want)
	}
	if s[0].Parent != "" {
		t.Errorf("got the parent %s, want none", s[0].Parent)
	}
}

func TestResourceAndHeaders(t *testing.T) {
	c := otlptest.New(t)
	o := options(t, c)
	o.Service, o.Version, o.Resource = "gateway", "1.2", map[string]string{"service.instance.id": "me", "team": "a"}
	o.Traces.Headers, o.Traces.Gzip = map[string]string{"authorization": "Bearer x"}, true
	call(t, tracer(t, o))
	s := c.Await(2)[0]
	for key, want := range map[string]any{
		"service.name": "gateway", "service.version": "1.2", "service.instance.id": "me", "team": "a",
		"telemetry.sdk.language": "go",
	} {
		if s.Resource[key] != want {
			t.Errorf("%s: got %v, want %v", key, s.Resource[key], want)
		}
	}
	if got := c.Headers()[0].Get("Authorization"); got != "Bearer x" {
		t.Errorf("authorization: got %q, want Bearer x", got)
	}
}

// A collector that answers nothing holds nobody, and what does not fit is dropped and counted.
func TestACollectorThatHangs(t *testing.T) {
	c := otlptest.New(t)
	release := make(chan struct{})
	defer close(release)
	c.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	var log logHandler
	o := options(t, c)
	o.MaxQueue, o.MaxBatch, o.Log = 10, 2, slog.New(&log)
	tr := tracer(t, o)
	for range 100 {
		call(t, tr)
	}
	if got := tr.Dropped(); got != 190 {
		t.Errorf("got %d spans dropped, want 190 of 200", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closed with %v, want that the time was over", err)
	}
	if got := tr.Dropped(); got != 200 {
		t.Errorf("got %d spans dropped after the end, want all 200", got)
	}
	if got := log.count("spans were dropped"); got != 2 {
		t.Errorf("got %d lines, want the first and the one at the end:\n%s", got, log.text)
	}
}

// At the end spans and metrics are sent at once: an endpoint that takes one of them slowly does not keep the other from
// being sent.
func TestSlowSpansDoNotKeepMetrics(t *testing.T) {
	c := otlptest.New(t)
	sent := make(chan struct{})
	c.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/metrics") {
			close(sent)
			return false
		}
		io.Copy(io.Discard, r.Body)
		select {
		case <-sent:
		case <-r.Context().Done():
			t.Error("the spans were given up before the metrics were sent")
		}
		return true
	})
	o := options(t, c)
	o.Metrics = o.Traces
	o.Metrics.URL = o.Traces.URL.JoinPath("../metrics")
	tr := tracer(t, o)
	call(t, tr)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

// What a collector refuses is dropped and counted, and the log says why.
func TestACollectorThatRefuses(t *testing.T) {
	c := otlptest.New(t)
	c.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	var log logHandler
	o := options(t, c)
	o.Log = slog.New(&log)
	tr := tracer(t, o)
	call(t, tr)
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := tr.Dropped(); got != 2 {
		t.Errorf("got %d spans dropped, want 2", got)
	}
	if log.count("401") == 0 {
		t.Errorf("got no 401 in the log, want it:\n%s", log.text)
	}
}

func TestMetrics(t *testing.T) {
	c := otlptest.New(t)
	o := options(t, c)
	o.Metrics, o.Traces = o.Traces, tracing.Exporter{}
	o.Metrics.URL = o.Metrics.URL.JoinPath("../metrics")
	tr := tracer(t, o)
	parent := "00-" + trace1 + "-" + span1 + "-01"
	if sent := call(t, tr, "traceparent", parent); sent.Get("Traceparent") != parent {
		t.Errorf("without spans: sent %q on, want what came", sent.Get("Traceparent"))
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range c.Metrics() {
		for _, p := range m.GetHistogram().GetDataPoints() {
			a := otlptest.Attrs(p.GetAttributes())
			got[fmt.Sprintf("%s %v", m.GetName(), a["gen_ai.token.type"])] = fmt.Sprintf("%v %v %v %d in %s",
				a["gen_ai.operation.name"], a["gen_ai.provider.name"], a["gen_ai.request.model"], p.GetCount(),
				m.GetUnit())
			if strings.HasSuffix(m.GetName(), "usage") {
				got[fmt.Sprintf("sum %v", a["gen_ai.token.type"])] = fmt.Sprint(p.GetSum())
			}
		}
		const cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
		if got := m.GetHistogram().GetAggregationTemporality(); got != cumulative {
			t.Errorf("%s: got %v, want %v", m.GetName(), got, cumulative)
		}
	}
	const of = "chat cloudflare.workers_ai m 1 in "
	for name, want := range map[string]string{
		"gen_ai.client.token.usage input": of + "{token}", "gen_ai.client.token.usage output": of + "{token}",
		"gen_ai.client.operation.duration <nil>":            of + "s",
		"gen_ai.client.operation.time_to_first_chunk <nil>": of + "s", "sum input": "5", "sum output": "7",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// Waits are events where they began; those that are too short to matter are left out.
func TestWaits(t *testing.T) {
	c := otlptest.New(t)
	tr := tracer(t, options(t, c))
	began := time.Now()
	x := tr.Start(http.Header{}, began)
	x.RateWaited(time.Microsecond)
	x.RateWaited(3 * time.Hour)
	x.QuotaWaited(90 * time.Minute) // much more than the machine may stand still
	x.End(&tracing.Result{Method: "BREW", Status: 503, Result: "overloaded", Error: "overloaded", Broken: true})
	s := c.Await(1)[0]
	got := []string{s.Name, fmt.Sprint(s.Failed, s.Attrs["http.request.method"], s.Attrs["error.type"])}
	for _, e := range s.Events {
		got = append(got, fmt.Sprint(e.Name, " ", e.Attrs["neuronward.waited"], " ", e.Time.Before(began)))
	}
	want := []string{
		"HTTP", "true_OTHERoverloaded", "neuronward.rate_wait 10800 true", "neuronward.quota_wait 5400 true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
