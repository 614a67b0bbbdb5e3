package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
	"github.com/neuronward/neuronward/cmd/neuronward/health"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

func serveHelp() string {
	return `Runs the proxy. Apps call NEURONWARD_LISTEN; people and Prometheus use
NEURONWARD_ADMIN_LISTEN.

Usage:

  neuronward [serve]

All settings are environment variables. For a variable with …_FILE you can set
NAME_FILE to the path of a file with the value. A changed file is used without a
restart.

` + variableTable() + `
SIGTERM or SIGINT stops the proxy: /readyz is 503 at once, calls in flight may
continue for NEURONWARD_DRAIN, then they are cut. A second signal stops it at
once. SIGHUP reads NEURONWARD_CLIENTS_FILE again.

Usage is counted in neurons and stored in a file, or in a Redis server that
several processes share. Calls that would exceed the limit are refused. The
command "neuronward usage" shows what was spent.

A new process waits until an old one has stopped: for its addresses, if both
have the same, and for its file, a little longer than NEURONWARD_DRAIN. While it
waits for the file, /readyz is 503 and calls are refused.

Example:

  export CLOUDFLARE_ACCOUNT_ID=…
  export CLOUDFLARE_API_TOKEN_FILE=/run/secrets/token
  neuronward
`
}

func serve(ctx context.Context, in *invocation) int {
	if _, code, ok := in.parse(in.flags(), serveHelp, 0); !ok {
		return code
	}
	opening, opened := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	c, err := startOrLeave(opening, func() (*config.Config, error) { return config.Load(in.environ, in.redactor) })
	signaled := opening.Err() != nil && (ctx.Err() == nil || errors.Is(err, context.Canceled))
	opened()
	if signaled {
		return exitDone // as startFailed
	}
	if err != nil {
		return in.mistakes(err)
	}
	log := newLogger(in.stderr, c.LogLevel, c.LogFormat, in.terminal, in.batch.Flush)
	for _, w := range c.Warnings {
		log.Warn("configuration", "warning", w)
	}
	return in.serve(ctx, log, c, variant{started: func(endpoints) {
		if c.PlanAssumed() {
			log.Info("NEURONWARD_PLAN is not set, so the free plan is assumed: the limit is 10,000 neurons a day, " +
				"and models that need Workers Paid are refused; on Workers Paid set it to paid, with prepaid " +
				"credits to prepaid")
		}
	}})
}

// variant is what differs between the commands that serve.
type variant struct {
	adjust  func(*proxy.Config) // changes the proxy's settings; nil: nothing
	started func(endpoints)     // is called once both listeners accept calls

	// front returns what stands before the proxy; nil: nothing does. It gets no ledger where nothing is counted.
	front func(calls http.Handler, ledger *quota.Ledger) http.Handler
}

