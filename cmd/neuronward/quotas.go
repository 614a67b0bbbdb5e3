package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// quotas are the ledger of the account's neurons, the limits of requests a minute, and what belongs to them. With
// NEURONWARD_QUOTA_MODE=off there is no ledger, and nothing is stored.
type quotas struct {
	ledger     *quota.Ledger
	pace       *pace.Limiter      // whose limits the processes on one store share
	capacity   *capacityBroadcast // to and from those processes; nil: there is no store
	estimator  *price.Estimator
	closeStore func() error
	deny       func() bool         // whether calls are refused while the store fails
	book       *bill.Book          // nil if ledger is
	reconciler *account.Reconciler // nil: the account's own figure is not read

	roundTrip func() time.Duration // to the store's server; nil: it has none
	uncopied  func() int64         // grants that no replica of the server had in time; nil likewise
}

// openQuotas opens the store and the ledger on it. Where another process has the store, it calls waiting with that
// process's id and waits until ctx ends at most. adjust may change the ledger's options.
func openQuotas(
	ctx context.Context, c *config.Config, log *slog.Logger, m *metrics.Metrics, waiting func(other string),
	adjust ...func(*quota.Options),
) (*quotas, error) {
	limits := c.RateLimits
	if c.Plan == config.PlanPrepaid {
		limits = limits.WithCredits()
	}
	limiter := pace.New(limits)
	if c.QuotaMode == config.ModeOff {
		return &quotas{pace: limiter, estimator: price.NewEstimator(nil, price.Tight)}, nil
	}
	wait := filestore.Options{LockWait: takeoverWait(c), Waiting: waiting}
	watch := &storeWatch{metrics: m, log: log, policy: c.OnStoreFailure}
	store, closeStore, err := openStore(ctx, c.Store, c.Account, watch, wait)
	if err != nil {
		return nil, err
	}
	watch.plan.free = c.Plan == config.PlanFree
	o := quota.Options{
		Store:             store,
		OnStoreEvent:      watch.onEvent,
		Limit:             quota.FromFloat(c.DailyNeurons),
		MonthLimit:        quota.FromFloat(c.MonthlyNeurons),
		Wait:              c.QuotaWait,
		KeepPlace:         c.RetryAfterMax,
		Probe:             c.QuotaProbe,
		AllowOfflineGrant: c.OnStoreFailure == config.FailureAllow,
		Pace:              limiter,
	}
	if c.QuotaMode == config.ModeObserve {
		o.Mode = quota.Observe
	}
	if c.Estimate != config.EstimateBound {
		o.Margin = margin
	}
	for _, f := range adjust {
		f(&o)
	}
	usd := bill.Price(c.USDPer1000)
	n, err := newQuotas(ctx, o, c.Clients.HasBudgets, estimateMode(c), usd, closeStore)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	n.pace, n.capacity = limiter, newCapacityBroadcast(store)
	if server, ok := store.(interface{ RoundTrip() time.Duration }); ok {
		n.roundTrip, n.uncopied = server.RoundTrip, watch.uncopied.Load
	}
	m.WatchQuota(n.gauges)
	n.recall(ctx)
	s := n.ledger.Snapshot()
	log.Info("neurons of today", "day", s.Day.String(), "store", c.Store.String(), "mode", c.QuotaMode,
		"used", s.Account.Used.Float(), "limit", s.Account.Limit.Float())
	return n, nil
}

// estimateMode is the value of NEURONWARD_ESTIMATE for the estimator.
func estimateMode(c *config.Config) price.Mode {
	if c.Estimate == config.EstimateBound {
		return price.Bound
	}
	return price.Tight
}

// newQuotas returns those of a ledger with o. hasBudgets reports whether any client has neurons of its own.
func newQuotas(
	ctx context.Context, o quota.Options, hasBudgets func() bool, estimate price.Mode, usd bill.Price,
	closeStore func() error,
) (*quotas, error) {
	ledger, err := quota.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return &quotas{
		ledger: ledger, book: bill.NewBook(usd, ledger.Archive()), closeStore: closeStore,
		estimator: price.NewEstimator(price.Embedded(), estimate),
		deny: func() bool {
			return o.Mode == quota.Enforce && !o.AllowOfflineGrant && (o.Limit > 0 || o.MonthLimit > 0 || hasBudgets())
		},
	}, nil
}

// margin is the part of each limit that is kept for calls that cost more than their estimate, where that is no bound.
const margin = 0.01

// recall takes up what was learned of the models on this day and the one before, by whichever process.
func (n *quotas) recall(ctx context.Context) {
	today := n.ledger.Snapshot().Day
	if records, err := n.ledger.History(ctx, today-1, today); err == nil { // that the store fails is logged
		n.estimator.Recall(records)
	}
}

