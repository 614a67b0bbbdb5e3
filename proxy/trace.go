package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/normalize"
)

// What OpenTelemetry is told of a call. Without a Tracer nothing of this is made.

// beginTrace begins the span of a call, and notes which trace the call is part of.
func (p *Proxy) beginTrace(c *call, caller http.Header) {
	if p.tracer != nil {
		if state := strings.Join(caller["Tracestate"], ","); c.redact(state) != state { // it would be exported
			caller = caller.Clone()
			delete(caller, "Tracestate")
		}
		c.trace = p.tracer.Start(caller, c.began)
	}
	c.traceID = c.trace.TraceID(caller)
}

// beginAttempt begins the span of an attempt that sends r.
func (c *call) beginAttempt(r *http.Request) {
	if c.trace == nil {
		return
	}
	c.trace.Attempt(r, tracing.Attempt{
		Route: c.routeName(), Infers: c.Route.Metered(), Task: string(c.price.Task), Stream: c.stream,
		Model: c.modelText, Label: c.label, Known: c.label != metrics.Other && !c.thirdParty, Resend: c.attempts - 1,
	})
}

// endAttempt ends it. status is upstream's, 0 where no answer came; f is why the attempt failed.
func (c *call) endAttempt(f *normalize.Failure, status int) {
	if c.trace == nil {
		return
	}
	o := tracing.Outcome{
		Status: status, Error: errorType(f), FirstEvent: c.attempt.streams,
		RanModel: c.redact(clip(c.attempt.ranModel, maxModelText)),
	}
	if m := c.charge.Meter(); m != nil {
		u := m.Report().Usage
		o.HasTokens, o.Input, o.Cached, o.Output = u.HasTokens, u.Input, u.Cached, u.Output
	}
	c.trace.EndAttempt(&o)
}

// errorType is the error.type of a failure; "" of none.
func errorType(f *normalize.Failure) string {
	switch {
	case f == nil:
		return ""
	case f.Code == normalize.Aborted && f.Origin == normalize.OriginProxy:
		return metrics.ResultClientGone
	}
	return f.Code.String()
}

// endTrace ends the spans of a call that has ended.
func (c *call) endTrace(result string) {
	if c.trace == nil {
		return
	}
	c.endAttempt(c.failure, c.passed.StatusCode)
	if !c.trace.Recording() {
		c.trace.End(nil)
		return
	}
	in := c.inbound
	r := tracing.Result{
		Method: in.Method, Scheme: "http", Path: c.pathText(), Proto: strings.TrimPrefix(in.Proto, "HTTP/"),
		Status: c.writer.status, Result: result, Client: c.client, RequestID: c.requestID, Attempts: c.attempts,
		WouldRefuse: c.wouldRefuse, Ray: c.redact(c.attempt.upstream.ray),
	}
	if in.TLS != nil {
		r.Scheme = "https"
	}
	if in.ProtoMajor == 2 {
		r.Proto = strconv.Itoa(in.ProtoMajor)
	}
	if c.Route != nil {
		r.Route = "/" + strings.TrimSuffix(c.Route.Name, " websocket")
	}
	if c.failure != nil {
		r.Error = result
		r.Broken = r.Status >= http.StatusInternalServerError ||
			r.Status < http.StatusBadRequest && result != metrics.ResultClientGone
	}
	switch {
	case c.settlement != nil:
		r.Neurons, r.HasNeurons = c.settlement.Neurons.Float(), true
	case c.unmetered():
		r.HasNeurons = true
	}
	c.trace.End(&r)
}
