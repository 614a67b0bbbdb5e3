package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// neurons is what keeps the account's neurons. With NEURONWARD_QUOTA_MODE=off it has no ledger, and nothing is kept.
type neurons struct {
	ledger     *quota.Ledger
	pace       *pace.Limiter // whose limits the processes on one store share
	word       *word         // to and from those processes; nil: there is no store
	estimator  *price.Estimator
	closeStore func() error
	deny       func() bool         // without the store, calls are refused
	reconciler *account.Reconciler // nil: the account's own figure is not read
}

// openNeurons opens the store and the ledger on it. ctx may end the wait for another process that has the store; waiting is
// told of it when it begins, with that process's id.
func openNeurons(ctx context.Context, c *config.Config, log *slog.Logger, m *metrics.Metrics, waiting func(other string)) (*neurons, error) {
	limiter := pace.New(c.RateLimits)
	if c.QuotaMode == config.ModeOff {
		return &neurons{pace: limiter, estimator: price.NewEstimator(nil, price.Bound)}, nil
	}
	store, closeStore, err := openStore(ctx, c.Store, c.Account, log, filestore.Options{LockWait: takeoverWait(c), Waiting: waiting})
	if err != nil {
		return nil, err
	}
	watch := &storeWatch{metrics: m, log: log, policy: c.OnStoreFailure, plan: planWatch{free: c.Plan == config.PlanFree}}
	o := quota.Options{
		Store:             store,
		OnStoreEvent:      watch.onEvent,
		Limit:             quota.FromFloat(c.DailyNeurons),
		Wait:              c.QuotaWait,
		Probe:             c.QuotaProbe,
		AllowOfflineGrant: c.OnStoreFailure == config.FailureAllow,
		Pace:              limiter,
	}
	if c.QuotaMode == config.ModeObserve {
		o.Mode = quota.Observe
	}
	estimate := price.Bound
	if c.Estimate == config.EstimateExpected {
		estimate = price.Expected
	}
	n, err := newNeurons(ctx, o, c.Clients.HasBudgets, estimate, closeStore)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	n.pace, n.word = limiter, newWord(store)
	m.WatchQuota(n.gauges)
	s := n.ledger.Snapshot()
	if kept, err := n.ledger.History(ctx, s.Day-1, s.Day); err == nil { // that the store fails is told
		n.estimator.Recall(kept)
	}
	log.Info("neurons of today", "day", s.Day.String(), "store", c.Store.String(), "mode", c.QuotaMode,
		"used", s.Account.Used.Float(), "limit", s.Account.Limit.Float())
	return n, nil
}

// newNeurons returns the neurons of a ledger with o; budgets says whether any client has some of its own.
func newNeurons(ctx context.Context, o quota.Options, budgets func() bool, estimate price.Mode, closeStore func() error) (*neurons, error) {
	ledger, err := quota.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return &neurons{
		ledger: ledger, estimator: price.NewEstimator(price.Embedded(), estimate), closeStore: closeStore,
		deny: func() bool { return o.Mode == quota.Enforce && !o.AllowOfflineGrant && (o.Limit > 0 || budgets()) },
	}, nil
}

const (
	// letGo is how long a store may take to write what it has not written yet. One on a disk that stands still never returns.
	letGo = 2 * time.Second

	// lastMoment is what a disk that works needs at most to end. One Ctrl-C may come as two signals, which must not cost what was
	// spent last.
	lastMoment = 250 * time.Millisecond
)

var (
	errStandsStill = errors.New("the store stands still")
	errAbandoned   = errors.New("a signal ended the process before the store was closed")
)

// closeUnless is close, but for a signal: then what is not done in a moment is left.
func (n *neurons) closeUnless(signals <-chan os.Signal, patience time.Duration, log *slog.Logger) error {
	closed := make(chan error, 1)
	go func() { closed <- n.close(patience, log) }()
	select {
	case err := <-closed:
		return err
	case <-signals:
	}
	select {
	case err := <-closed:
		return err
	case <-time.After(lastMoment):
		log.Warn("second signal: the store is not closed, it may lack what was spent last")
		return errAbandoned
	}
}

// close waits up to patience for calls that are not settled, writes what was spent and lets the store go.
func (n *neurons) close(patience time.Duration, log *slog.Logger) error {
	if n.ledger == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := errors.Join(n.ledger.Close(ctx), n.release())
	s := n.ledger.Snapshot()
	if err != nil {
		log.Error("the store may lack what was spent last", "day", s.Day.String(), "used", s.Account.Used.Float(), "error", err)
		return err
	}
	log.Info("the store is closed", "day", s.Day.String(), "used", s.Account.Used.Float())
	return nil
}

// release closes the store, or gives that up after letGo.
func (n *neurons) release() error {
	released := make(chan error, 1)
	go func() { released <- n.closeStore() }()
	select {
	case err := <-released:
		return err
	case <-time.After(letGo):
		return errStandsStill
	}
}

// unready returns why calls would be refused for the store's sake, "" when they would not.
func (n *neurons) unready() string {
	if n.deny == nil || !n.deny() {
		return ""
	}
	if err := n.ledger.Healthy(); err != nil {
		return "without its store this process refuses calls: " + err.Error()
	}
	return ""
}

// gauges is how the day stands, for a scrape.
func (n *neurons) gauges() metrics.Quota {
	s := n.ledger.Snapshot()
	q := metrics.Quota{
		Used: s.Account.Used.Float(), Reserved: s.Account.Reserved.Float(), External: s.Account.External.Float(), Lost: s.Account.Lost.Float(), FigureAt: s.FigureAt,
		Limit: s.Account.Limit.Float(), Remaining: s.Account.Remaining.Float(),
		Unlimited: s.Account.Limit == 0, Blocked: s.Block.Set, ResetsAt: s.ResetsAt, ExhaustedAt: s.ExpectedAt,
	}
	for _, c := range s.Clients {
		q.Clients = append(q.Clients, metrics.ClientQuota{Client: clientOf(c.Budget), Used: c.Used.Float(), Limit: c.Limit.Float()})
	}
	return q
}

// clientOf is the client whose budget a pot is.
func clientOf(p quota.Budget) string {
	return strings.TrimPrefix(string(p), string(quota.ClientBudget("")))
}
