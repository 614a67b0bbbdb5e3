package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	pricesEvery = 24 * time.Hour
	pricesRetry = 30 * time.Second // after the first failure
	mostTold    = 20               // models whose prices one reading of the catalog logs
)

// Sources of the prices in use.
const (
	pricesFile = "file"
	pricesKept = "kept" // those that were read last, before this process
)

// prices keeps the table of an estimator up to date: the embedded one or that of a file, and over it what Cloudflare's catalog
// says, if it may be asked.
type prices struct {
	base      *price.Table
	estimator *price.Estimator
	know      func(models []string) // of each table, for labels
	client    *account.Client       // nil: nothing is asked
	kept      keptCatalog
	log       *slog.Logger

	mu     sync.Mutex
	status status.Prices
	told   map[string]bool // models whose prices were told
}

// newPrices puts the table of c to use. token is what the catalog is asked with; nil: there is none.
func newPrices(c *config.Config, estimator *price.Estimator, token proxy.Secret, know func([]string), log *slog.Logger) *prices {
	p := &prices{base: c.Prices.Base(), estimator: estimator, know: know, log: log, told: map[string]bool{}}
	estimator.SetTable(p.base)
	know(p.base.Models())
	p.status = status.Prices{Source: config.PricesEmbedded, AsOf: p.base.AsOf(), Models: len(p.base.Models()), Departures: []price.Deviation{}}
	switch {
	case c.Prices.Table != nil:
		p.status.Source = pricesFile
	case c.Prices.Text != config.PricesLive:
	case token == nil:
		log.Info("prices are those of the embedded table: the catalog cannot be asked without a token of this proxy's own", "as_of", p.base.AsOf())
	default:
		client, err := account.New(account.Config{API: c.API.U, Account: string(c.Account), Token: token})
		if err != nil { // what is wrong with the settings was told before
			log.Warn("prices are those of the embedded table: the catalog cannot be asked", "error", err)
			break
		}
		p.client = client
		if path := c.Store.Path(); path != "" && c.QuotaMode != config.ModeOff {
			p.kept = keptCatalog{path: path + ".prices", account: string(c.Account)}
		}
	}
	return p
}

// watch reads the catalog at once and then daily, until ctx ends. What was read last stays in use meanwhile.
func (p *prices) watch(ctx context.Context) {
	if p.client == nil {
		return
	}
	defer p.client.Close()
	switch at, models, err := p.kept.read(); {
	case err != nil:
		p.log.Warn("the prices that were kept are unusable", "file", p.kept.path, "error", err)
	case len(models) > 0 && quota.DayOf(at).String() > p.base.AsOf(): // a newer program may know better
		p.take(pricesKept, at, models)
	}
	account.Loop{Every: pricesEvery, Jitter: 0.1, Least: pricesRetry}.Run(ctx, p.read, p.changed)
}

// read reads the catalog once.
func (p *prices) read(ctx context.Context) error {
	models, err := p.client.Models(ctx)
	if err != nil {
		text := err.Error()
		p.mu.Lock()
		p.status.Failure = &text
		p.mu.Unlock()
		return err
	}
	now := time.Now()
	p.take(config.PricesLive, now, models)
	if err := p.kept.write(now, models); err != nil {
		p.log.Warn("the prices cannot be kept for the next start", "file", p.kept.path, "error", err)
	}
	return nil
}

// take puts a catalog to use.
func (p *prices) take(source string, at time.Time, models []account.Model) {
	table, departures := p.base.Over(quota.DayOf(at).String(), account.CatalogPrices(models, p.base.USD()))
	p.estimator.SetTable(table)
	names := table.Models()
	for _, m := range models {
		names = append(names, m.Name)
	}
	p.know(names)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status.Prices{Source: source, AsOf: table.AsOf(), AskedAt: status.Time(at), Models: len(table.Models()), Departures: append([]price.Deviation{}, departures...)}
	p.tell(departures)
	p.log.Debug("prices are in use", "source", source, "as_of", table.AsOf(), "models", len(table.Models()))
}

// tell logs what was not told before of models; p.mu is held.
func (p *prices) tell(departures []price.Deviation) {
	lines := 0
	for _, d := range departures {
		if p.told[d.Model] {
			continue
		}
		p.told[d.Model] = true
		switch lines++; {
		case lines > mostTold:
		case d.Refused != "":
			p.log.Warn("a price of the catalog is not taken; the table's stays", "model", d.Model, "reason", d.Refused)
		default:
			p.log.Warn("a price of the catalog is far from the table's; the catalog's holds",
				"model", d.Model, "unit", d.Unit, "table", d.Table, "catalog", d.Live)
		}
	}
	if lines > mostTold {
		p.log.Warn("prices of further models are far from the table's or not taken; /status lists them", "models", lines-mostTold)
	}
}

// changed tells when the catalog can no longer be read, and when it can again.
func (p *prices) changed(err error) {
	s := p.now()
	if err == nil {
		p.log.Info("prices can be read again", "as_of", s.AsOf)
		return
	}
	in := []any{"in_use", s.Source, "as_of", s.AsOf}
	if s.AskedAt != nil {
		in = append(in, "age", time.Since(*s.AskedAt).Truncate(time.Minute).String())
	}
	p.log.Warn("live prices cannot be read; those that are known stay in use", append(in, "error", err)...)
}

// now is what /status tells.
func (p *prices) now() status.Prices {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}
