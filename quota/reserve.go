package quota

import (
	"context"
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// Reserve sets c.Estimate aside in every budget that c touches, in all or in none. If that needs neurons that are not
// here it waits: for one sync with the store in any case, and up to Options.Wait for calls in flight to settle.
//
// Calls that wait are served in an order that is fair by client. One that fits may overtake one that does not: of what
// comes back meanwhile to the budget that the first one lacks, half is set aside for that one. So small calls neither
// starve a large one nor stop because of it.
//
// A refusal is a Decision without a Reservation. An error means that nothing could be decided: the store fails
// (ErrStore), the ledger is closed (ErrClosed), or ctx ended.
func (l *Ledger) Reserve(ctx context.Context, c Call) (*Reservation, Decision, error) {
	c.Estimate = min(max(c.Estimate, 0), MaxCost)
	w := waiter{call: c} // on the stack, unless it has to wait
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, Decision{}, ErrClosed
	}
	now := l.clock.Now()
	l.roll(now)
	w.findBudgets(l, now)
	if l.o.Mode != Enforce {
		defer l.mu.Unlock()
		res := l.reserve(Allowed, &w)
		return res, l.observed(&w, now), nil
	}
	if l.block.Set {
		return l.reserveBlocked(ctx, w, now) // unlocks
	}
	outcome, wait := l.judge(&w)
	if !wait && !l.hasPlace(&w) {
		defer l.mu.Unlock()
		res := l.reserve(outcome, &w)
		if res != nil && l.queue.Len() > 0 {
			l.queue.Pass(w.call.Client, w.call.Estimate) // it overtakes them
		}
		return res, l.decision(outcome, &w, now), nil
	}
	return l.await(ctx, w) // unlocks
}

// judge decides on w by what is known now. wait says that it does not fit but may later; w has the budgets that it
// lacks then.
func (l *Ledger) judge(w *waiter) (o Outcome, wait bool) {
	n := w.call.Estimate
	w.decidedBy, w.lacks, w.keptBack = nil, [2]bool{}, false
	if n == 0 { // nothing to spend, nothing to refuse
		return Allowed, false
	}
	for i, b := range w.budgets {
		if b == nil {
			continue
		}
		if b.exhausted(n) {
			w.decidedBy = b
			if w.kept(b) > 0 && !b.nearlySpent() {
				return PriorityFloor, false // smaller calls of a higher priority still fit
			}
			return Exhausted, false
		}
		if !b.fits(w) && !l.passes(w, b) {
			w.decidedBy = b
			w.lacks[i] = true
			wait = true
		}
	}
	if a := l.account; w.kept(a) > 0 {
		share := a.limit - w.kept(a)
		if a.committed()+n > share {
			w.decidedBy = a
			return PriorityFloor, false
		}
		if a.committed()+a.inFlight()+n > share {
			w.decidedBy, w.keptBack = a, true
			return Contended, true
		}
	}
	if wait {
		return Contended, true
	}
	return Allowed, false
}

// passes reports whether w need not wait for b although that has too little here. Without a limit nobody is refused: a
// call waits for one sync, which claims what it may cost, and not even for that while the store fails.
func (l *Ledger) passes(w *waiter, b *budget) bool {
	return b.limit == 0 && (w.answered || l.failure != nil)
}

// kept is what of b is not for w but for calls of a higher priority.
func (w *waiter) kept(b *budget) Neurons {
	if b.name != Account {
		return 0
	}
	return b.limit - w.call.Priority.share(b.limit)
}

// reserve makes the reservation of w, or none if it is refused.
func (l *Ledger) reserve(o Outcome, w *waiter) *Reservation {
	if o != Allowed {
		return nil
	}
	t := l.tallies.of(w.call.Model, w.call.Client)
	r := &Reservation{
		l: l, call: schedule.Call[*budget, Neurons]{
			Budgets: w.budgets, Amount: w.call.Estimate, Began: time.Now(), Usual: t.usual,
		},
		tally: t, day: l.day, probe: w.probe,
	}
	for _, b := range w.budgets {
		if b != nil {
			b.began(r)
			if b.runningLow() {
				l.wake.syncNow()
			}
		}
	}
	r.tally.inFlight++
	l.inFlight.Add(&r.call)
	return r
}

// observed is the decision on a call that passes in any case.
func (l *Ledger) observed(w *waiter, now time.Time) Decision {
	would := Allowed
	if l.o.Mode == Observe {
		// The call is in its budgets already: the question is whether they are still within their limits.
		for _, b := range w.budgets {
			switch {
			case b == nil || b.limit == 0:
			case b.reservable() < w.call.Estimate:
				would, w.decidedBy = Exhausted, b
			case b.reservable() < b.inFlight() && would == Allowed:
				would, w.decidedBy = Contended, b
			}
		}
		a := l.account
		if would == Allowed && a.limit > 0 && a.committed()+a.inFlight() > w.call.Priority.share(a.limit) {
			would = PriorityFloor
		}
		if l.block.Set {
			would, w.decidedBy = Blocked, l.account
		}
	}
	d := l.decision(Allowed, w, now)
	d.Would = would
	return d
}

// decision describes how things stand for w.
func (l *Ledger) decision(o Outcome, w *waiter, now time.Time) Decision {
	b := w.decidedBy
	if b == nil {
		b = l.account
		for _, other := range w.budgets {
			if other != nil && other.limit > 0 && (b.limit == 0 || other.remaining() < b.remaining()-w.kept(b)) {
				b = other
			}
		}
	}
	d := Decision{
		Outcome: o, Budget: b.name, Estimate: w.call.Estimate, Probe: w.probe != nil,
		Unlimited: b.limit == 0 || l.o.Mode == Off, OfflineGrant: l.failure != nil && b.offlineGrant > 0,
		Used: b.others.Spent + b.spent, Reserved: b.inFlight(), Limit: b.limit, Kept: w.kept(b), Lost: b.lost(),
		External: b.external.Spent, At: now, ResetsAt: l.dayEnd,
		OfMonth: b.ofMonth && o != Blocked, MonthLimit: b.limits.Month, Earlier: b.earlier,
	}
	if d.OfMonth {
		d.ResetsAt = l.day.MonthEnd()
	}
	if o != Allowed {
		d.Calls, d.Elsewhere = b.calls, b.others.Reserved
	}
	if o == Contended {
		d.RetryIn = l.expectedWait(w)
	}
	d.Margin = b.margin()
	d.Remaining = max(0, d.Left()-d.Reserved)
	if !w.since.IsZero() {
		d.Waited = time.Since(w.since)
	}
	// A call that is larger than what is left says nothing of the day, unless hardly anything is left.
	if o == Exhausted && b == l.account && b.nearlySpent() {
		l.forecast.foundSpent(now)
	}
	return d
}
