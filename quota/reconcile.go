package quota

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuronward/neuronward/quota/reconcile"
)

const (
	// FigureLag is how long it is taken to be until the account's own figure has counted a call: "minutes".
	FigureLag = 5 * time.Minute

	// releaseAfter is how long neurons have been lost before the figure may show that they were not spent. What a
	// call in flight cost that outlived its process has been billed by then. A replica that got no answer for half of
	// this gives up what it has free, since it may be the one that the others take for dead.
	releaseAfter = 20 * time.Minute
)

// ErrEarly is returned by Reconcile when the day is too young for its figure.
var ErrEarly = errors.New("quota: the day is too young to be reconciled")

// ErrDropped is returned by Reconcile when the figure of the day is lower than one that was read before, which a bill
// cannot be: it lacks something.
var ErrDropped = errors.New("quota: the account's own figure is lower than it was")

// ErrUnconfirmed is returned by Reconcile when the figure is to be read again soon, since it has jumped or the one
// before was wrong: what others are not likely to have spent counts once two readings show it.
var ErrUnconfirmed = errors.New("quota: the account's own figure waits for a second reading")

type figure = reconcile.Figure[Neurons]

// reconciliation is what a ledger knows of the account's own figure and needs for it.
type reconciliation struct {
	history   reconcile.History[Neurons] // of today
	drop      reconcile.Drop[Neurons]    // of today
	jump      reconcile.Jump[Neurons]    // of today
	fromStart bool                       // this replica has been there since the day began, with nothing spent
	readUntil time.Time                  // until when the figure counted that was read last, on whatever day
	leaseEnd  time.Time                  // until then this replica is the one that reads it
	lastReply time.Time                  // when the store last answered a sync
}

// newDay begins another day. fromStart says that this replica has been there since then.
func (r *reconciliation) newDay(fromStart bool) {
	r.history, r.fromStart = reconcile.History[Neurons]{MaxWait: ReplicaTimeout}, fromStart
	r.drop, r.jump = reconcile.Drop[Neurons]{}, reconcile.Jump[Neurons]{}
}

// Reconcile compares the account's own figure with what all replicas have settled. What is beyond that was spent
// elsewhere: it counts against the limit from then on, for all replicas. What is lost and was not billed is released.
//
// read returns what the account was billed on a day for calls up to a time, that time included, as Cloudflare counts
// it.
//
// Of the replicas of a store one reads, which has a lease of every; ours says whether it was this one. A reading that
// fails changes nothing, nor does a figure that dropped, unless it stays low for an hour, nor one that jumped, unless
// the next reading shows the same: package reconcile has the rules. Reconcile never keeps calls waiting.
func (l *Ledger) Reconcile(
	ctx context.Context, every time.Duration, read func(ctx context.Context, day Day, until time.Time) (Neurons, error),
) (ours bool, err error) {
	if ours, err = l.leadReading(ctx, every); !ours || err != nil {
		return false, err
	}
	now := l.lockAndRoll()
	day := l.day
	// The figure is asked for up to a minute that it has counted, not for all that it has counted so far: only then
	// is it known what it stands for.
	until := now.Add(-l.o.FigureLag).Truncate(time.Minute).Add(-time.Second)
	l.mu.Unlock()
	if until.Before(day.Start()) {
		return true, ErrEarly
	}
	billed, err := read(ctx, day, until)
	if err != nil {
		return true, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.day != day:
		return true, nil
	case l.clock.Doubted(): // the figure would be of another time than upstream's
		return true, fmt.Errorf("%w: Cloudflare's clock differs from ours", ErrUnconfirmed)
	}
	return true, l.applyFigure(figure{At: until, Billed: billed})
}

// applyFigure compares a figure with what had been settled, and makes it count if it can be right.
func (l *Ledger) applyFigure(f figure) error {
	rec, last := &l.reconciliation, l.account.external
	replaced := false
	if !f.At.Before(last.At) {
		settled, _ := rec.history.Settled(f.At)
		billed, ok := rec.drop.Accept(f, figure{At: last.At, Billed: last.Billed}, settled)
		if !ok {
			return fmt.Errorf("%w: %v, after %v", ErrDropped, billed, last.Billed)
		}
		replaced = billed < last.Billed && rec.drop.First
		f.Billed = billed
	}
	if known := l.failure == nil && l.outbox.joined && rec.history.Known(); !known {
		return nil
	}
	now := l.clock.Now()
	e := External{At: f.At, Billed: f.Billed}
	lostSince := now.Add(-l.o.FigureLag - releaseAfter)
	e.Spent, e.Released = rec.history.Compare(lostSince, now, f.At, f.Billed, last.Spent)
	if last.At.IsZero() && rec.fromStart {
		last.At = l.day.Start()
	}
	rec.drop.First = rec.drop.First || last.At.IsZero() // there is nothing to compare it with
	counts := e.Spent
	if !last.At.IsZero() {
		ok := false
		counts, ok = rec.jump.Accept(reconcile.Spending[Neurons]{At: f.At, Amount: e.Spent},
			reconcile.Spending[Neurons]{At: last.At, Amount: last.Spent},
			cmp.Or(l.account.limit, FreeNeurons), rec.history.Forgotten)
		if !ok {
			return fmt.Errorf("%w: %v spent outside this proxy, after %v", ErrUnconfirmed, e.Spent, counts)
		}
	}
	rec.history.Forgotten = 0
	unconfirmed := e.Spent - counts
	e.Spent, e.Billed = counts, e.Billed-unconfirmed
	l.applyExternal(e, now)
	l.serve(now)
	l.wake.syncNow()
	if unconfirmed > 0 || replaced {
		return ErrUnconfirmed
	}
	return nil
}

// leadReading reports whether this replica is the one that reads the figure.
func (l *Ledger) leadReading(ctx context.Context, every time.Duration) (bool, error) {
	l.mu.Lock()
	ours := time.Now().Before(l.reconciliation.leaseEnd)
	l.mu.Unlock()
	if ours {
		return true, nil
	}
	began := time.Now()
	ttl := every * 9 / 10 // it has ended when the next reading is due
	ours, err := l.o.Store.Lease(ctx, "reconcile", ttl)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ours || began.Sub(l.reconciliation.leaseEnd) >= ttl {
		l.audit = audit{} // another replica audits, or may have: its corrections are in the records, but not known here
	}
	if ours {
		l.reconciliation.leaseEnd = began.Add(ttl)
	}
	return ours, nil
}

// applyExternal makes e count, if it was read later than what counts now.
func (l *Ledger) applyExternal(e External, now time.Time) {
	a := l.account
	if !e.At.After(a.external.At) {
		return
	}
	if !a.external.At.IsZero() { // before, it is not known when it was spent
		l.forecast.Add(now, e.Spent-a.external.Spent)
	}
	a.external, l.reconciliation.readUntil = e, e.At
	switch {
	case a.limit > 0 && a.reservable() <= 0:
		l.forecast.foundSpent(now)
	case !a.nearlySpent():
		l.forecast.spentAt = time.Time{} // the figure was wrong
	}
}
