package proxy

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/lograte"
	"github.com/neuronward/neuronward/proxy/recent"
)

// A recorder writes what is kept of a call that has ended: one observation in each series, one log line and, of a
// failure, an entry for the status page.
type recorder struct {
	access  *access
	metrics *metrics.Metrics
	log     *slog.Logger
	recent  recent.Failures // but for those that refused has
	refused recent.Failures // those that anybody can cause
	lines   refusals        // in the log
	spans   refusals        // for OpenTelemetry
	attrs   sync.Pool       // of *[maxAttrs]slog.Attr
}

// maxRefused is how many refusals of one kind are logged a second by themselves, and how many have a span.
const maxRefused = 10

// refusals limit what is kept of failures that anybody can cause, by their codes.
type refusals map[normalize.Code]*lograte.Limiter

// limitRefusals returns refusals. For each second with more of them than maxRefused, report is called with their code
// and how many more there were.
func limitRefusals(report func(code normalize.Code, more int)) refusals {
	limits := refusals{}
	for _, code := range []normalize.Code{
		normalize.ClientUnauthorized, normalize.ClientForbidden, normalize.RouteNotProxied,
	} {
		limits[code] = lograte.New(maxRefused, func(more int) { report(code, more) })
	}
	return limits
}

// allow counts a call that has ended, and reports whether it is kept by itself.
func (r refusals) allow(c *call) bool {
	return c.failure == nil || !anyoneCauses(c) || r[c.failure.Code].Allow()
}

// newRecorder returns a recorder that writes to the log and the metrics.
func newRecorder(a *access, m *metrics.Metrics, log *slog.Logger) recorder {
	return recorder{
		access: a, metrics: m, log: log,
		lines: limitRefusals(func(code normalize.Code, more int) {
			log.Warn("more calls were refused than are logged one by one", "name", code.String(), "count", more)
		}),
		spans: limitRefusals(func(normalize.Code, int) {}),
	}
}

// anyoneCauses reports whether a call was refused for its key, its host, its origin or its path. Anybody who reaches
// the listener can cause as many of these as he likes: they must not displace other failures or the spans of calls, nor
// fill the log.
func anyoneCauses(c *call) bool {
	switch c.failure.Code {
	case normalize.ClientUnauthorized, normalize.RouteNotProxied:
		return true
	case normalize.ClientForbidden:
		return c.entry == nil // else it is a client of ours, which may not call this model
	}
	return false
}

// record closes the record of a call. A call that has neither failed nor been delivered fails here.
func (r *recorder) record(c *call) {
	took := time.Since(c.began)
	result := metrics.ResultOK
	switch {
	case c.failure == nil && c.complete:
	case c.failure != nil && c.failure.Code != normalize.Aborted:
		result = c.failure.Code.String()
	case c.callerGone():
		result = metrics.ResultClientGone
		c.fail(c.abandoned("the caller left before the answer was whole.", nil))
	default:
		// Upstream's own "aborted", or an end of unknown cause.
		result = c.fail(unable(normalize.Internal, "", nil)).Code.String()
	}
	if f := c.failure; f != nil {
		r.metrics.Failed(f.Code, f.Origin, f.Fault)
		if anyoneCauses(c) {
			r.refused.Add(recordOf(c))
		} else {
			r.recent.Add(recordOf(c))
		}
	}
	r.countRetries(c)
	if c.unmetered() {
		r.metrics.Spent(c.label, c.client, metrics.BasisUnmetered, 0)
	}
	r.metrics.Ended(&metrics.Call{
		Route: c.routeName(), Model: c.label, Client: r.access.clientLabel(c), Stream: c.stream, Result: result,
		Duration: took, FirstByte: c.writer.firstByte, Overhead: c.own.total, RequestID: c.requestID,
		TraceID: c.traceID,
	})
	if !c.trace.Recording() || r.spans.allow(c) {
		c.endTrace(result)
	}
	r.logCall(c, result, took)
}

// maxMessage is how much of a failure's message is kept for the status page, in bytes.
const maxMessage = 300

// recordOf is the failure of a call that has ended, for the status page.
func recordOf(c *call) recent.Failure {
	f := c.failure
	return recent.Failure{
		Time: c.began.UTC(), RequestID: c.requestID, Ray: c.redact(c.attempt.upstream.ray), Client: c.client,
		Route: c.routeName(), Method: clip(c.inbound.Method, 32), Path: c.pathText(), Model: c.modelText,
		Status: c.writer.status, Name: f.Code.String(), Number: f.Number,
		Origin: string(f.Origin), Fault: string(f.Fault), Message: clip(f.Message, maxMessage),
	}
}

// refusal keeps the failure of a request that was refused before it was a call.
func (r *recorder) refusal(f normalize.Failure) {
	r.metrics.Failed(f.Code, f.Origin, f.Fault)
	r.refused.Add(recent.Failure{
		Time: time.Now().UTC(), RequestID: f.RequestID, Client: anonymous, Route: noRoute, Status: f.Status,
		Name: f.Code.String(), Number: f.Number, Origin: string(f.Origin), Fault: string(f.Fault),
		Message: clip(f.Message, maxMessage),
	})
}

