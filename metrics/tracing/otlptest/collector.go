// Package otlptest is a collector for tests: it reads OTLP over HTTP by the protocol's own types and keeps what comes.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Span is one span as received.
type Span struct {
	Trace, ID, Parent string // hexadecimal; no Parent: ""
	State             string // tracestate
	Name              string
	Kind              tracepb.Span_SpanKind
	Failed            bool // its status is that of an error
	Start, End        time.Time
	Attrs             map[string]any
	Events            []Event
	Service           string // service.name of its resource
	Resource          map[string]any
	Schema            string // URL of its scope's conventions
}

// An Event is one event of a span.
type Event struct {
	Name  string
	Time  time.Time
	Attrs map[string]any
}

// A Collector takes spans and metrics.
type Collector struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	spans   []Span
	metrics []*metricspb.Metric
	raw     []byte // all bodies
	headers []http.Header
	answer  func(w http.ResponseWriter, r *http.Request) bool
	changed chan struct{} // closed when something came
}

// New returns a Collector that runs until the test ends.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{t: t, changed: make(chan struct{})}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// Answer has answer called first from now on. It reports whether it has answered; what came then does not count.
func (c *Collector) Answer(answer func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	body, err := read(r)
	if err != nil {
		c.t.Errorf("%s: %v", r.URL.Path, err)
		return
	}
	var reply proto.Message
	switch r.URL.Path {
	case "/v1/traces":
		request := new(collecttrace.ExportTraceServiceRequest)
		err = proto.Unmarshal(body, request)
		reply = new(collecttrace.ExportTraceServiceResponse)
		c.add(r, body, spansOf(request), nil)
	case "/v1/metrics":
		request := new(collectmetrics.ExportMetricsServiceRequest)
		err = proto.Unmarshal(body, request)
		reply = new(collectmetrics.ExportMetricsServiceResponse)
		c.add(r, body, nil, metricsOf(request))
	default:
		http.NotFound(w, r)
		return
	}
	if kind := r.Header.Get("Content-Type"); err != nil || kind != "application/x-protobuf" {
		c.t.Errorf("%s: got %v and content type %q, want protobuf", r.URL.Path, err, kind)
	}
	text, err := proto.Marshal(reply)
	if err != nil {
		c.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(text)
}

func read(r *http.Request) ([]byte, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = z
	}
	return io.ReadAll(body)
}

func (c *Collector) add(r *http.Request, body []byte, spans []Span, metrics []*metricspb.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans, c.metrics = append(c.spans, spans...), append(c.metrics, metrics...)
	c.raw, c.headers = append(c.raw, body...), append(c.headers, r.Header)
	close(c.changed)
	c.changed = make(chan struct{})
}

func spansOf(request *collecttrace.ExportTraceServiceRequest) (all []Span) {
	for _, rs := range request.GetResourceSpans() {
		resource := attrs(rs.GetResource().GetAttributes())
		service, _ := resource["service.name"].(string)
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				span := Span{
					Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
					Parent: hex.EncodeToString(s.GetParentSpanId()), State: s.GetTraceState(), Name: s.GetName(),
					Kind: s.GetKind(), Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
					Start: at(s.GetStartTimeUnixNano()), End: at(s.GetEndTimeUnixNano()),
					Attrs: attrs(s.GetAttributes()), Service: service, Resource: resource, Schema: ss.GetSchemaUrl(),
				}
				for _, e := range s.GetEvents() {
					span.Events = append(span.Events,
						Event{Name: e.GetName(), Time: at(e.GetTimeUnixNano()), Attrs: attrs(e.GetAttributes())})
				}
				all = append(all, span)
			}
		}
	}
	return all
}

func metricsOf(request *collectmetrics.ExportMetricsServiceRequest) (all []*metricspb.Metric) {
	for _, rm := range request.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			all = append(all, sm.GetMetrics()...)
		}
	}
	return all
}

func at(nano uint64) time.Time { return time.Unix(0, int64(nano)).UTC() }

func attrs(list []*commonpb.KeyValue) map[string]any {
	all := make(map[string]any, len(list))
	for _, a := range list {
		all[a.GetKey()] = value(a.GetValue())
	}
	return all
}

// Attrs returns the attributes of a metric's point.
func Attrs(list []*commonpb.KeyValue) map[string]any { return attrs(list) }

func value(v *commonpb.AnyValue) any {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return x.BoolValue
	case *commonpb.AnyValue_IntValue:
		return x.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return x.DoubleValue
	}
	return v.String()
}

// Spans returns the spans that came, the one that began first first.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.spans)
	slices.SortStableFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return all
}

// Metrics returns the metrics that came.
func (c *Collector) Metrics() []*metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.metrics)
}

// Raw returns all that came, as bytes.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.raw)
}

// Headers returns those of each request.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Await waits until n spans have come, and returns them.
func (c *Collector) Await(n int) []Span {
	c.t.Helper()
	end := time.After(5 * time.Minute)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		spans := c.Spans()
		if len(spans) >= n {
			return spans
		}
		select {
		case <-changed:
		case <-end:
			c.t.Fatalf("got %d spans, want %d:\n%s", len(spans), n, Tree(spans))
		}
	}
}
