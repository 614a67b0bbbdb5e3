package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/quota/pace"
)

// Why a call that is under way was ended by this proxy.
var (
	errFirstByte = errors.New("no answer within NEURONWARD_FIRST_BYTE_TIMEOUT")
	errIdle      = errors.New("nothing more within NEURONWARD_STREAM_IDLE_TIMEOUT")
	errShutdown  = errors.New("this proxy is shutting down")
)

// An exchange is the record of one call: the steps fill it in, and the metrics
// and the log line are both written from it, however the call ends.
type exchange struct {
	destination
	base      *url.URL // of the upstream that is asked
	path      string   // on it
	requestID string
	client    string          // from the configured clients; a label
	entry     *clients.Client // of that client; nil: there is no clients file, or nobody was identified
	place     *member         // of Proxy.places, once it has one
	stream    bool            // asked for, or answered, as a stream
	body      *held
	upload    *upload

	ctx     context.Context // ends when the caller leaves or a time limit is over
	cancel  context.CancelCauseFunc
	caller  context.Context // ends when the caller leaves or Abort was called
	inbound *http.Request
	watch   watchdog

	writer    writer
	attempts  int
	tried     time.Time        // when the present attempt began
	healing   []normalize.Code // what the attempts but the last failed with
	healed    bool             // the last one was taken
	answered  bool             // upstream has sent headers of success
	streaming bool             // and events, which the caller has or is about to get
	upstream  upstreamIDs
	neurons   string // cf-ai-neurons as it came
	claim     claim
	rate      pace.Key // by which it waited its turn
	failure   *normalize.Failure
	complete  bool      // the answer was delivered whole
	began     time.Time // arrival
	mark      time.Time // since when the present lap runs; zero: not ours
	own       time.Duration
	firstByte time.Duration
}

// upstreamIDs are what Cloudflare's support asks for.
type upstreamIDs struct{ request, ray string }

// lap ends a lap of our own time; what follows is somebody else's.
func (x *exchange) lap() {
	if !x.mark.IsZero() {
		x.own += time.Since(x.mark)
		x.mark = time.Time{}
	}
}

// resume begins a lap of our own time.
func (x *exchange) resume() { x.mark = time.Now() }

// fail notes why the call failed. The first word counts: what follows is its
// echo, such as the broken connection after a stream was cut.
func (x *exchange) fail(f *normalize.Failure) *normalize.Failure {
	if x.failure == nil {
		f.RequestID = x.requestID
		e := f.Code.Entry()
		if f.Message == "" {
			f.Message = e.Summary
		}
		if f.Number == 0 {
			f.Number = e.Number
		}
		if f.Origin == "" {
			f.Origin = e.Origins[0]
		}
		if f.Fault == "" {
			f.Fault = e.Fault
		}
		if f.Model == "" {
			f.Model = clip(x.model, 256)
		}
		x.failure = f
	}
	return x.failure
}

// gone reports whether the caller, rather than upstream or this proxy, ended
// the call.
func (x *exchange) gone() bool {
	if x.writer.failed {
		return true
	}
	return x.caller.Err() != nil && !errors.Is(context.Cause(x.caller), errShutdown)
}

// A writer is the caller's end of the call. It remembers what was sent and
// passes everything on.
type writer struct {
	http.ResponseWriter
	x       *exchange
	status  int  // 0 until the headers are sent
	interim int  // 1xx answers so far
	failed  bool // the caller's connection broke
	written int64
}

// WriteHeader notes the final status. Some 1xx answers may come before it.
func (w *writer) WriteHeader(status int) {
	if status < 200 {
		w.writeInterim(status)
		return
	}
	if w.status == 0 {
		w.status = status
		w.x.lap()
		if onceOnly(w.x.inbound) {
			w.Header()["Connection"] = []string{"close"}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// maxInterim is how many 1xx answers one call may have: net/http reads them
// without a bound when somebody passes them on.
const maxInterim = 5

var errInterim = errors.New("more 1xx answers than a call may have")

// writeInterim passes a 1xx answer on, but for callers of HTTP/1.0, which would
// take it for the answer (RFC 9110, section 15.2).
func (w *writer) writeInterim(status int) {
	if w.interim++; w.interim > maxInterim {
		w.x.cancel(errInterim)
		return
	}
	if w.x.inbound.ProtoAtLeast(1, 1) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.written == 0 && len(b) > 0 {
		w.x.firstByte = time.Since(w.x.began)
	}
	w.x.watch.write()
	n, err := w.ResponseWriter.Write(b)
	w.x.watch.wrote()
	w.written += int64(n)
	if err != nil && !errors.Is(err, http.ErrContentLength) && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = true
	}
	return n, err
}

// Unwrap lets http.ResponseController reach what this writer does not wrap:
// without it a stream would not flush.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin opens the record of a call.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) *exchange {
	p.inFlight.Add(1)
	p.metrics.Began()
	x := &exchange{client: anonymous, began: time.Now(), inbound: r}
	x.mark = x.began
	x.writer = writer{ResponseWriter: w, x: x}
	x.requestID = requestID(r.Header)
	x.caller = r.Context()
	x.ctx, x.cancel = context.WithCancelCause(callContext{Context: x.caller, x: x})
	x.watch.limits, x.watch.began, x.watch.expired, x.watch.caller = p.limits, x.began, x.cancel, &x.writer
	return x
}

// anonymous is the client label of calls without a client of ours.
const anonymous = "anonymous"

// callContext carries the exchange to the hooks of httputil.ReverseProxy.
type callContext struct {
	context.Context
	x *exchange
}

type exchangeKey struct{}

func (c callContext) Value(key any) any {
	if key == (exchangeKey{}) {
		return c.x
	}
	return c.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// end closes the record: the time limit, the memory, one observation in each
// series and one log line.
func (p *Proxy) end(x *exchange) {
	x.watch.stop()
	x.cancel(nil)
	p.bodies.release(x.body)
	x.lap()
	took := time.Since(x.began)

	result := metrics.ResultOK
	switch {
	case x.failure == nil && x.complete:
	case x.failure != nil && x.failure.Code != normalize.Aborted:
		result = x.failure.Code.String()
	case x.gone():
		result = metrics.ResultClientGone
		x.fail(x.left("the caller left before the answer was whole.", nil))
	default:
		// Upstream's own "aborted", or an end that nobody has noted.
		result = x.fail(unable(normalize.Internal, "", nil)).Code.String()
	}
	if x.failure != nil {
		p.metrics.Failed(x.failure.Code, x.failure.Origin, x.failure.Fault)
		p.noteFailure(x)
	}
	p.countRetries(x)
	p.metrics.Ended(&metrics.Call{
		Route: x.routeName(), Model: p.modelLabel(x.model), Client: p.callLabel(x), Stream: x.stream,
		Result: result, Duration: took, FirstByte: x.firstByte, Overhead: x.own, RequestID: x.requestID,
	})
	p.logCall(x, result, took)
	p.leave()
}

func (x *exchange) protocol() normalize.Protocol {
	if x.route == nil {
		return normalize.ProtocolNative
	}
	return x.route.protocol
}

func (x *exchange) routeName() string {
	if x.route == nil {
		return noRoute
	}
	return x.route.name
}

// modelLabel keeps the label to models that are known: callers name anything.
func (p *Proxy) modelLabel(model string) string {
	if p.models.has(model) {
		return model
	}
	return metrics.Other
}