// recallEvery is how often a process takes up what the others have learned, and keeps the price of the day.
const recallEvery = time.Minute

// keepRecalling takes up what the other processes on the store learn, and keeps the price of each day, until ctx ends.
func (n *quotas) keepRecalling(ctx context.Context) {
	if n.ledger == nil {
		return
	}
	tick := time.NewTicker(recallEvery)
	defer tick.Stop()
	for {
		n.book.Keep(ctx, n.ledger.Snapshot().Day)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n.ledger.Snapshot().Replicas > 1 {
				n.recall(ctx)
			}
		}
	}
}

const (
	// closeTimeout is how long a store may take to write what it has not written yet. On a disk that hangs it never
	// returns.
	closeTimeout = 2 * time.Second

	// signalGrace is how long a store may still take after a second signal: a disk that works needs less. One Ctrl-C
	// may arrive as two signals, and the last usage must not be lost for that.
	signalGrace = 250 * time.Millisecond
)

var (
	errStoreHangs = errors.New("the store does not answer")
	errAbandoned  = errors.New("a signal ended the process before the store was closed")
)

// closeOrAbandon is close; after a signal it gives up what takes longer than signalGrace.
func (n *quotas) closeOrAbandon(signals <-chan os.Signal, maxWait time.Duration, log *slog.Logger) error {
	closed := make(chan error, 1)
	go func() { closed <- n.close(maxWait, log) }()
	select {
	case err := <-closed:
		return err
	case <-signals:
	}
	select {
	case err := <-closed:
		return err
	case <-time.After(signalGrace):
		log.Warn("second signal: the store is not closed, it may lack the last usage")
		return errAbandoned
	}
}

// close waits up to maxWait for calls that are not settled, writes their usage and closes the store.
func (n *quotas) close(maxWait time.Duration, log *slog.Logger) error {
	if n.ledger == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	err := errors.Join(n.ledger.Close(ctx), n.closeInTime())
	s := n.ledger.Snapshot()
	if err != nil {
		log.Error("the store may lack the last usage",
			"day", s.Day.String(), "used", s.Account.Used.Float(), "error", err)
		return err
	}
	log.Info("the store is closed", "day", s.Day.String(), "used", s.Account.Used.Float())
	return nil
}

// closeInTime closes the store, or gives that up after closeTimeout.
func (n *quotas) closeInTime() error {
	closed := make(chan error, 1)
	go func() { closed <- n.closeStore() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTimeout):
		return errStoreHangs
	}
}

// unready returns why calls are refused while the store fails, "" when they are not.
func (n *quotas) unready() string {
	if n.deny == nil || !n.deny() {
		return ""
	}
	if err := n.ledger.Healthy(); err != nil {
		return "without its store this process refuses calls: " + err.Error()
	}
	return ""
}

// gauges returns the day's figures for a scrape.
func (n *quotas) gauges() metrics.Quota {
	s := n.ledger.Snapshot()
	q := metrics.Quota{
		Used: s.Account.Used.Float(), Reserved: s.Account.Reserved.Float(), External: s.Account.External.Float(),
		Lost: s.Account.Lost.Float(), FigureAt: s.FigureAt,
		Limit: s.Account.Limit.Float(), Remaining: s.Account.Remaining.Float(),
		Unlimited: s.Account.Limit == 0, Blocked: s.Block.Set, ResetsAt: s.ResetsAt, ExhaustedAt: s.ExpectedAt,
		Month: monthGauges(s.Account, s.Day),
	}
	cost := n.book.Cost(context.Background(), s.Day, status.Counted(s.Account))
	q.USD = map[string]float64{"day": float64(cost.Today)}
	if cost.Month != nil {
		q.USD["month"] = float64(*cost.Month)
	}
	if cost.Forecast != nil {
		q.USD["month_forecast"] = float64(*cost.Forecast)
	}
	for _, c := range s.Clients {
		client := strings.TrimPrefix(string(c.Budget), string(quota.ClientBudget("")))
		q.Clients = append(q.Clients, metrics.ClientQuota{
			Client: client, Used: c.Used.Float(), Limit: c.Limit.Float(), Month: monthGauges(c, s.Day),
		})
	}
	return q
}

// monthGauges are those of a budget of the month, nil if there is none.
func monthGauges(s quota.Status, today quota.Day) *metrics.MonthQuota {
	m := status.MonthOf(s, today)
	if m == nil {
		return nil
	}
	return &metrics.MonthQuota{Limit: m.Limit.Float(), Remaining: m.Remaining.Float()}
}
