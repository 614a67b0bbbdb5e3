package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	// figureDelay is how long after the start the account's own figure is read first. A process that has just begun does
	// not know yet what was settled when.
	figureDelay = 10 * time.Second

	figureRetry = 10 * time.Second // after the first failure

	farOff = 0.1 // by how much calls must have cost more or less for it to be told
)

// others finds out by the account's own figure what is spent outside this proxy.
type others struct {
	ledger  *quota.Ledger
	learns  *price.Estimator // what models cost of which Workers AI does not say it
	client  *account.Client
	every   time.Duration
	notable quota.Neurons // in one day; more is told
	log     *slog.Logger
	metrics *metrics.Metrics

	unknown bool // it was told that the figure cannot be read by model; for watch alone

	mu      sync.Mutex
	failure error     // of the last reading
	counted time.Time // until when the figure counted that was known then
	told    quota.Day // the last day on which another spender was told of
}

// newOthers returns nil where the figure is not to be read, or cannot be. token is the one of calls; nil: there is none.
func newOthers(c *config.Config, ledger *quota.Ledger, learns *price.Estimator, token proxy.Secret, log *slog.Logger, m *metrics.Metrics) *others {
	if ledger == nil || c.Reconcile == 0 {
		return nil
	}
	if c.AnalyticsToken.IsSet() {
		token = c.AnalyticsToken.Value
	}
	if token == nil {
		log.Info("what others spend of the account is not known: the account's own figure cannot be read without a token of this proxy's own " +
			"(NEURONWARD_ANALYTICS_TOKEN; NEURONWARD_RECONCILE=0 if that is as it should be)")
		return nil
	}
	client, err := account.New(account.Config{API: c.API.U, Account: string(c.Account), Token: token})
	if err != nil { // what is wrong with the settings was told before
		log.Warn("what others spend of the account is not known", "error", err)
		return nil
	}
	notable := quota.FromFloat(float64(c.DailyNeurons)) / 10
	if notable == 0 {
		notable = config.FreeNeurons * quota.OneNeuron / 10
	}
	return &others{ledger: ledger, learns: learns, client: client, every: time.Duration(c.Reconcile), notable: notable, log: log, metrics: m, told: -1}
}

// watch reads the figure again and again until ctx ends.
func (o *others) watch(ctx context.Context) {
	defer o.client.Close()
	first := time.NewTimer(min(figureDelay, o.every))
	defer first.Stop()
	select {
	case <-ctx.Done():
		return
	case <-first.C:
	}
	account.Loop{Every: o.every, Jitter: 0.1, Least: min(figureRetry, o.every)}.Run(ctx, o.reconcile, nil)
}

// reconcile reads the figure, or leaves that to another process.
func (o *others) reconcile(ctx context.Context) error {
	audited := o.audit(ctx) // before, so that what is found to be ours does not count as external
	ours, err := o.ledger.Reconcile(ctx, o.every, o.read)
	if ctx.Err() != nil {
		return account.ErrIdle
	}
	if !ours && err == nil {
		o.learn(ctx)
	}
	s := o.ledger.Snapshot()
	if errors.Is(err, quota.ErrEarly) || err == nil && !ours && !o.overtaken(s.FigureAt) {
		return account.ErrIdle // nothing was read, so what failed before may fail still
	}
	o.mu.Lock()
	former := o.failure
	o.failure, o.counted = err, s.FigureAt
	o.mu.Unlock()
	if now := sayOf(err); now != sayOf(former) {
		o.changed(now, err)
	}
	if err != nil {
		o.metrics.ReconcileFailed()
		return err
	}
	if ours {
		o.tell(s)
		o.tellUnknown(audited)
	}
	return nil
}

// failing reports whether this process could not read the figure last.
func (o *others) failing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure != nil
}

// overtaken reports whether another process has read the figure, which counts until counted, after this one had failed to.
func (o *others) overtaken(counted time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure != nil && counted.After(o.counted)
}

