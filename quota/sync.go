package quota

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuronward/neuronward/quota/reconcile"
)

// ErrStore is wrapped by what Reserve returns when the store that it needs fails.
var ErrStore = errors.New("quota: the store fails")

// ErrLate is wrapped by what a Store returns that had no answer within its deadline, where that follows how long
// answers take: the next one may come in time.
var ErrLate = errors.New("quota: the answer of the store is late")

// quietFor is how many reports may leave out a budget of which there is nothing to say, until one asks what others
// spent of it.
const quietFor = 16

// maxEnded bounds the ended days that wait for a store that fails for days.
const maxEnded = 3

// outbox is what a ledger has to tell the store, beside the state of its budgets.
type outbox struct {
	replica Replica // this one, on the present day
	seq     uint64
	ended   []Report // of days that have ended, oldest first
	whole   bool     // the next report is of all budgets
	joined  bool     // a sync was answered
}

func (o *outbox) add(ended Report) {
	o.ended = append(o.ended, ended)
	if drop := len(o.ended) - maxEnded; drop > 0 {
		o.ended = o.ended[drop:]
	}
}

// number gives r the next number, and its replica if it has none.
func (o *outbox) number(r Report) Report {
	o.seq++
	r.Seq, r.Replica = o.seq, cmp.Or(r.Replica, o.replica)
	return r
}

// sync publishes days that have ended, then today, and serves the calls that wait with what the store grants.
func (l *Ledger) sync(ctx context.Context) error {
	select {
	case l.syncing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.syncing }()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left { // another report would bring this replica back to life
		return ErrClosed
	}
	l.roll(l.clock.Now())
	l.publishEnded(ctx)
	if err := l.readMonth(ctx); err != nil {
		if ctx.Err() != nil { // whoever asked has left, which says nothing of the store
			l.wake.syncNow()
			return err
		}
		l.queue.markReported()
		l.storeFailed(err, l.clock.Now())
		return err
	}
	r, raised, published := l.report()
	reply, err := l.sendUnlocked(ctx, r)
	now := l.clock.Now()
	switch {
	case err == nil:
		l.applyReply(r, raised, reply, now)
		return nil
	case ctx.Err() != nil: // whoever asked has left, which says nothing of the store
		l.wake.syncNow()
	default:
		l.storeFailed(err, now)
	}
	for _, t := range published {
		t.unpublished = true
	}
	l.hours.publishSome(r.Hours)
	return err
}

// publishEnded publishes the days that have ended, until the store fails: then today's report meets the failure, too.
func (l *Ledger) publishEnded(ctx context.Context) {
	o := &l.outbox
	for len(o.ended) > 0 {
		r := o.number(o.ended[0])
		if _, err := l.sendUnlocked(ctx, r); err != nil {
			return
		}
		if len(o.ended) > 0 && o.ended[0].Day == r.Day && o.ended[0].Replica == r.Replica {
			o.ended = o.ended[1:]
		}
	}
}

// sendUnlocked is send with l.mu, which the caller holds, released meanwhile.
func (l *Ledger) sendUnlocked(ctx context.Context, r Report) (Reply, error) {
	l.mu.Unlock()
	defer l.mu.Lock()
	return l.send(ctx, r)
}

func (l *Ledger) send(ctx context.Context, r Report) (Reply, error) {
	began := time.Now()
	reply, err := l.o.Store.Sync(ctx, r)
	l.trip.Observe(time.Since(began))
	if err == nil && (len(reply.Granted) != len(r.Requests) || len(reply.Balances) != len(r.Requests)) {
		err = fmt.Errorf("%d grants and %d balances for %d requests",
			len(reply.Granted), len(reply.Balances), len(r.Requests))
	}
	return reply, err
}

