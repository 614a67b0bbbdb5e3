package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// Config is what a Proxy needs. The zero value of an optional field is named
// with it.
type Config struct {
	Account      string   // account whose Workers AI is called
	Token        Secret   // put on calls instead of the caller's credentials; nil: theirs pass through
	GatewayToken Secret   // put as cf-aig-authorization; nil: the caller's passes through
	Upstream     *url.URL // such as https://api.cloudflare.com/client/v4, or an AI Gateway
	API          *url.URL // where an AI Gateway can't be asked; nil: Upstream where it ends in /client/v4, else DefaultAPI

	Clients func() *clients.Set // those who may call, at present; nil: anyone who reaches the listener

	Loopback bool     // the listener is on loopback: the Host header is checked
	Hosts    []string // further names that a listener on loopback answers to

	MaxBody           int64         // bytes of one request body
	MaxHeld           int64         // bytes of all inspected bodies at once
	HeldWait          time.Duration // how long a call waits for room among them; 0: 5 s
	MaxInFlight       int           // calls served at once; 0: 1024
	InFlightWait      time.Duration // how long a call waits for a place among them; 0: 2 s
	UploadPause       time.Duration // how long a caller may pause while it sends a body; 0: 30 s
	UploadRate        int64         // bytes a second that it must then have sent on average; 0: 1 KiB
	ReadPause         time.Duration // how long a caller may take nothing of its answer; 0: 1 min
	FirstByteTimeout  time.Duration // for the answer's headers, or a stream's first event
	StreamIdleTimeout time.Duration // between bytes after that
	RetryAfterMax     time.Duration // a longer wait is not sent as retry-after

	Ledger          *quota.Ledger    // keeps the account's neurons; nil: nothing is reserved or counted
	Estimator       *price.Estimator // required with a Ledger; its prices may be replaced at any time; nil: the embedded ones
	AbortedEstimate bool             // a call that its caller broke off costs all that was reserved
	FreePlan        bool             // models that require a Workers Paid plan are refused

	NotYet string // why no call is taken, for callers: each is refused with it as shutting_down; "": calls are taken

	Pace     *pace.Limiter // keeps requests per minute; nil: none are limited
	RateWait time.Duration // how long a call may wait its turn

	Retries     int     // further attempts at a call that is worth repeating; 0: none, and no breaker
	RetryBudget float64 // and at most this many of them a call, on average; 0: as with Retries 0

	// OnCapacity is called when a model is found out of capacity, and when it is free again. It must not block. May be nil.
	OnCapacity func(model string, free bool)

	Models    []string              // known models: the bounded set for labels; KnowModels adds to it
	Setting   normalize.SettingName // how messages name settings; nil: by their keys
	Simulate  bool                  // let x-simulate through; for the demo alone
	Transport http.RoundTripper     // nil: NewTransport()
	Metrics   *metrics.Metrics
	Log       *slog.Logger
}

// Proxy is the handler of the app listener.
type Proxy struct {
	account     string
	credentials credentials
	upstream    upstream

	clients     func() *clients.Set
	loopback    bool
	hosts       Hosts
	crossOrigin *http.CrossOriginProtection

	limits        limits
	retryAfterMax time.Duration

	guard     *guard.Guard
	estimator *price.Estimator
	notYet    string
	setting   normalize.SettingName
	models    knownModels
	endings   endings
	simulate  bool
	bodies    bodies
	buffers   buffers
	forward   httputil.ReverseProxy

	transport  http.RoundTripper
	pace       *pace.Limiter
	rateWait   time.Duration
	retries    int
	budget     *retryBudget
	breakers   breaker.Set
	onCapacity func(model string, free bool) // may be nil

	metrics *metrics.Metrics
	log     *slog.Logger
	unknown unknownCodes
	recent  recentFailures

	slots    *fairshare.Pool // in which calls are served
	inFlight atomic.Int64    // with those that wait for a place or are refused
	draining atomic.Bool
	closed   chan struct{} // by Drain: nobody waits for a place any longer
	idle     chan struct{}
	idleOnce sync.Once
	base     context.Context
	abort    context.CancelCauseFunc
}

