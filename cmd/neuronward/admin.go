package main

import (
	"io"
	"net/http"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/health"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota/account"
)

// adminHandler answers on the admin listener of a running proxy. demo is the base URL of the app listener where the
// demo runs, else "".
func (in *invocation) adminHandler(
	c *config.Config, n *quotas, p *proxy.Proxy, m *metrics.Metrics, prices *account.PriceFeed, demo string,
) http.Handler {
	o := in.adminOptions(c, m, func() string { return readiness(p, n).Reason })
	source := n.source(c)
	b := thisBuild()
	source.Version, source.Commit, source.Proxy, source.Settings = b.Version, b.Commit, p, c.Settings
	source.Prices = func() status.Prices { return pricesOf(prices.Status()) }
	source.WouldRefuse = func() (models, clients minutes.Reasons) { return m.Minutes().WouldRefuseToday(time.Now()) }
	source.Minutes = m.Minutes()
	o.Status, o.History, o.Minutes, o.Demo, o.Pprof = source.Status, source.History, m.Minutes(), demo, c.Pprof
	return admin.Handler(o)
}

// readiness says whether a running proxy takes calls.
func readiness(p *proxy.Proxy, n *quotas) health.Verdict {
	if p.Draining() {
		return health.Verdict{Reason: drainingReason, Code: normalize.ShuttingDown}
	}
	return health.Verdict{Reason: n.unready(), Code: normalize.StoreUnavailable}
}

// withHealth returns calls with /livez and /readyz in front, for the app listener. They are answered to the hosts
// that calls are answered to.
func withHealth(c *config.Config, calls http.Handler, verdict func() health.Verdict) http.Handler {
	o := health.Options{
		Verdict: verdict, RetryAfterMax: c.RetryAfterMax, Setting: config.SettingName, Next: calls,
	}
	if config.Loopback(c.Listen) && c.Clients == nil {
		o.AllowedHost = proxy.NewHosts(c.Hosts...).Allowed
	}
	return health.Handler(o)
}

// adminOptions are those of a process that accepts calls and of one that waits for another.
func (in *invocation) adminOptions(c *config.Config, m *metrics.Metrics, unready func() string) admin.Options {
	return admin.Options{
		Metrics: m.Handler(), Unready: unready,
		CheckHost: config.Loopback(c.AdminListen), Hosts: proxy.NewHosts(c.Hosts...),
		Redact:  func(w io.Writer) admin.Redactor { return in.redactor.Writer(w) },
		Setting: config.SettingName,
	}
}

// source is what the status of the day is read from.
func (n *quotas) source(c *config.Config) *status.Source {
	return &status.Source{
		Ledger: n.ledger, Book: n.book, Plan: c.Plan, Mode: c.QuotaMode,
		StoreKind: c.Store.Kind, StorePolicy: c.OnStoreFailure, RoundTrip: n.roundTrip, Uncopied: n.uncopied,
		Budget: c.Clients.Budget, Reconciliation: n.reconciliation,
	}
}
