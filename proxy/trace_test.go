package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
)

const callersTrace = "0af7651916cd43dd8448eb211c80319c"

// tracedProxy answers from memory. Without a collector nothing is exported.
func tracedProxy(t testing.TB, collector *otlptest.Collector) *Proxy {
	t.Helper()
	c := Config{
		Account: testAccount, Token: func() string { return testToken },
		Upstream: &url.URL{Scheme: "http", Host: "upstream.invalid", Path: "/client/v4"},
		MaxBody:  32 << 20, MaxHeld: 256 << 20, FirstByteTimeout: time.Minute, StreamIdleTimeout: time.Minute,
		Models: []string{testModel}, Metrics: metrics.New(metrics.Build{}),
		Log:       slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Transport: answers{header: http.Header{"Content-Type": {"application/json"}}, body: chatAnswer},
	}
	if collector != nil {
		u, err := url.Parse(collector.URL + "/v1/traces")
		if err != nil {
			t.Fatal(err)
		}
		c.Tracer, err = tracing.New(t.Context(), tracing.Options{
			Traces: tracing.Exporter{URL: u, Timeout: time.Minute}, Propagate: true, MaxQueue: 1 << 16,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Tracer.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serveOne(p *Proxy, traceparent string) {
	r := httptest.NewRequest("POST", "http://localhost/v1/chat/completions", strings.NewReader(chat))
	r.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		r.Header["Traceparent"] = []string{traceparent}
	}
	p.ServeHTTP(httptest.NewRecorder(), r)
}

// Without an exporter a call allocates nothing for traces, whether its caller has one or not.
func TestTracesThatAreOffAllocateNothing(t *testing.T) {
	p := tracedProxy(t, nil)
	c := &call{inbound: httptest.NewRequest("POST", "http://localhost/", http.NoBody), credentials: &p.credentials}
	headers := http.Header{"Traceparent": {"00-" + callersTrace + "-b7ad6b7169203331-01"}, "Tracestate": {"a=b"}}
	if n := testing.AllocsPerRun(100, func() {
		p.beginTrace(c, headers)
		c.beginAttempt(c.inbound)
		c.endAttempt(nil, http.StatusOK)
		c.trace.RateWaited(time.Second)
		c.endTrace(metrics.ResultOK)
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
	if c.traceID != callersTrace {
		t.Errorf("got trace %q, want %q", c.traceID, callersTrace)
	}
}

// Calls that anybody can make as many of as he likes, and that are refused, do not fill the queue for the collector.
func TestRefusedCallsHaveFewSpans(t *testing.T) {
	const calls = 500
	collector := otlptest.New(t)
	p := tracedProxy(t, collector)
	began := time.Now()
	for range calls {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/wp-login.php", http.NoBody))
	}
	limit := maxRefused * (2 + int(time.Since(began)/time.Second))
	serveOne(p, "")
	if err := p.tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused, others := 0, 0
	for _, s := range collector.Spans() {
		if s.Attrs["neuronward.result"] == "route_not_proxied" {
			refused++
		} else {
			others++
		}
	}
	if refused < maxRefused || refused > limit || others != 2 {
		t.Errorf("got %d spans of %d refused calls and %d others, want %d to %d and 2", refused, calls, others,
			maxRefused, limit)
	}
}

// BenchmarkTraces compares calls that are exported with others: the handler alone, without a network.
func BenchmarkTraces(b *testing.B) {
	for _, export := range []bool{false, true} {
		b.Run(fmt.Sprintf("export=%t", export), func(b *testing.B) {
			var collector *otlptest.Collector
			if export {
				collector = otlptest.New(b)
				collector.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
					io.Copy(io.Discard, r.Body)
					return true
				})
			}
			p := tracedProxy(b, collector)
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				serveOne(p, "")
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}
