package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
)

func serveHelp() string {
	return `Runs the proxy. Apps call the first address, people and Prometheus the second.

Usage:

  neuronward [serve]

The configuration is the environment. A variable with a …_FILE twin may be read
from the file that the twin names instead; a change of the file is picked up.

` + variableTable(variables(), func(variable) bool { return true }) + `
SIGTERM or SIGINT ends it: not ready at once, calls in flight may finish for
NEURONWARD_DRAIN, then they are cut. A second signal ends it at once.

Example:

  export CLOUDFLARE_ACCOUNT_ID=…
  export CLOUDFLARE_API_TOKEN_FILE=/run/secrets/token
  neuronward
`
}

func serve(ctx context.Context, in *invocation) int {
	if _, code, ok := in.parse(in.flags(), serveHelp(), 0); !ok {
		return code
	}
	l := load(in.environ, in.redactor)
	if err := l.err(); err != nil {
		return in.mistakes(err)
	}
	log := newLogger(in.stderr, l.config.LogLevel, l.config.LogFormat, in.terminal)
	for _, w := range l.warnings {
		log.Warn("configuration", "warning", w)
	}
	return in.serve(ctx, log, l, func(*proxy.Config) {}, func(endpoints) {
		if l.planAssumed() {
			log.Info("NEURONWARD_PLAN is not set, so the free plan is assumed: 10,000 neurons a day are a wall, and models that need Workers Paid are refused; " +
				"on Workers Paid set it to paid")
		}
	})
}

// endpoints are the addresses that the listeners really have; admin is "" when it is off.
type endpoints struct{ app, admin string }

// serve runs the proxy of l until ctx or a signal ends it. adjust may change what the proxy is made of; started is called
// once both listeners accept calls.
func (in *invocation) serve(ctx context.Context, log *slog.Logger, l *loader, adjust func(*proxy.Config), started func(endpoints)) int {
	c := &l.config
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	tuneMemory(in.environ, int64(c.MaxHeld))

	ln, err := listen(ctx, c)
	if err != nil {
		return in.fail(err)
	}
	b := thisBuild()
	m := metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit})
	opening, opened := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	n, err := openNeurons(opening, c, log, m)
	opened()
	if err != nil {
		ln.close()
		return in.fail(err)
	}
	settings := proxyConfig(c, n, log, m)
	adjust(&settings)
	p, err := proxy.New(settings)
	if err != nil {
		ln.close()
		return in.fail(errors.Join(err, n.close(0, log)))
	}

	watching, stop := context.WithCancel(ctx)
	defer stop()
	go watchSecrets(watching, log, map[string]*credential{"CLOUDFLARE_API_TOKEN": &c.Token, "CF_AIG_TOKEN": &c.GatewayToken})

	s := &server{
		log:   log,
		calls: p,
		app:   newHTTPServer(p, log),
		drain: c.Drain,
		ln:    ln,
	}
	s.app.BaseContext = p.BaseContext
	s.app.Protocols = new(http.Protocols)
	s.app.Protocols.SetHTTP1(true)
	s.app.Protocols.SetUnencryptedHTTP2(true)
	if ln.admin != nil {
		s.admin = newHTTPServer(in.admin(l, n, p, m).handler(), log)
	}
	at := ln.endpoints()
	log.Info("listening", "listen", at.app, "admin_listen", at.admin, "upstream", settings.Upstream.String(), "version", b.Version, "commit", b.Commit)
	started(at)
	err = errors.Join(s.run(ctx, signals), n.close(cutGrace, log))
	log.Info("ended")
	if err != nil {
		return in.fail(err)
	}
	return exitDone
}

// admin is what the admin listener of a running proxy answers.
func (in *invocation) admin(l *loader, n *neurons, p *proxy.Proxy, m *metrics.Metrics) admin {
	c, b := &l.config, thisBuild()
	return admin{
		metrics: m.Handler(),
		unready: func() string {
			if p.Draining() {
				return "draining: this process is ending"
			}
			return n.unready()
		},
		status: func(ctx context.Context) statusPage {
			return statusPage{
				Version: b.Version, Commit: b.Commit, day: n.today(ctx, c), Failures: p.RecentFailures(), Settings: l.settings(),
			}
		},
		history: n.past, redactor: in.redactor, pprof: bool(c.Pprof), checkHost: c.AdminListen.loopback(), hosts: proxy.NewHosts(c.Hosts...),
	}
}

// proxyConfig turns the environment's words into the proxy's.
func proxyConfig(c *config, n *neurons, log *slog.Logger, m *metrics.Metrics) proxy.Config {
	p := proxy.Config{
		Account:           string(c.Account),
		Upstream:          c.Upstream.u,
		API:               c.API.u,
		Loopback:          c.Listen.loopback(),
		Hosts:             c.Hosts,
		MaxBody:           int64(c.MaxBody),
		MaxHeld:           int64(c.MaxHeld),
		FirstByteTimeout:  time.Duration(c.FirstByteTimeout),
		StreamIdleTimeout: time.Duration(c.StreamIdleTimeout),
		RetryAfterMax:     time.Duration(c.RetryAfterMax),
		Ledger:            n.ledger,
		Estimator:         n.estimator,
		AbortedEstimate:   c.Aborted == abortedAll,
		FreePlan:          c.Plan == planFree,
		Models:            quota.Embedded().Models(),
		Metrics:           m,
		Log:               log,
	}
	if c.Token.set() {
		p.Token = c.Token.Value
	}
	if c.GatewayToken.set() {
		p.GatewayToken = c.GatewayToken.Value
	}
	return p
}

// listeners are bound before anything else is made, so that a port in use is the first thing that is told.
type listeners struct{ app, admin net.Listener }

// listen binds both addresses; its error names each variable whose address is not to be had.
func listen(ctx context.Context, c *config) (listeners, error) {
	var ln listeners
	var errs []error
	bind := func(name string, at address) net.Listener {
		if at == "" {
			return nil
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", string(at))
		if err != nil {
			if op, ok := errors.AsType[*net.OpError](err); ok {
				err = op.Err
			}
			hint := "set another address"
			if errors.Is(err, syscall.EADDRINUSE) {
				hint = "stop what listens there, or set another address"
			}
			errs = append(errs, fmt.Errorf("%s: cannot listen on %s (%w); %s", name, at, err, hint))
			return nil
		}
		return l
	}
	ln.app = bind("NEURONWARD_LISTEN", c.Listen)
	ln.admin = bind("NEURONWARD_ADMIN_LISTEN", c.AdminListen)
	if len(errs) > 0 {
		ln.close()
	}
	return ln, errors.Join(errs...)
}

func (ln listeners) close() {
	for _, l := range []net.Listener{ln.app, ln.admin} {
		if l != nil {
			l.Close()
		}
	}
}

func (ln listeners) endpoints() endpoints {
	at := endpoints{app: ln.app.Addr().String()}
	if ln.admin != nil {
		at.admin = ln.admin.Addr().String()
	}
	return at
}

// tuneMemory trades memory for CPU unless the environment says otherwise. Collecting at four times the live heap took 0.82 of
// the CPU of a call through a bare reverse proxy: what lives is small, and most of what a call allocates dies with
// it. The soft limit keeps that from growing past what request bodies may hold and a fixed rest.
func tuneMemory(environ map[string]string, maxHeld int64) {
	const (
		percent = 400
		rest    = 256 << 20
	)
	if environ["GOGC"] != "" || environ["GOMEMLIMIT"] != "" {
		return
	}
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(min(maxHeld, math.MaxInt64-rest) + rest)
}

// callable turns the address of a listener into one that a caller on this machine can use.
func callable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}
