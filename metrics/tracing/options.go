package tracing

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Options say what is exported and where. The zero value exports nothing.
type Options struct {
	Traces, Metrics Exporter

	Service  string            // service.name
	Version  string            // service.version
	Resource map[string]string // further attributes of the process

	Sampler string  // one of Samplers; "": the default, parentbased_always_on
	Ratio   float64 // of the samplers whose name ends in traceidratio

	// Propagate says that a caller's traceparent is continued, and that each attempt sends its own on.
	Propagate bool

	MaxQueue   int           // spans that wait for the exporter, or are with it; more are dropped
	MaxBatch   int           // spans in one export
	Delay      time.Duration // how long a span waits for others
	MaxExport  time.Duration // how long one export of spans may take, with its repetitions
	Interval   time.Duration // between two exports of metrics
	MaxCollect time.Duration // how long one of them may take

	Log *slog.Logger
}

// An Exporter sends over OTLP/HTTP, in protobuf. The zero value sends nothing.
type Exporter struct {
	URL     *url.URL // with its path
	Headers map[string]string
	Timeout time.Duration // of one request
	Gzip    bool
	TLS     *tls.Config // nil: the system's certificates
}

// client returns what requests to the collector are made with. It follows no redirect: headers with credentials would
// go wherever an answer says.
func (e *Exporter) client() *http.Client {
	return &http.Client{
		Timeout: e.Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: e.TLS, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// On reports whether anything is sent.
func (e *Exporter) On() bool { return e.URL != nil }

// On reports whether anything is exported.
func (o *Options) On() bool { return o.Traces.On() || o.Metrics.On() }

// samplers are those of OTEL_TRACES_SAMPLER.
var samplers = [...]struct {
	name string
	make func(ratio float64) sdktrace.Sampler
}{
	{"parentbased_always_on", func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) }},
	{"parentbased_always_off", func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) }},
	{"parentbased_traceidratio", func(ratio float64) sdktrace.Sampler {
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))
	}},
	{"always_on", func(float64) sdktrace.Sampler { return sdktrace.AlwaysSample() }},
	{"always_off", func(float64) sdktrace.Sampler { return sdktrace.NeverSample() }},
	{"traceidratio", sdktrace.TraceIDRatioBased},
}

// Samplers lists the names of samplers, the default first.
func Samplers() []string {
	var names []string
	for _, s := range samplers {
		names = append(names, s.name)
	}
	return names
}

func (o *Options) sampler() sdktrace.Sampler {
	for _, s := range samplers {
		if s.name == o.Sampler {
			return s.make(o.Ratio)
		}
	}
	return samplers[0].make(0)
}