// New returns a Proxy, or an error that names what is missing in c.
func New(c Config) (*Proxy, error) {
	switch {
	case c.Account == "":
		return nil, errors.New("proxy: Config.Account is empty")
	case c.Upstream == nil || c.Upstream.Host == "":
		return nil, errors.New("proxy: Config.Upstream is no absolute URL")
	case c.MaxBody <= 0 || c.MaxHeld <= 0:
		return nil, errors.New("proxy: Config.MaxBody and Config.MaxHeld must be positive")
	case c.MaxInFlight < 0 || c.UploadRate < 0:
		return nil, errors.New("proxy: Config.MaxInFlight and Config.UploadRate must not be negative")
	case c.FirstByteTimeout <= 0 || c.StreamIdleTimeout <= 0:
		return nil, errors.New("proxy: Config.FirstByteTimeout and Config.StreamIdleTimeout must be positive")
	case c.Ledger != nil && c.Estimator == nil:
		return nil, errors.New("proxy: Config.Estimator is required with Config.Ledger")
	case c.Metrics == nil || c.Log == nil:
		return nil, errors.New("proxy: Config.Metrics and Config.Log are required")
	}
	if c.Token == nil {
		c.Token = noSecret
	}
	if c.GatewayToken == nil {
		c.GatewayToken = noSecret
	}
	c.HeldWait = cmp.Or(c.HeldWait, 5*time.Second)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 1024)
	c.InFlightWait = cmp.Or(c.InFlightWait, 2*time.Second)
	c.UploadPause = cmp.Or(c.UploadPause, 30*time.Second)
	c.UploadRate = cmp.Or(c.UploadRate, 1<<10)
	c.ReadPause = cmp.Or(c.ReadPause, time.Minute)
	if c.RetryBudget <= 0 {
		c.Retries = 0
	}
	if c.Setting == nil {
		c.Setting = func(key string) string { return key }
	}
	if c.Transport == nil {
		c.Transport = NewTransport()
	}
	p := &Proxy{
		account: c.Account, upstream: newUpstream(c.Upstream, c.API),
		clients: c.Clients, loopback: c.Loopback, hosts: NewHosts(c.Hosts...), crossOrigin: http.NewCrossOriginProtection(),
		limits: limits{firstByte: c.FirstByteTimeout, idle: c.StreamIdleTimeout, stalled: c.ReadPause}, retryAfterMax: c.RetryAfterMax,
		simulate: c.Simulate, setting: c.Setting, notYet: c.NotYet,
		bodies: bodies{
			max: c.MaxBody, room: fairshare.New(c.MaxHeld, 0, c.HeldWait, nil),
			slow: patience{pause: c.UploadPause, rate: c.UploadRate}, metrics: c.Metrics,
			small: sync.Pool{New: func() any { return new([smallPiece]byte) }},
			large: sync.Pool{New: func() any { return new([largePiece]byte) }},
		},
		transport: c.Transport, pace: c.Pace, rateWait: c.RateWait, retries: c.Retries, budget: newRetryBudget(c.RetryBudget), onCapacity: c.OnCapacity,
		metrics: c.Metrics, log: c.Log, idle: make(chan struct{}),
	}
	p.credentials.token, p.credentials.gatewayToken, p.credentials.clientKeys = c.Token, c.GatewayToken, c.Clients != nil
	p.models.add(c.Models)
	p.closed = make(chan struct{})
	p.slots = fairshare.New(int64(c.MaxInFlight), c.MaxInFlight, c.InFlightWait, p.closed)
	if c.Estimator == nil {
		c.Estimator = price.NewEstimator(nil, price.Bound)
	}
	p.estimator = c.Estimator
	p.guard = guard.New(guard.Options{
		Ledger: c.Ledger, Estimator: c.Estimator, Recorder: c.Metrics, AbortedEstimate: c.AbortedEstimate, FreePlan: c.FreePlan,
	})
	p.base, p.abort = context.WithCancelCause(context.Background())
	p.forward = httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    repeating{p},
		ErrorHandler: p.forwardFailed,
		BufferPool:   &p.buffers,
		ErrorLog:     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// ServeHTTP takes one call from top to bottom. What must happen at its end is
