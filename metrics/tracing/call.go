package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// A Call is one call: a server span and, for each attempt at it, a client span. It belongs to one goroutine. One that
// is not ended is not exported. The nil Call does nothing.
type Call struct {
	tracer  *Tracer
	ctx     context.Context // with span
	span    trace.Span      // nil: none is made
	attempt *attempt        // the present one; nil: none
}

// Start begins the span of a call that arrived at began. caller are its headers.
func (t *Tracer) Start(caller http.Header, began time.Time) *Call {
	if t == nil {
		return nil
	}
	c := &Call{tracer: t, ctx: context.Background()}
	if t.spans == nil {
		return c
	}
	if t.propagate {
		c.ctx = propagation.TraceContext{}.Extract(c.ctx, propagation.HeaderCarrier(caller))
	}
	c.ctx, c.span = t.spans.Start(c.ctx, "HTTP", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(began))
	return c
}

// TraceID returns the id of the trace that the call is part of: its own span's, else that of the caller's traceparent;
// "" for none.
func (c *Call) TraceID(caller http.Header) string {
	if c == nil || c.span == nil {
		return callersID(caller)
	}
	return c.span.SpanContext().TraceID().String()
}

// RateWaited and QuotaWaited say that the call has just waited so long for its requests per minute, or for neurons.
func (c *Call) RateWaited(d time.Duration) { c.waited(eventRateWait, d) }

// QuotaWaited is described at RateWaited.
func (c *Call) QuotaWaited(d time.Duration) { c.waited(eventQuotaWait, d) }

// minWait is the shortest wait that is an event: below, a call was only handed from one goroutine to another.
const minWait = time.Millisecond

func (c *Call) waited(event string, d time.Duration) {
	if c != nil && d >= minWait && c.recording() {
		c.span.AddEvent(event, trace.WithTimestamp(time.Now().Add(-d)),
			trace.WithAttributes(keyWaited.Float64(d.Seconds())))
	}
}

func (c *Call) recording() bool { return c.span != nil && c.span.IsRecording() }

// Recording reports whether what End is told goes anywhere.
func (c *Call) Recording() bool { return c != nil && c.recording() }

// A Result is how a call ended. What is "" or 0 does not apply.
type Result struct {
	Method, Scheme, Path, Proto string // Path without secrets
	Route                       string // a template; "": no route takes the call
	Status                      int    // of the answer
	Result                      string // ok, a slug, client_gone
	Error                       string // error.type: as Result, but "" where it is ok
	Broken                      bool   // it failed for another reason than what its caller did
	Client, RequestID           string
	Neurons                     float64
	HasNeurons                  bool
	Attempts                    int
	WouldRefuse, Ray            string
}

// End ends the span of the call. r may be nil where nothing is recorded.
func (c *Call) End(r *Result) {
	if c == nil || c.span == nil {
		return
	}
	defer c.span.End()
	if !c.recording() || r == nil {
		return
	}
	method := knownMethod(r.Method)
	name := method
	if method == otherMethod {
		name = "HTTP"
	}
	attrs := make([]attribute.KeyValue, 0, 18)
	attrs = append(attrs,
		semconv.HTTPRequestMethodKey.String(method), semconv.URLScheme(r.Scheme), semconv.URLPath(r.Path),
		semconv.NetworkProtocolVersion(r.Proto),
		keyClient.String(r.Client), keyRequestID.String(r.RequestID), keyResult.String(r.Result),
		keyAttempts.Int(r.Attempts),
	)
	if r.Route != "" {
		name += " " + r.Route
		attrs = append(attrs, semconv.HTTPRoute(r.Route))
	}
	if r.Status > 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(r.Status))
	}
	if r.HasNeurons {
		attrs = append(attrs, keyNeurons.Float64(r.Neurons))
	}
	if r.WouldRefuse != "" {
		attrs = append(attrs, keyWouldRefuse.String(r.WouldRefuse))
	}
	if r.Ray != "" {
		attrs = append(attrs, keyRay.String(r.Ray))
	}
	if r.Error != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(r.Error))
	}
	if r.Broken {
		c.span.SetStatus(codes.Error, "")
	}
	c.span.SetName(name)
	c.span.SetAttributes(attrs...)
}

// otherMethod stands for every method that HTTP does not know.
const otherMethod = "_OTHER"

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherMethod
}
