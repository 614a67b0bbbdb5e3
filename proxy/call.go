package proxy

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/bodybuffer"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/timelimit"
	"github.com/neuronward/neuronward/quota/pace"
)

// A call is the record of one call: the steps fill it in, and the metrics and the log line are both written from it,
// however the call ends. It belongs to the goroutine that serves the call; what others may touch has a lock of its own
// (watch) or is atomic (attempt.sent).
type call struct {
	target
	base      *url.URL // of the upstream that is called
	path      string   // there
	requestID string
	token     string            // ours, with which it is sent; "": its caller's own
	client    string            // from the configured clients; a label
	entry     *clients.Client   // of that client; nil: there is no clients file, or nobody was identified
	slot      *fairshare.Tenant // that holds the call's slot; nil: it has none yet
	stream    bool              // asked for, or answered, as a stream
	unread    timelimit.Body    // what has not been read of its body
	intake    intake            // of its body
	body      *bodybuffer.Body  // nil: the call has none, or it is in upload
	json      *measure.JSON     // what body says; nil: it is none
	upload    *upload           // nil: the call has none, or it is in body
	batchID   string            // request id of a batch that the body names, "" where it names none
	poll      string            // likewise, of a call that does nothing but ask for it

	maxTokensSet int64 // the limit of output tokens that was put into the body; 0: it went unchanged

	ctx     context.Context // ends when the caller leaves or a time limit is over
	cancel  context.CancelCauseFunc
	caller  context.Context // ends when the caller leaves or Abort was called
	inbound *http.Request

	simulated   bool                  // the demo's caller asked for a failure, which says nothing of Workers AI
	credentials *headers.Credentials  // of the proxy
	setting     normalize.SettingName // likewise
	watch       timelimit.Watchdog

	writer       writer
	passed       http.Response // the answer that ReverseProxy gets
	answer       meteredBody   // its body, if it is no stream
	streaming    *stream       // what follows it, if it is one
	attempts     int
	attempt      attempt          // the present one, else the last
	retriedCodes []normalize.Code // what the attempts but the last failed with
	recovered    bool             // the last one succeeded

	session *session // over a WebSocket; nil: the call is none

	wouldRefuse string // the reason for which the call would have been refused were quotas enforced; "": it would not

	trace   *tracing.Call // nil: nothing is exported
	traceID string        // of the trace that the call is part of; "": none

	charge     *guard.Charge     // nil: the call is not metered
	settlement *guard.Settlement // nil: the call has not ended, or nothing was reserved for it
	rate       pace.Key          // by which it waited for its requests per minute
	failure    *normalize.Failure
	complete   bool // the answer was delivered whole
	cut        int  // events of a stream whose connection is cut behind its terminal event, which counts; else 0

	began time.Time // arrival
	own   ownTime
}

// An attempt is what is known of one attempt at a call.
type attempt struct {
	started  time.Time
	sent     *atomic.Bool // upstream may have seen it; nil: it has not been made
	cached   bool         // an AI Gateway answered from its cache
	answered bool         // upstream has sent headers of success
	streams  time.Time    // since when the caller gets events; zero: no event has come
	neurons  string       // cf-ai-neurons as received
	ranModel string       // the model that a router chose, by the headers of the answer; "": they do not say
	payment  string       // payment-required as received, the terms of x402
	upstream upstreamIDs
}

// streaming reports whether the caller has or is about to get events.
func (a *attempt) streaming() bool { return !a.streams.IsZero() }

// streamed is for how long.
func (a *attempt) streamed() time.Duration {
	if !a.streaming() {
		return 0
	}
	return time.Since(a.streams)
}

// upstreamIDs are what Cloudflare's support asks for.
type upstreamIDs struct{ request, ray string }

// fill reads once, on the time of whoever sends: upstream, or the caller.
func (c *call) fill(src io.Reader, buf []byte) (int, error) {
	c.own.stop()
	n, err := src.Read(buf)
	c.own.start()
	return n, err
}

// fail records why the call failed: resolved, with the names of settings, and without secrets. The first failure
// counts: what follows is its consequence, such as the broken connection after a stream was cut.
func (c *call) fail(f *normalize.Failure) *normalize.Failure {
	if c.failure == nil {
		f.RequestID = c.requestID
		if f.Model == "" {
			f.Model = c.modelText
		}
		*f = f.Resolved()
		f.NameSettings(c.setting)
		f.Redact(c.credentials.Secrets(c.inbound.Header)...)
		c.failure = f
	}
	return c.failure
}

// redact takes the secrets of this proxy and of the caller out of a text.
func (c *call) redact(text string) string {
	return c.credentials.Redact(text, c.inbound.Header)
}

// anonymous is the client label of calls without a client of ours.
const anonymous = guard.Anonymous

// callContext is the caller's context, and carries the call to the hooks of httputil.ReverseProxy.
type callContext call

type callKey struct{}

func (ctx *callContext) Deadline() (time.Time, bool) { return ctx.caller.Deadline() }
func (ctx *callContext) Done() <-chan struct{}       { return ctx.caller.Done() }
func (ctx *callContext) Err() error                  { return ctx.caller.Err() }

func (ctx *callContext) Value(key any) any {
	if key == (callKey{}) {
		return (*call)(ctx)
	}
	return ctx.caller.Value(key)
}

func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

func (c *call) protocol() normalize.Protocol {
	if c.Route == nil {
		return normalize.ProtocolNative
	}
	return c.Route.Protocol
}

// noRoute is the label of calls that no route takes.
const noRoute = "none"

func (c *call) routeName() string {
	if c.Route == nil {
		return noRoute
	}
	return c.Route.Name
}