// audit finds out what models cost of which Workers AI does not say it.
func (o *others) audit(ctx context.Context) error {
	if o.failing() {
		return nil
	}
	found, err := o.ledger.Audit(ctx, o.every, o.breakdown)
	for _, f := range found {
		o.learns.Pays(f.Model, f.Ratio)
		level := slog.LevelDebug
		if off := (f.Billed - f.Booked).Float() / f.Billed.Float(); off > farOff || off < -farOff {
			level = slog.LevelInfo
		}
		o.log.Log(ctx, level, "calls cost other than the price table says, by the account's own figure; what was counted for them is corrected",
			"model", f.Model, "calls", f.Calls, "counted", f.Booked.Float(), "billed", f.Billed.Float(), "table_times", math.Round(f.Ratio*1000)/1000)
	}
	return err
}

// learn takes up what the process that reads the figure has found out.
func (o *others) learn(ctx context.Context) {
	today := o.ledger.Snapshot().Day
	if records, err := o.ledger.History(ctx, today, today); err == nil {
		o.learns.RecallPaid(records)
	}
}

// tellUnknown tells once that the figure can be read, but not by model. A failure that passes by itself is no reason: the next
// reading makes up for it.
func (o *others) tellUnknown(err error) {
	if _, asked := errors.AsType[*account.Error](err); !asked || o.unknown {
		return
	}
	switch account.KindOf(err) {
	case account.RateLimited, account.Unavailable, account.Unreachable, account.Canceled:
		return
	}
	o.unknown = true
	o.log.Info("the account's own figure cannot be read by model; what models cost of which Workers AI does not say it stays as the price table has it", "error", err)
}

// breakdown is a quota.Breakdown.
func (o *others) breakdown(ctx context.Context, day quota.Day, until time.Time) (map[string]quota.ModelBill, error) {
	u, err := o.client.CallsUntil(ctx, day, until)
	if err != nil {
		return nil, err
	}
	bills := map[string]quota.ModelBill{}
	for _, m := range u.Models {
		bills[m.Model] = quota.ModelBill{Neurons: m.Neurons, Calls: m.Calls}
	}
	return bills, nil
}

// read is a quota.Figure.
func (o *others) read(ctx context.Context, day quota.Day, until time.Time) (quota.Neurons, error) {
	u, err := o.client.DayUntil(ctx, day, until)
	return u.Neurons, err
}

// tell tells once a day of another spender.
func (o *others) tell(s quota.Snapshot) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.Account.External <= o.notable || s.Day <= o.told {
		return
	}
	o.told = s.Day
	o.log.Warn("another spender: much of the account's day is spent outside this proxy, which learns of it minutes later; "+
		"let all proxies of the account share a store (NEURONWARD_STORE), and call Workers AI through them",
		"day", s.Day.String(), "external", s.Account.External.Float(), "used", s.Account.Used.Float())
}

// saying is what the log says of a reading. Another kind of failure is worth another line.
type saying struct {
	text string // "": all is well
	kind account.Kind
}

func sayOf(err error) saying {
	switch {
	case err == nil:
		return saying{}
	case errors.Is(err, quota.ErrStore):
		return saying{text: "the account's own figure is not read while the store fails, which knows whose turn it is"}
	case errors.Is(err, quota.ErrFell):
		return saying{text: "the account's own figure lacks something, so it is not believed; what counts is what was read before"}
	}
	return saying{
		text: "the account's own figure cannot be read, so what others spend of the account is not known; calls go on as before",
		kind: account.KindOf(err),
	}
}

// changed tells when the figure can no longer be read, and when it can again.
func (o *others) changed(now saying, err error) {
	if err == nil {
		o.log.Info("the account's own figure can be read again")
		return
	}
	o.log.Warn(now.text, "error", err)
}

// status tells /status how it stands; counted is until when the figure that was read last counts.
func (o *others) status(counted time.Time) status.Reconciliation {
	r := status.Reconciliation{CountedUntil: status.Time(counted)}
	if o == nil {
		return r
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		text := o.failure.Error()
		r.Failure = &text
	}
	return r
}
