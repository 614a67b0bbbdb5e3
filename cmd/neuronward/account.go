package main

import (
	"log/slog"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

// newPriceFeed puts the price table of c to use. token is what the catalog is read with; nil: it is not read. onDate
// takes the dates of Cloudflare's answers.
func newPriceFeed(
	c *config.Config, estimator *price.Estimator, token proxy.Secret, onModels func([]string), onDate func(time.Time),
	log *slog.Logger,
) *account.PriceFeed {
	o := account.PriceFeedOptions{
		Base: c.PriceTable, Source: account.PricesEmbedded, Estimator: estimator, OnModels: onModels, Log: log,
	}
	switch {
	case c.Prices == config.PricesEmbedded:
	case c.Prices != config.PricesLive:
		o.Source = account.PricesFile
	case token == nil:
		log.Info("prices are those of the embedded table: the catalog cannot be read without a token of this proxy's "+
			"own", "as_of", o.Base.AsOf())
	default:
		client, err := newAccountClient(c, token, onDate)
		if err != nil { // what is wrong with the settings was reported before
			log.Warn("prices are those of the embedded table: the catalog cannot be read", "error", err)
			break
		}
		o.Client = client
		if path := c.Store.Path; path != "" && c.QuotaMode != config.ModeOff {
			o.File = path + ".prices"
		}
	}
	return account.NewPriceFeed(o)
}

// pricesOf is the part of the status that says which price table is in use.
func pricesOf(s account.PriceStatus) status.Prices {
	return status.Prices{
		Source: string(s.Source), AsOf: s.AsOf, AskedAt: status.Time(s.AskedAt), Models: s.Models,
		Failure: textOf(s.Failure), Departures: append([]price.Deviation{}, s.Deviations...),
	}
}

// textOf is the text of an error, nil where there is none.
func textOf(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

// figureClient returns what reads the account's own figure; nil where the figure is not to be read, or cannot be. token
// is that of calls; nil: there is none.
func figureClient(
	c *config.Config, token proxy.Secret, onDate func(time.Time), log *slog.Logger,
) *account.Client {
	if c.QuotaMode == config.ModeOff || c.Reconcile == 0 {
		return nil
	}
	if c.AnalyticsToken.IsSet() {
		token = c.AnalyticsToken.Value
	}
	if token == nil {
		log.Info("what others spend of the account is not known: the account's own figure cannot be read without a " +
			"token of this proxy's own (NEURONWARD_ANALYTICS_TOKEN; or NEURONWARD_RECONCILE=0 if that is intended)")
		return nil
	}
	client, err := newAccountClient(c, token, onDate)
	if err != nil { // what is wrong with the settings was reported before
		log.Warn("what others spend of the account is not known", "error", err)
		return nil
	}
	return client
}

func newAccountClient(c *config.Config, token proxy.Secret, onDate func(time.Time)) (*account.Client, error) {
	return account.New(account.Config{API: c.API, Account: c.Account, Token: token, OnDate: onDate})
}

// observeDate corrects the ledger's clock by a date of Cloudflare's.
func (n *quotas) observeDate(date time.Time) {
	if n.ledger != nil {
		n.ledger.Observe(date)
	}
}

// newReconciler compares what n counts with the account's own figure, which client reads.
func newReconciler(
	c *config.Config, n *quotas, client *account.Client, log *slog.Logger, m *metrics.Metrics,
) *account.Reconciler {
	notable := quota.FromFloat(c.DailyNeurons) / 10
	if notable == 0 {
		notable = quota.FreeNeurons / 10
	}
	return account.NewReconciler(account.ReconcilerOptions{
		Ledger: n.ledger, Estimator: n.estimator, Client: client, Every: c.Reconcile, Notable: notable,
		OnFailure: m.ReconcileFailed, Log: log,
	})
}

// reconciliation is the part of the status that says whether the account's own figure is known. counted is until when
// the figure counts.
func (n *quotas) reconciliation(counted time.Time) status.Reconciliation {
	r := status.Reconciliation{CountedUntil: status.Time(counted)}
	if n.reconciler != nil {
		r.Failure = textOf(n.reconciler.Failure())
	}
	return r
}
