package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota/pace"
)

// Why a call that is under way was ended by this proxy.
var (
	errFirstByte = errors.New("no answer within the time limit of a first byte")
	errIdle      = errors.New("nothing more within the time limit of an idle stream")
	errShutdown  = errors.New("this proxy is shutting down")
)

// A call is the record of one call: the steps fill it in, and the metrics
// and the log line are both written from it, however the call ends.
type call struct {
	target
	base      *url.URL // of the upstream that is asked
	path      string   // on it
	requestID string
	client    string            // from the configured clients; a label
	entry     *clients.Client   // of that client; nil: there is no clients file, or nobody was identified
	slot      *fairshare.Tenant // of Proxy.slots, once it has one
	stream    bool              // asked for, or answered, as a stream
	body      *bufferedBody
	upload    *upload
	poll      string // request id of the batch that the call asks after, "" for every other call

	ctx     context.Context // ends when the caller leaves or a time limit is over
	cancel  context.CancelCauseFunc
	caller  context.Context // ends when the caller leaves or Abort was called
	inbound *http.Request

	credentials *credentials          // of the proxy
	setting     normalize.SettingName // likewise
	watch       watchdog

	writer   writer
	attempts int
	attempt  attempt          // the present one, else the last
	healing  []normalize.Code // what the attempts but the last failed with
	healed   bool             // the last one was taken

	charge     *guard.Charge     // nil: the call is not metered
	settlement *guard.Settlement // nil: the call has not ended, or nothing was reserved for it
	rate       pace.Key          // by which it waited its turn
	failure    *normalize.Failure
	complete   bool // the answer was delivered whole

	began     time.Time // arrival
	mark      time.Time // since when the present lap runs; zero: not ours
	own       time.Duration
	firstByte time.Duration
}

// An attempt is what is known of one attempt at a call.
type attempt struct {
	started   time.Time
	sent      *atomic.Bool // upstream may have seen it; nil: it has not been made
	cached    bool         // an AI Gateway answered from its cache
	answered  bool         // upstream has sent headers of success
	streaming bool         // and events, which the caller has or is about to get
	neurons   string       // cf-ai-neurons as it came
	upstream  upstreamIDs
}

// upstreamIDs are what Cloudflare's support asks for.
type upstreamIDs struct{ request, ray string }

// lap ends a lap of our own time; what follows is somebody else's.
func (c *call) lap() {
	if !c.mark.IsZero() {
		c.own += time.Since(c.mark)
		c.mark = time.Time{}
	}
}

// resume begins a lap of our own time.
func (c *call) resume() { c.mark = time.Now() }

// fail records why the call failed: resolved, and without secrets. The first
// failure counts: what follows is its consequence, such as the broken connection
// after a stream was cut.
func (c *call) fail(f *normalize.Failure) *normalize.Failure {
	if c.failure == nil {
		f.RequestID = c.requestID
		if f.Model == "" {
			f.Model = c.modelText
		}
		r := f.Resolved()
		r.NameSettings(c.setting)
		r.Redact(c.credentials.secrets(c.inbound)...)
		c.failure = &r
	}
	return c.failure
}

// redact takes the secrets of this proxy and of the caller out of a text.
func (c *call) redact(text string) string {
	return normalize.Redact(text, c.credentials.secrets(c.inbound)...)
}

// gone reports whether the caller, rather than upstream or this proxy, ended
// the call.
func (c *call) gone() bool {
	if c.writer.failed {
		return true
	}
	return c.caller.Err() != nil && !errors.Is(context.Cause(c.caller), errShutdown)
}

// begin opens the record of a call.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) *call {
	p.inFlight.Add(1)
	p.metrics.Began()
	c := &call{client: anonymous, began: time.Now(), inbound: r, credentials: &p.credentials, setting: p.setting}
	c.label = metrics.Other
	c.mark = c.began
	c.writer = writer{ResponseWriter: w, call: c}
	c.requestID = requestID(r.Header)
	c.caller = r.Context()
	c.ctx, c.cancel = context.WithCancelCause(callContext{Context: c.caller, call: c})
	c.watch.limits, c.watch.began, c.watch.expired, c.watch.caller = p.limits, c.began, c.cancel, &c.writer
	return c
}

// anonymous is the client label of calls without a client of ours.
const anonymous = "anonymous"

// callContext carries the call to the hooks of httputil.ReverseProxy.
type callContext struct {
	context.Context
	call *call
}

type callKey struct{}

func (ctx callContext) Value(key any) any {
	if key == (callKey{}) {
		return ctx.call
	}
	return ctx.Context.Value(key)
}

func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

// end closes the record: the time limit, the memory, one observation in each
// series and one log line.
func (p *Proxy) end(c *call) {
	c.watch.stop()
	c.cancel(nil)
	p.bodies.release(c.body)
	c.lap()
	took := time.Since(c.began)

	result := metrics.ResultOK
	switch {
	case c.failure == nil && c.complete:
	case c.failure != nil && c.failure.Code != normalize.Aborted:
		result = c.failure.Code.String()
	case c.gone():
		result = metrics.ResultClientGone
		c.fail(c.left("the caller left before the answer was whole.", nil))
	default:
		// Upstream's own "aborted", or an end that nobody has noted.
		result = c.fail(unable(normalize.Internal, "", nil)).Code.String()
	}
	if c.failure != nil {
		p.metrics.Failed(c.failure.Code, c.failure.Origin, c.failure.Fault)
		p.noteFailure(c)
	}
	p.countRetries(c)
	p.metrics.Ended(&metrics.Call{
		Route: c.routeName(), Model: c.label, Client: p.callLabel(c), Stream: c.stream,
		Result: result, Duration: took, FirstByte: c.firstByte, Overhead: c.own, RequestID: c.requestID,
	})
	p.logCall(c, result, took)
	p.leave()
}

func (c *call) protocol() normalize.Protocol {
	if c.route == nil {
		return normalize.ProtocolNative
	}
	return c.route.protocol
}

func (c *call) routeName() string {
	if c.route == nil {
		return noRoute
	}
	return c.route.name
}
