package proxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// A Secret returns a credential, which may change while the proxy runs, or "" when there is none. It is called on
// every request and must not block.
type Secret func() string

func noSecret() string { return "" }

// Config is what a Proxy needs. The zero value of an optional field is named with it.
type Config struct {
	Account      string   // account whose Workers AI is called
	Token        Secret   // put on calls instead of the caller's credentials; nil: theirs pass through
	GatewayToken Secret   // put as cf-aig-authorization; nil: the caller's passes through
	Upstream     *url.URL // such as https://api.cloudflare.com/client/v4, or an AI Gateway
	API          *url.URL // for what an AI Gateway lacks; nil: Upstream if it ends in /client/v4, else Cloudflare's

	Clients func() *clients.Set // those who may call, at present; nil: anyone who reaches the listener

	// AllowedModels may be called with Token or GatewayToken; nil: all models of Workers AI.
	AllowedModels modelname.List

	Loopback bool     // the listener is on loopback: the Host header is checked
	Hosts    []string // further names that a listener on loopback answers to

	MaxBody           int64         // bytes of one request body
	MaxHeld           int64         // bytes of all inspected bodies at once
	HeldWait          time.Duration // how long a call waits for room among them; 0: 5 s
	MaxInFlight       int           // calls served at once; 0: 1024
	InFlightWait      time.Duration // how long a call waits for one of these slots; 0: 2 s
	UploadPause       time.Duration // how long a caller may pause while it sends a body; 0: 30 s
	UploadRate        int64         // bytes a second that it must then have sent on average; 0: 1 KiB
	ReadPause         time.Duration // how long a caller may take nothing of its answer; 0: 1 min
	FirstByteTimeout  time.Duration // for the answer's headers, or a stream's first event
	StreamIdleTimeout time.Duration // between bytes after that
	MaxSessions       int           // over WebSockets at once; 0: none passes
	SessionTimeout    time.Duration // how long one may last; 0: 1 h
	Linger            time.Duration // before a failed stream is cut, for slow readers up to 20 times that; 0: 500 ms
	Unrepaired        bool          // successful streams pass byte for byte, even where clients cannot read them
	RetryAfterMax     time.Duration // a longer wait is not sent as retry-after

	Ledger    *quota.Ledger    // keeps the account's neurons; nil: nothing is reserved or counted
	Estimator *price.Estimator // required with a Ledger; its table may be replaced at any time; nil: embedded
	Aborted   guard.Aborted    // how a call is charged that was cut off
	FreePlan  bool             // models that require a Workers Paid plan are refused

	// OutputLimit is put into calls of text models whose callers name no limit of output tokens. The zero value is
	// none: bodies are sent unchanged.
	OutputLimit outputlimit.Default

	NotYet string // not "": every call is refused as shutting_down, with this as the reason

	Pace     *pace.Limiter // keeps requests per minute; nil: none are limited
	RateWait time.Duration // how long a call may wait to be within its limits

	Retries     int     // further attempts at a call that is worth repeating; 0: none, and no breaker
	RetryBudget float64 // and at most this many of them a call, on average; 0: as with Retries 0

	// OnCapacity is called when a model is found out of capacity, and when it is free again. It must not block. May be
	// nil.
	OnCapacity func(model string, free bool)

	// OnAccept is called with the context of a request whose caller is a known client, and of one that goes upstream.
	// It must not block. May be nil.
	OnAccept func(request context.Context)

	Models    []string              // known models: the bounded set for labels; KnowModels adds to it
	Setting   normalize.SettingName // how messages name settings; nil: by their keys
	Simulate  bool                  // let x-simulate through; for the demo alone
	Transport http.RoundTripper     // nil: NewTransport()
	Metrics   *metrics.Metrics
	Tracer    *tracing.Tracer // tells OpenTelemetry of calls; nil: nothing does
	Log       *slog.Logger
}

// check returns an error that names what is missing in c.
func (c *Config) check() error {
	switch {
	case c.Account == "":
		return errors.New("proxy: Config.Account is empty")
	case c.Upstream == nil || c.Upstream.Host == "":
		return errors.New("proxy: Config.Upstream is no absolute URL")
	case c.MaxBody <= 0 || c.MaxHeld <= 0:
		return errors.New("proxy: Config.MaxBody and Config.MaxHeld must be positive")
	case c.MaxInFlight < 0 || c.MaxSessions < 0 || c.UploadRate < 0:
		return errors.New("proxy: Config.MaxInFlight, MaxSessions and UploadRate must not be negative")
	case c.FirstByteTimeout <= 0 || c.StreamIdleTimeout <= 0:
		return errors.New("proxy: Config.FirstByteTimeout and Config.StreamIdleTimeout must be positive")
	case c.Ledger != nil && c.Estimator == nil:
		return errors.New("proxy: Config.Estimator is required with Config.Ledger")
	case c.Metrics == nil || c.Log == nil:
		return errors.New("proxy: Config.Metrics and Config.Log are required")
	}
	return nil
}

// setDefaults completes what c leaves out.
func (c *Config) setDefaults() {
	if c.Token == nil {
		c.Token = noSecret
	}
	if c.GatewayToken == nil {
		c.GatewayToken = noSecret
	}
	if c.AllowedModels == nil {
		c.AllowedModels = modelname.Default()
	}
	c.HeldWait = cmp.Or(c.HeldWait, 5*time.Second)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 1024)
	c.InFlightWait = cmp.Or(c.InFlightWait, 2*time.Second)
	c.UploadPause = cmp.Or(c.UploadPause, 30*time.Second)
	c.UploadRate = cmp.Or(c.UploadRate, 1<<10)
	c.ReadPause = cmp.Or(c.ReadPause, time.Minute)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, time.Hour)
	c.Linger = cmp.Or(c.Linger, 500*time.Millisecond)
	if c.RetryBudget <= 0 {
		c.Retries = 0
	}
	if c.Setting == nil {
		c.Setting = func(key string) string { return key }
	}
	if c.OnAccept == nil {
		c.OnAccept = func(context.Context) {}
	}
	if c.Transport == nil {
		c.Transport = NewTransport()
	}
	if c.Estimator == nil {
		c.Estimator = price.NewEstimator(nil, price.Bound)
	}
}
