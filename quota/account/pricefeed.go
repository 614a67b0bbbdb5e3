package account

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	catalogEvery = 24 * time.Hour
	catalogRetry = 30 * time.Second // after the first failure
	maxLogged    = 20               // models whose deviations one reading of the catalog logs
)

// A PriceSource says where the price table in use comes from.
type PriceSource string

// The sources.
const (
	PricesEmbedded PriceSource = "embedded"
	PricesFile     PriceSource = "file" // of the operator, in place of the embedded table
	PricesLive     PriceSource = "live" // the catalog over either
	PricesKept     PriceSource = "kept" // the same, from a catalog that was read before this process began
)

// PriceFeedOptions are what a PriceFeed works with.
type PriceFeedOptions struct {
	Base      *price.Table         // in use until a catalog was read, and below it then
	Source    PriceSource          // of Base: PricesEmbedded or PricesFile
	Estimator *price.Estimator     // whose table is replaced
	OnModels  func(names []string) // called with the names of the models of each table and catalog
	Client    *Client              // reads the catalog, and is closed by Run; nil: Base stays in use
	File      string               // path of a file that keeps the catalog between starts; "": none does
	Log       *slog.Logger
}

// A PriceFeed keeps the price table of an estimator up to date by Cloudflare's
// live catalog.
type PriceFeed struct {
	o    PriceFeedOptions
	file catalogFile

	mu     sync.Mutex
	status PriceStatus
	logged map[string]bool // models whose deviations were logged
}

// PriceStatus says which price table is in use.
type PriceStatus struct {
	Source     PriceSource
	AsOf       string            // UTC date of the table, "2026-08-28"
	AskedAt    time.Time         // when the catalog in use was read; zero: none is in use
	Models     int               // that have a price
	Failure    error             // why the last reading of the catalog failed; nil: it did not, or none was made
	Deviations []price.Deviation // of the catalog in use
}

// NewPriceFeed puts the base table to use.
func NewPriceFeed(o PriceFeedOptions) *PriceFeed {
	f := &PriceFeed{o: o, logged: map[string]bool{}}
	f.status = PriceStatus{Source: o.Source, AsOf: o.Base.AsOf(), Models: len(o.Base.Models())}
	if o.Client != nil {
		f.file = catalogFile{path: o.File, account: o.Client.account}
	}
	o.Estimator.SetTable(o.Base)
	o.OnModels(o.Base.Models())
	return f
}

// Run reads the catalog at once and then daily, until ctx ends. While it cannot
// be read, the catalog that was read last stays in use. Without a client Run
// returns at once.
func (f *PriceFeed) Run(ctx context.Context) {
	if f.o.Client == nil {
		return
	}
	defer f.o.Client.Close()
	switch at, models, err := f.file.load(); {
	case err != nil:
		f.o.Log.Warn("the prices that were kept are unusable", "file", f.file.path, "error", err)
	case len(models) > 0 && quota.DayOf(at).String() > f.o.Base.AsOf(): // the table of a newer program may be better
		f.use(PricesKept, at, models)
	}
	Loop{Every: catalogEvery, Jitter: 0.1, MinRetry: catalogRetry}.Run(ctx, f.read, f.onChange)
}

// read reads the catalog once.
func (f *PriceFeed) read(ctx context.Context) error {
	models, err := f.o.Client.Models(ctx)
	if err != nil {
		f.mu.Lock()
		f.status.Failure = err
		f.mu.Unlock()
		return err
	}
	now := time.Now()
	f.use(PricesLive, now, models)
	if err := f.file.save(now, models); err != nil {
		f.o.Log.Warn("the prices cannot be kept for the next start", "file", f.file.path, "error", err)
	}
	return nil
}

// use lays a catalog over the base table and puts the result to use.
func (f *PriceFeed) use(source PriceSource, at time.Time, models []Model) {
	base := f.o.Base
	table, deviations := base.WithCatalog(quota.DayOf(at).String(), CatalogPrices(models, base.USD()))
	f.o.Estimator.SetTable(table)
	names := table.Models()
	for _, m := range models {
		names = append(names, m.Name)
	}
	f.o.OnModels(names)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = PriceStatus{
		Source: source, AsOf: table.AsOf(), AskedAt: at, Models: len(table.Models()), Deviations: deviations,
	}
	f.logDeviations(deviations)
	f.o.Log.Debug("prices are in use", "source", source, "as_of", table.AsOf(), "models", len(table.Models()))
}

// logDeviations logs the deviations of models that none was logged of before;
// f.mu is held.
func (f *PriceFeed) logDeviations(deviations []price.Deviation) {
	lines := 0
	for _, d := range deviations {
		if f.logged[d.Model] {
			continue
		}
		f.logged[d.Model] = true
		switch lines++; {
		case lines > maxLogged:
		case d.Refused != "":
			f.o.Log.Warn("a price of the catalog is not taken; the table's stays",
				"model", d.Model, "reason", d.Refused)
		default:
			f.o.Log.Warn("a price of the catalog is not the table's; the catalog's holds",
				"model", d.Model, "unit", d.Unit, "table", d.Table, "catalog", d.Live)
		}
	}
	if lines > maxLogged {
		f.o.Log.Warn("prices of further models are not the table's or not taken; /status lists them",
			"models", lines-maxLogged)
	}
}

// onChange logs when the catalog can no longer be read, and when it can again.
func (f *PriceFeed) onChange(err error) {
	s := f.Status()
	if err == nil {
		f.o.Log.Info("prices can be read again", "as_of", s.AsOf)
		return
	}
	in := []any{"in_use", s.Source, "as_of", s.AsOf}
	if !s.AskedAt.IsZero() {
		in = append(in, "age", time.Since(s.AskedAt).Truncate(time.Minute).String())
	}
	f.o.Log.Warn("live prices cannot be read; those that are known stay in use", append(in, "error", err)...)
}

// Status returns which table is in use.
func (f *PriceFeed) Status() PriceStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}