// serve runs the proxy of c until ctx or a signal ends it.
func (in *invocation) serve(ctx context.Context, log *slog.Logger, c *config.Config, v variant) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	reload := make(chan os.Signal, 1)
	if c.Clients != nil {
		signal.Notify(reload, syscall.SIGHUP)
		defer signal.Stop(reload)
	}
	in.limitLogAtEnd(ctx, c.Drain)
	untuned := tuneMemory(in.environ, c.MaxHeld)
	defer untuned()

	opening, opened := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer opened()
	ln, err := listen(opening, c, log)
	if err != nil {
		return in.startFailed(opening, log, err)
	}
	ln = ln.limit(c, log)
	b := thisBuild()
	m := metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit})
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if cert := c.Certificate; cert != nil {
		m.WatchCertificate(func() metrics.Certificate { return metrics.Certificate(cert.State()) })
	}
	if file := c.Clients; file != nil {
		m.WatchClients(func() metrics.ClientsFile { return clientsFile(file) })
	}
	c.Watch(watching, log, reload)
	waiting := &standby{ln: ln, log: log}
	n, err := startOrLeave(opening, func() (*quotas, error) {
		defer waiting.stop()
		return openQuotas(opening, c, log, m, func(other string) { in.standBy(waiting, c, m, other) })
	})
	opened()
	if err != nil {
		ln.close()
		return in.startFailed(opening, log, err)
	}
	settings := proxyConfig(c, n, log, m)
	tracer, err := newTracer(c, b, log)
	if err != nil {
		ln.close()
		return in.fail(errors.Join(err, n.close(0, log)))
	}
	settings.Tracer = tracer
	if v.adjust != nil {
		v.adjust(&settings)
	}
	p, err := proxy.New(settings)
	if err != nil {
		ln.close()
		return in.fail(errors.Join(err, n.close(0, log)))
	}

	if app, ok := ln.app.(*conns.Listener); ok {
		app.OnRefusal(p.CountRefusal)
	}

	prices := newPriceFeed(c, n.estimator, settings.Token, p.KnowModels, n.observeDate, log)
	go prices.Run(watching)
	go status.Sample(watching, n.ledger, m.Minutes())
	go n.keepRecalling(watching)
	m.WatchBreakers(p.BreakerLabels)
	m.WatchPace(p.PaceSeries)
	m.WatchSessions(p.SessionSeries)
	m.WatchSpans(tracer.Dropped)

	if client := figureClient(c, settings.Token, n.observeDate, log); client != nil {
		n.reconciler = newReconciler(c, n, client, log, m)
		go n.reconciler.Run(watching)
	}

	if n.capacity != nil {
		go n.capacity.run(watching, p.RemoteCapacity)
	}

	calls := http.Handler(p)
	if v.front != nil {
		calls = v.front(p, n.ledger)
	}
	s := &server{
		log:   log,
		calls: p,
		app: newAppServer(
			withHealth(c, calls, func() health.Verdict { return readiness(p, n) }), log, c.Certificate),
		drain: c.Drain,
		ln:    ln,
	}
	s.app.BaseContext = p.BaseContext
	if ln.admin != nil {
		demo := ""
		if settings.Simulate {
			demo = c.Scheme() + "://" + callable(ln.endpoints().app)
		}
		s.admin = newHTTPServer(in.adminHandler(c, n, p, m, prices, demo), log)
	}
	at := ln.endpoints()
	log.Info("listening", "scheme", c.Scheme(), "listen", at.app, "admin_listen", at.admin,
		"upstream", settings.Upstream.String(), "version", b.Version, "commit", b.Commit)
	v.started(at)
	err = s.run(ctx, signals)
	flushed := flush(tracer, errors.Is(err, errCut), log)
	err = errors.Join(err, n.closeOrAbandon(signals, cutGrace, log))
	flushed()
	log.Info("ended")
	if err != nil {
		return in.fail(err)
	}
	return exitDone
}

// startFailed reports why serve did not begin to take calls. A signal to end until then is no failure.
func (in *invocation) startFailed(opening context.Context, log *slog.Logger, err error) int {
	if opening.Err() != nil && errors.Is(err, context.Canceled) {
		log.Info("ended while it waited; no call was taken", "reason", context.Cause(opening).Error())
		return exitDone
	}
	return in.fail(err)
}

// proxyConfig returns the settings of the proxy.
func proxyConfig(c *config.Config, n *quotas, log *slog.Logger, m *metrics.Metrics) proxy.Config {
	p := proxy.Config{
		Account:           c.Account,
		Upstream:          c.Upstream,
		API:               c.API,
		Loopback:          config.Loopback(c.Listen),
		Hosts:             c.Hosts,
		AllowedModels:     c.Models,
		MaxBody:           c.MaxBody,
		MaxHeld:           c.MaxHeld,
		MaxInFlight:       c.MaxInFlight,
		FirstByteTimeout:  c.FirstByteTimeout,
		StreamIdleTimeout: c.StreamIdleTimeout,
		MaxSessions:       c.MaxSessions,
		SessionTimeout:    c.SessionTimeout,
		Unrepaired:        c.StreamRepair == config.RepairOff,
		RetryAfterMax:     c.RetryAfterMax,
		Ledger:            n.ledger,
		Estimator:         n.estimator,
		Aborted:           aborted(c.Aborted),
		OutputLimit:       c.DefaultMaxTokens,
		Pace:              n.pace,
		RateWait:          c.RateWait,
		Retries:           c.Retries,
		RetryBudget:       c.RetryBudget,
		FreePlan:          c.Plan == config.PlanFree,
		Models:            price.Embedded().Models(),
		Setting:           config.SettingName,
		OnAccept:          conns.Prove,
		Metrics:           m,
		Log:               log,
	}
	if n.capacity != nil {
		p.OnCapacity = n.capacity.announce
	}
	if c.Clients != nil {
		p.Clients = c.Clients.Set
	}
	if c.Token.IsSet() {
		p.Token = c.Token.Value
	}
	if c.GatewayToken.IsSet() {
		p.GatewayToken = c.GatewayToken.Value
	}
	return p
}

// aborted is the value of NEURONWARD_ABORTED for the guard.
func aborted(value string) guard.Aborted {
	switch value {
	case config.AbortedSeen:
		return guard.Seen
	case config.AbortedEstimate:
		return guard.Estimate
	}
	return guard.Fair
}
