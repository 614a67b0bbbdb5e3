package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/bodybuffer"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/proxy/timelimit"
	"github.com/neuronward/neuronward/proxy/websocket"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// Proxy is the handler of the app listener. Each of its parts holds only what it needs; ServeHTTP puts them in order.
type Proxy struct {
	lifecycle

	account   string
	notYet    string
	simulate  bool
	setting   normalize.SettingName
	limits    timelimit.Limits
	lingers   time.Duration // Config.Linger
	estimator *price.Estimator
	metrics   *metrics.Metrics
	tracer    *tracing.Tracer
	log       *slog.Logger
	accept    func(request context.Context)

	outputLimit outputlimit.Default

	models       knownModels
	credentials  headers.Credentials
	access       access
	allowed      allowedModels
	slots        slots
	bodies       bodies
	rates        rates
	capacity     capacity
	token        ownToken
	deprecations deprecations
	guard        *guard.Guard
	forward      forwarder
	failures     failures
	lister       modelLister
	recorder     recorder
	buffers      buffers
	reverse      httputil.ReverseProxy
	retries      retryTransport
	sessions     websocket.Sessions
	sessionPool  *fairshare.Pool // of Config.MaxSessions
}

// New returns a Proxy, or an error that names what is missing in c.
func New(c Config) (*Proxy, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.setDefaults()
	p := &Proxy{
		account: c.Account, notYet: c.NotYet, simulate: c.Simulate, setting: c.Setting, estimator: c.Estimator,
		lingers: c.Linger,
		limits:  timelimit.Limits{FirstByte: c.FirstByteTimeout, Idle: c.StreamIdleTimeout, Stalled: c.ReadPause},
		metrics: c.Metrics, tracer: c.Tracer, log: c.Log, outputLimit: c.OutputLimit, accept: c.OnAccept,
	}
	p.lifecycle.init()
	p.models.add(c.Models)
	p.credentials = headers.Credentials{Token: c.Token, GatewayToken: c.GatewayToken, ClientKeys: c.Clients != nil}
	p.guard = guard.New(guard.Options{
		Ledger: c.Ledger, Estimator: c.Estimator, Recorder: c.Metrics,
		Aborted: c.Aborted, FreePlan: c.FreePlan,
		LabelOf: p.models.label,
		OnNoLimit: func(held, limit quota.Neurons) {
			c.Log.Warn("calls that name no limit of output hold more than half of the limit of neurons, so that "+
				"others wait or are refused: have apps send max_tokens, or set "+c.Setting("DEFAULT_MAX_TOKENS"),
				"reserved", held.Float(), "limit", limit.Float())
		},
	})
	p.access = access{
		loopback: c.Loopback, hosts: NewHosts(c.Hosts...), crossOrigin: http.NewCrossOriginProtection(),
		clients: c.Clients, credentials: &p.credentials,
	}
	p.slots = slots{
		pool:    fairshare.New(int64(c.MaxInFlight), c.MaxInFlight, c.InFlightWait, p.closed),
		metrics: c.Metrics,
	}
	p.sessionPool = fairshare.New(int64(c.MaxSessions), 0, 0, nil)
	p.forward = forwarder{
		upstream: routing.NewUpstream(c.Upstream, c.API), credentials: &p.credentials, simulate: c.Simulate,
		transport: c.Transport,
	}
	p.allowed = allowedModels{
		list: c.AllowedModels, gateway: p.forward.upstream.Gateway, credentials: &p.credentials, metrics: c.Metrics,
	}
	p.bodies = bodies{
		max: c.MaxBody, pool: bodybuffer.NewPool(c.MaxBody), room: fairshare.New(c.MaxHeld, 0, c.HeldWait, nil),
		gateway: p.forward.upstream.Gateway,
		count:   p.guard.On() || c.OutputLimit.IsSet(), limits: c.OutputLimit.IsSet(),
		slowest: timelimit.UploadRate{Pause: c.UploadPause, Rate: c.UploadRate}, metrics: c.Metrics,
		enough: func(model string) int64 { return c.Estimator.Resolve(modelname.Canonical(model)).Enough() },
	}
	p.rates = rates{
		limiter: c.Pace, maxWait: c.RateWait, guard: p.guard, models: &p.models, metrics: c.Metrics, log: c.Log,
		setting: c.Setting,
	}
	p.capacity = capacity{
		on: c.Retries > 0, share: c.OnCapacity, guard: p.guard, models: &p.models, metrics: c.Metrics, log: c.Log,
	}
	p.token = ownToken{credentials: &p.credentials, metrics: c.Metrics, log: c.Log}
	p.deprecations.log = c.Log
	p.failures = failures{
		credentials: &p.credentials, guard: p.guard, rates: &p.rates, retryAfterMax: c.RetryAfterMax,
		closing: p.refusesAll, metrics: c.Metrics, log: c.Log,
	}
	p.lister = modelLister{
		forward: &p.forward, failures: &p.failures, allowed: &p.allowed, guard: p.guard, estimator: c.Estimator,
	}
	p.recorder = newRecorder(&p.access, c.Metrics, c.Log)
	p.retries = retryTransport{
		forward: &p.forward,
		inspector: &inspector{
			failures: &p.failures, guard: p.guard, buffers: &p.buffers, unrepaired: c.Unrepaired, log: c.Log,
			sessions: &p.sessions, sessionTimeout: c.SessionTimeout,
		},
		max: c.Retries, budget: newRetryBudget(c.RetryBudget),
		capacity: &p.capacity, token: &p.token, rates: &p.rates, guard: p.guard, metrics: c.Metrics,
	}
	p.reverse = httputil.ReverseProxy{
		Rewrite:   p.forward.rewrite,
		Transport: &p.retries,
		ErrorHandler: func(_ http.ResponseWriter, out *http.Request, err error) {
			p.failures.answer(callOf(out.Context()), err)
		},
		BufferPool: &p.buffers,
		ErrorLog:   slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// refusesAll reports whether no call is taken at present.
func (p *Proxy) refusesAll() bool { return p.Draining() || p.notYet != "" }
