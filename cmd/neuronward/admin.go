package main

import (
	"io"
	"net/http"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota/account"
)

// adminHandler answers on the admin listener of a running proxy. demo is the base URL of the app listener where the
// demo runs, else "".
func (in *invocation) adminHandler(
	c *config.Config, n *quotas, p *proxy.Proxy, m *metrics.Metrics, prices *account.PriceFeed, demo string,
) http.Handler {
	o := in.adminOptions(c, m, func() string {
		if p.Draining() {
			return drainingReason
		}
		return n.unready()
	})
	source := n.source(c)
	b := thisBuild()
	source.Version, source.Commit, source.Proxy, source.Settings = b.Version, b.Commit, p, c.Settings
	source.Prices = func() status.Prices { return pricesOf(prices.Status()) }
	o.Status, o.History, o.Minutes, o.Demo, o.Pprof = source.Status, source.History, m.Minutes(), demo, c.Pprof
	return admin.Handler(o)
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
		Ledger: n.ledger, Plan: c.Plan, Mode: c.QuotaMode,
		StoreKind: c.Store.Kind, StorePolicy: c.OnStoreFailure,
		Budget: c.Clients.Budget, Reconciliation: n.reconciliation,
	}
}
