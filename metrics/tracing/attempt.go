package tracing

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
	"go.opentelemetry.io/otel/trace"
)

// An Attempt is one request to Workers AI.
type Attempt struct {
	Route  string // of the call, for a request that is no inference
	Infers bool   // it calls a model
	Task   string // of the model; "": text generation
	Model  string // of bounded length, without secrets
	Label  string // the model, from a bounded set
	Known  bool   // Label is Model
	Stream bool   // the answer is asked for as a stream
	Resend int    // how many attempts there were before
}

// An attempt is an Attempt that is being made.
type attempt struct {
	Attempt
	operation string // of generative AI; "": none
	server    string
	ctx       context.Context
	span      trace.Span // nil: none is made
	began     time.Time
}

// Attempt begins an attempt that sends r, and has r say so: its headers carry the attempt's own traceparent. It ends
// the attempt before, if that has not ended.
func (c *Call) Attempt(r *http.Request, a Attempt) {
	if c == nil {
		return
	}
	c.EndAttempt(&Outcome{})
	at := &attempt{Attempt: a, server: r.URL.Hostname(), ctx: c.ctx, began: time.Now()}
	name := r.Method + " " + a.Route
	if a.Infers {
		at.operation = cmp.Or(operations[a.Task], a.Task)
		name = at.operation
		if a.Known {
			name += " " + a.Model
		}
	}
	c.attempt = at
	if c.span == nil {
		return
	}
	at.ctx, at.span = c.tracer.spans.Start(c.ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	if at.span.IsRecording() {
		at.span.SetAttributes(at.attributes(r)...)
	}
	if !c.tracer.propagate {
		return
	}
	if a.Resend > 0 { // the transport may still hold the headers of the attempt before
		r.Header = maps.Clone(r.Header)
	}
	delete(r.Header, "Tracestate")
	propagation.TraceContext{}.Inject(at.ctx, propagation.HeaderCarrier(r.Header))
}

// attributes are those that are known when an attempt begins.
func (a *attempt) attributes(r *http.Request) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 9)
	attrs = append(attrs, semconv.HTTPRequestMethodKey.String(knownMethod(r.Method)), semconv.ServerAddress(a.server),
		semconv.ServerPort(portOf(r)))
	if a.Resend > 0 {
		attrs = append(attrs, semconv.HTTPRequestResendCount(a.Resend))
	}
	if a.operation == "" {
		return append(attrs, semconv.URLTemplate(a.Route))
	}
	attrs = append(attrs, semconv.GenAIOperationNameKey.String(a.operation),
		semconv.GenAIProviderNameKey.String(Provider), semconv.GenAIRequestModel(a.Model))
	if a.Stream {
		attrs = append(attrs, semconv.GenAIRequestStream(true))
	}
	return attrs
}

func portOf(r *http.Request) int {
	if port, err := strconv.Atoi(r.URL.Port()); err == nil {
		return port
	}
	if r.URL.Scheme == "http" {
		return 80
	}
	return 443
}

// An Outcome is how an attempt ended. What is 0 is not known.
type Outcome struct {
	Status     int
	Error      string // error.type; "": it did not fail
	HasTokens  bool
	Input      int64 // tokens; Cached are among them
	Cached     int64
	Output     int64
	FirstEvent time.Time // when the first event of a stream came
	RanModel   string    // that a router chose
}

// EndAttempt ends the present attempt, if there is one.
func (c *Call) EndAttempt(o *Outcome) {
	if c == nil || c.attempt == nil {
		return
	}
	a := c.attempt
	c.attempt = nil
	if in := c.tracer.genAI; in != nil && a.operation != "" {
		in.record(a, o)
	}
	if a.span == nil {
		return
	}
	defer a.span.End()
	if !a.span.IsRecording() {
		return
	}
	attrs := make([]attribute.KeyValue, 0, 7)
	if o.Status > 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(o.Status))
	}
	if o.HasTokens && a.operation != "" {
		attrs = append(attrs, semconv.GenAIUsageInputTokens(int(o.Input)),
			semconv.GenAIUsageOutputTokens(int(o.Output)))
		if o.Cached > 0 {
			attrs = append(attrs, semconv.GenAIUsageCacheReadInputTokens(int(o.Cached)))
		}
	}
	if o.RanModel != "" {
		attrs = append(attrs, semconv.GenAIResponseModel(o.RanModel))
	}
	if !o.FirstEvent.IsZero() && a.operation != "" {
		a.span.AddEvent(eventFirstToken, trace.WithTimestamp(o.FirstEvent))
		attrs = append(attrs, semconv.GenAIResponseTimeToFirstChunk(o.FirstEvent.Sub(a.began).Seconds()))
	}
	if o.Error != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(o.Error))
		a.span.SetStatus(codes.Error, "")
	}
	a.span.SetAttributes(attrs...)
}

// record records the metrics of an attempt. Their attributes come from bounded sets.
func (in *instruments) record(a *attempt, o *Outcome) {
	operation, model := genaiconv.OperationNameAttr(a.operation), semconv.GenAIRequestModel(a.Label)
	server := semconv.ServerAddress(a.server)
	attrs := []attribute.KeyValue{model, server}
	if !o.FirstEvent.IsZero() {
		in.first.Record(a.ctx, o.FirstEvent.Sub(a.began).Seconds(), operation, Provider, attrs...)
	}
	if o.HasTokens {
		in.tokens.Record(a.ctx, o.Input, operation, Provider, genaiconv.TokenTypeInput, attrs...)
		in.tokens.Record(a.ctx, o.Output, operation, Provider, genaiconv.TokenTypeOutput, attrs...)
	}
	if o.Error != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(o.Error))
	}
	in.duration.Record(a.ctx, time.Since(a.began).Seconds(), operation, Provider, attrs...)
}