// deferred where it becomes due; each step returns its error, and fail answers
// it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := p.begin(w, r)
	defer p.end(c)
	defer c.part()
	defer p.rescue(c)

	if err := p.admit(c, r); err != nil {
		p.fail(c, err)
		return
	}
	if !c.route.local() {
		if err := p.enter(c); err != nil {
			p.fail(c, err)
			return
		}
		defer p.exit(c)
	}
	if err := p.read(c, r); err != nil {
		p.fail(c, err)
		return
	}
	if c.route.answer != answeredUpstream {
		if err := p.answer(c); err != nil {
			p.fail(c, err)
		}
		c.complete = true
		return
	}
	defer p.settle(c)
	if err := p.clear(c); err != nil {
		p.fail(c, err)
		return
	}
	p.forward.ServeHTTP(&c.writer, c.outbound(r))
	c.complete = c.finish()
}

// answer answers a call that is not for upstream.
func (p *Proxy) answer(c *call) error {
	if c.route.answer == answeredReference {
		return answerReference(c)
	}
	if err := p.turn(c); err != nil {
		return err
	}
	return p.listModels(c)
}

// clear says where the call goes and whether it may: by its client, by the
// capacity of its model, by the neurons that it may need and by its turn. The
// turn comes last: what is refused takes none. What may have changed while the
// call waited is asked again.
func (p *Proxy) clear(c *call) error {
	if err := p.aim(c); err != nil {
		return err
	}
	if err := p.permit(c); err != nil {
		return err
	}
	p.warnOfEnd(c)
	if err := p.capacity(c, false); err != nil {
		return err
	}
	if err := p.reserve(c); err != nil {
		return err
	}
	if err := p.turn(c); err != nil {
		return err
	}
	if f := c.charge.Blocked(); f != nil {
		return f
	}
	return p.capacity(c, true)
}

// admit refuses what is not for this proxy before anything is read.
func (p *Proxy) admit(c *call, r *http.Request) error {
	if p.draining.Load() || p.notYet != "" {
		return refuse(normalize.ShuttingDown, p.notYet, "")
	}
	d, failure := resolve(r.Method, r.URL.Path)
	p.setTarget(c, d)
	if err := p.access(c, r); err != nil {
		return err
	}
	if err := p.identify(c, r.Header); err != nil {
		return err
	}
	if c.finetunes() && !c.mayFinetune() {
		d, failure = c.withoutFinetunes(r.Method)
		p.setTarget(c, d)
	}
	if failure != nil {
		return failure
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return refuse(normalize.RouteNotProxied, "This proxy does not pass WebSocket upgrades. Send the call as a plain request.", "")
	}
	if !c.ours && (p.credentials.token() != "" || p.upstream.gateway) {
		return refuse(normalize.AccountMismatch,
			"The path names another account than the one whose token this proxy holds. Use that account's id, or the paths below /v1 and /ai, which need none.", "")
	}
	return nil
}

// rescue answers a panic that left the caller without an answer. Once bytes are
// out, the panic goes on: to end normally would make half an answer look whole.
func (p *Proxy) rescue(c *call) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler { //nolint:errorlint // the value that net/http compares with
		p.log.Error("a bug in this proxy: panic while serving a call", "request_id", c.requestID, "panic", c.redact(fmt.Sprint(v)), "stack", string(debug.Stack()))
		c.fail(unable(normalize.Internal, "", nil))
		if c.writer.status == 0 {
			p.fail(c, c.failure)
			return
		}
	}
	panic(http.ErrAbortHandler)
}