// report makes the report of today, and returns what it claims of each budget without a grant, and the tallies that
// it publishes. Budgets of clients of which the store knows all, and of which nothing is held here, are left out of
// most reports: of a thousand clients few call at a time.
func (l *Ledger) report() (r Report, raised []Neurons, published []*tally) {
	now, age := l.clock.Now(), time.Since(l.started)
	l.dropAfterSilence()
	l.budgets.keep(l.o.Margin, l.dayEnd.Sub(now))
	r = l.outbox.number(Report{Day: l.day, Block: l.block.change, External: l.account.external})
	for i, b := range l.budgets.all {
		wanted, smallest := l.queue.wanted(b)
		q, raise := b.request(now, age, l.trip.Usual(), wanted, smallest)
		due := b == l.account || l.outbox.whole || (uint64(i)+r.Seq)%quietFor == 0
		if !due && q == b.published && q.Held == 0 && q.Want == 0 {
			continue
		}
		b.published = BudgetRequest{} // until the answer the store may have this or what was before
		r.Requests, raised = append(r.Requests, q), append(raised, raise)
	}
	l.outbox.whole = false
	r.Records, published = l.tallies.publish()
	r.Hours = l.hours.publish()
	l.wake.soon = false
	return r, raised, published
}

// applyReply takes the store's answer to r.
func (l *Ledger) applyReply(r Report, raised []Neurons, reply Reply, now time.Time) {
	failed := l.failure != nil
	l.failure, l.late = nil, false
	l.reconciliation.lastReply = time.Now()
	l.clock.Agree(reply.Time)
	l.countReplicas(reply, now)
	if l.day == r.Day {
		if l.outbox.joined { // before, it is not known when others have spent it
			l.forecast.Add(now, reply.Balances[0].Spent-r.Requests[0].Spent-l.account.others.Spent)
		}
		for i, q := range r.Requests {
			l.budgets.byName[q.Budget].applyReply(q, raised[i], reply.Granted[i], reply.Balances[i], l.replicas.n)
		}
		if reply.Joined && l.outbox.joined {
			for _, b := range l.budgets.all {
				b.forget()
			}
			l.tallies.forget()
			l.tallies.publishAgain()
			l.hours.publishAll()
			l.outbox.whole = true
			l.wake.syncNow()
		}
		sum := reply.Balances[0]
		l.reconciliation.history.Record(now, reconcile.State[Neurons]{
			Spent: sum.Spent, Lost: sum.Lost, Joined: reply.Joined, Failed: failed,
		})
		l.applyExternal(reply.External, now)
		l.outbox.joined = true
	} else {
		// The day ended meanwhile, and what was granted ended with it.
		for w := range l.queue.All() {
			w.reported = false
		}
		l.wake.syncNow()
	}
	l.block.applyReply(r.Block, reply.Block, l.o.Probe, now)
	for w := range l.queue.All() {
		w.answered = w.reported
	}
	l.serve(now)
	for _, b := range l.budgets.all {
		l.returnSoon(b)
	}
}

// storeFailed decides without the store on the calls that wait for it. After one answer that is late those go on that
// can still wait: the next one may come in time.
func (l *Ledger) storeFailed(err error, now time.Time) {
	err = fmt.Errorf("%w: %w", ErrStore, err)
	l.failures++
	again := errors.Is(err, ErrLate) && !l.late && l.failure == nil
	if again {
		l.late = true
		l.wake.syncNow()
	} else {
		l.failure = err
	}
	for _, w := range l.queue.List() {
		if !w.reported || l.block.stops(w) || w == l.place.Of() || again && time.Since(w.since) < l.o.Wait {
			continue
		}
		if !l.o.AllowOfflineGrant && w.needsGrant() {
			l.finish(w, nil, Decision{}, err)
			continue
		}
		for i, b := range w.budgets {
			if w.lacks[i] {
				b.takeOffline(w.call.Estimate - b.available())
			}
		}
		w.answered = true
	}
	l.serve(now)
}

// dropAfterSilence gives up what is free here when the store has not answered for so long that others may have taken
// it for unspent.
func (l *Ledger) dropAfterSilence() {
	last := l.reconciliation.lastReply
	if l.o.AllowOfflineGrant || last.IsZero() || time.Since(last) < releaseAfter/2 {
		return
	}
	for _, b := range l.budgets.all {
		b.dropFree()
	}
}