// countRetries counts what became of the further attempts of a call.
func (r *recorder) countRetries(c *call) {
	outcome := metrics.RetryRecovered
	if !c.recovered { // what becomes of the answer afterwards is another matter
		outcome = metrics.RetryFailed
	}
	for _, code := range c.retriedCodes {
		r.metrics.Retried(code, outcome)
	}
}

// preempted counts a call that is refused before it reaches Workers AI.
func (c *call) preempted(m *metrics.Metrics, reason string) {
	m.Preempted(reason, metrics.ModeEnforce, c.label, c.client)
}

// observe counts a call that would have been refused, by the first reason for it alone.
func (c *call) observe(m *metrics.Metrics, reason string) {
	if c.wouldRefuse == "" {
		c.wouldRefuse = reason
		m.Preempted(reason, metrics.ModeObserve, c.label, c.client)
	}
}

// maxAttrs is room for the attributes of most calls.
const maxAttrs = 32

// logCall writes the one line of a call. What the operator must fix is louder than what callers get wrong.
func (r *recorder) logCall(c *call, result string, took time.Duration) {
	level, message := slog.LevelInfo, "call"
	if f := c.failure; f != nil {
		message = "call failed"
		switch f.Fault {
		case normalize.FaultOperator:
			level = slog.LevelError
		case normalize.FaultUpstream, normalize.FaultProxy, normalize.FaultAccount:
			level = slog.LevelWarn
		case normalize.FaultCaller:
		}
		if result == metrics.ResultClientGone {
			level, message = slog.LevelInfo, "caller left"
		}
	}
	ctx := context.Background()
	if !r.log.Enabled(ctx, level) || !r.lines.allow(c) {
		return
	}
	memory, ok := r.attrs.Get().(*[maxAttrs]slog.Attr)
	if !ok {
		memory = new([maxAttrs]slog.Attr)
	}
	attrs := append(memory[:0],
		slog.String("request_id", c.requestID),
		slog.String("client", c.client),
		slog.String("route", c.routeName()),
		slog.String("model", c.modelText),
		slog.Bool("stream", c.stream),
		slog.Int("status", c.writer.status),
	)
	if f := c.failure; f != nil {
		attrs = append(attrs,
			slog.String("name", f.Code.String()),
			slog.Int("number", f.Number),
			slog.String("origin", string(f.Origin)),
			slog.String("fault", string(f.Fault)),
			slog.String("message", f.Message),
		)
		if c.Route == nil || f.Origin == normalize.OriginGuard {
			attrs = append(attrs, slog.String("method", clip(c.inbound.Method, 32)), slog.String("path", c.pathText()))
		}
		if f.Err != nil {
			attrs = append(attrs, slog.String("err", c.redact(f.Err.Error())))
		}
	}
	if c.wouldRefuse != "" {
		attrs = append(attrs, slog.String("would_refuse", c.wouldRefuse))
	}
	if c.maxTokensSet > 0 {
		attrs = append(attrs, slog.Int64("max_tokens_set", c.maxTokensSet))
	}
	attrs = append(attrs,
		slog.Int("attempts", c.attempts),
		slog.Float64("first_byte_ms", milliseconds(c.writer.firstByte)),
		slog.Float64("duration_ms", milliseconds(took)),
	)
	attrs = c.sessionAttrs(attrs)
	if n := c.neuronsText(); n != "" {
		attrs = append(attrs, slog.String("neurons", n))
	}
	if c.settlement != nil {
		attrs = append(attrs, slog.String("basis", c.settlement.Basis.String()),
			slog.String("because", string(c.settlement.Because)))
	}
	if c.unmetered() {
		attrs = append(attrs, slog.String("basis", metrics.BasisUnmetered))
	}
	if c.traceID != "" {
		attrs = append(attrs, slog.String("trace_id", c.traceID))
	}
	if id := c.attempt.upstream.request; id != "" {
		attrs = append(attrs, slog.String("cf_ai_req_id", id))
	}
	if ray := c.attempt.upstream.ray; ray != "" {
		attrs = append(attrs, slog.String("cf_ray", ray))
	}
	// A group without a name stands for its attributes: they are not copied, as those of a record are.
	record := slog.NewRecord(time.Now(), level, message, 0)
	record.AddAttrs(slog.GroupAttrs("", attrs...))
	_ = r.log.Handler().Handle(ctx, record) // nothing can be done about a log that fails
	clear(memory[:])
	r.attrs.Put(memory)
}

// neuronsText is what the call cost: as it was settled, else by upstream's header.
func (c *call) neuronsText() string {
	switch {
	case c.unmetered():
		return "0"
	case c.settlement == nil:
		return c.attempt.neurons
	}
	return strconv.FormatFloat(c.settlement.Neurons.Float(), 'f', -1, 64)
}

// unmetered reports whether the call was made to a model that spends no neurons. A router may have chosen one of
// Workers AI's.
func (c *call) unmetered() bool { return c.thirdParty && c.attempts > 0 && c.settlement == nil }

// milliseconds rounds to microseconds: more digits are noise.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
