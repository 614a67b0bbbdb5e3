package account

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	// figureDelay is how long after the start the account's own figure is read first. A process that has just begun
	// does not know yet what was settled when.
	figureDelay = 10 * time.Second

	figureRetry = 10 * time.Second // after the first failure

	// A correction of what was counted by more than this part is logged at Info.
	notableError = 0.1
)

// ReconcilerOptions are what a Reconciler works with.
type ReconcilerOptions struct {
	Ledger    *quota.Ledger
	Estimator *price.Estimator // takes up what calls cost whose cost Workers AI does not report
	Client    *Client          // reads the figure, and is closed by Run
	Every     time.Duration    // between readings
	Notable   quota.Neurons    // spent outside this proxy on one day; more is logged
	OnFailure func()           // called each time that the figure could not be read
	Log       *slog.Logger
}

// A Reconciler compares what the ledger has counted with the account's own
// figure: what is spent outside this proxy, and what calls cost whose cost
// Workers AI does not report.
type Reconciler struct {
	o ReconcilerOptions

	// For Run alone.
	byModelFailed bool // it was logged that the figure cannot be read by model
	waits         bool // the figure waits for a second reading, which was logged
	confirmed     bool // the first figure that this process has read was read a second time

	mu        sync.Mutex
	failure   error     // of the last reading
	counted   time.Time // until when the figure counted that was known then
	loggedDay quota.Day // the last day on which spending outside this proxy was logged
}

// NewReconciler returns a Reconciler that reads nothing before Run.
func NewReconciler(o ReconcilerOptions) *Reconciler {
	return &Reconciler{o: o, loggedDay: -1}
}

// Run reads the figure shortly after the start and then again and again, until
// ctx ends.
func (r *Reconciler) Run(ctx context.Context) {
	defer r.o.Client.Close()
	first := time.NewTimer(min(figureDelay, r.o.Every))
	defer first.Stop()
	select {
	case <-ctx.Done():
		return
	case <-first.C:
	}
	Loop{Every: r.o.Every, Jitter: 0.1, MinRetry: min(figureRetry, r.o.Every)}.Run(ctx, r.reconcile, nil)
}

// Failure returns why this process could not read the figure last; nil: it
// could, need not, or another replica has read it since.
func (r *Reconciler) Failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// reconcile reads the figure, or leaves that to another replica.
func (r *Reconciler) reconcile(ctx context.Context) error {
	var audited error
	if r.Failure() == nil {
		audited = r.audit(ctx) // before, so that what is found to be ours does not count as external
	}
	ours, err := r.o.Ledger.Reconcile(ctx, r.o.Every, r.readFigure)
	if ctx.Err() != nil {
		return ErrIdle
	}
	if !ours && err == nil {
		r.recall(ctx)
	}
	again := errors.Is(err, quota.ErrUnconfirmed)
	r.logWaits(again, err)
	if again {
		err = nil
	}
	s := r.o.Ledger.Snapshot()
	if errors.Is(err, quota.ErrEarly) || err == nil && !ours && !r.overtaken(s.FigureAt) {
		return ErrIdle // nothing was read, so the last failure may still hold
	}
	r.mu.Lock()
	former := r.failure
	r.failure, r.counted = err, s.FigureAt
	r.mu.Unlock()
	if now := reportOf(err); now != reportOf(former) {
		r.logChange(now, err)
	}
	if err != nil {
		r.o.OnFailure()
		return err
	}
	if ours {
		r.logExternal(s)
		r.logByModel(audited)
		again = again || !r.confirmed // the first one may have been compared with none
		r.confirmed = true
	}
	if again {
		return quota.ErrUnconfirmed
	}
	return nil
}

// overtaken reports whether another replica has read the figure, which counts
// until counted, after this one had failed to.
func (r *Reconciler) overtaken(counted time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure != nil && counted.After(r.counted)
}

// audit finds out what calls cost whose cost Workers AI does not report.
func (r *Reconciler) audit(ctx context.Context) error {
	found, err := r.o.Ledger.Audit(ctx, r.o.Every, r.readByModel)
	for _, f := range found {
		r.o.Estimator.Correct(f.Model, f.Ratio)
		level := slog.LevelDebug
		if off := (f.Billed - f.Booked).Float() / f.Billed.Float(); math.Abs(off) > notableError {
			level = slog.LevelInfo
		}
		r.o.Log.Log(ctx, level, "calls cost other than the price table says, by the account's own figure; "+
			"what was counted for them is corrected",
			"model", f.Model, "calls", f.Calls, "counted", f.Booked.Float(), "billed", f.Billed.Float(),
			"table_times", math.Round(f.Ratio*1000)/1000)
	}
	return err
}

// recall takes up what the replica has found out that reads the figure.
func (r *Reconciler) recall(ctx context.Context) {
	today := r.o.Ledger.Snapshot().Day
	if records, err := r.o.Ledger.History(ctx, today, today); err == nil {
		r.o.Estimator.RecallCorrections(records)
	}
}

// readByModel is what quota.Ledger.Audit reads.
func (r *Reconciler) readByModel(
	ctx context.Context, day quota.Day, until time.Time,
) (map[string]quota.ModelBill, error) {
	u, err := r.o.Client.CallsUntil(ctx, day, until)
	if err != nil {
		return nil, err
	}
	bills := map[string]quota.ModelBill{}
	for _, m := range u.Models {
		unpriced := !r.o.Estimator.Resolve(m.Model).Known
		bills[m.Model] = quota.ModelBill{Neurons: m.Neurons, Calls: m.Calls, Unpriced: unpriced}
	}
	return bills, nil
}

// readFigure is what quota.Ledger.Reconcile reads.
func (r *Reconciler) readFigure(ctx context.Context, day quota.Day, until time.Time) (quota.Neurons, error) {
	u, err := r.o.Client.DayUntil(ctx, day, until)
	return u.Neurons, err
}
