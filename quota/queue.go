package quota

import (
	"context"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// waiter is a call that asks for a reservation, and that waits where it does not fit at once.
type waiter struct {
	call    Call
	budgets [2]*budget // the account's, and the client's if it has one
	probe   *probe     // nil: it is none

	// As of the last time it was judged.
	decidedBy *budget // nil: no budget in particular
	lacks     [2]bool // budgets that have too little here
	keptBack  bool    // what is left is for higher priorities while calls are in flight

	since    time.Time
	reported bool // a report made since tells of it
	answered bool // and was answered

	ready    chan struct{} // closed when decided
	done     bool
	res      *Reservation
	decision *Decision // nil until it waits: it is large, and most calls need not wait
	err      error
}

// findBudgets finds the budgets that w touches.
func (w *waiter) findBudgets(l *Ledger, now time.Time) {
	w.budgets[0] = l.account
	l.account.lastUse = now
	if (w.call.ClientLimit > 0 || w.call.ClientMonth > 0 || w.call.CountClient) && l.o.Mode != Off {
		w.budgets[1] = l.budgets.of(ClientBudget(w.call.Client), Limits{
			Day: min(w.call.ClientLimit, MaxCost), Month: min(w.call.ClientMonth, MaxCost),
		})
		w.budgets[1].lastUse = now
	}
}

// needsGrant reports whether w waits for what the store alone can grant.
func (w *waiter) needsGrant() bool {
	for i, b := range w.budgets {
		if w.lacks[i] && b.limit > 0 {
			return true
		}
	}
	return w.keptBack
}

// queue has the calls that wait, and the one whose place is kept.
type queue struct {
	schedule.Queue[*waiter, Neurons]
}

// wanted returns what the calls that wait need of b together, and the smallest of them alone, and marks all as
// reported.
func (q *queue) wanted(b *budget) (sum, smallest Neurons) {
	for w := range q.All() {
		w.reported = true
		if w.keptBack || !slices.Contains(w.budgets[:], b) {
			continue
		}
		n := w.call.Estimate
		sum = sum.Add(n)
		if smallest == 0 || n < smallest {
			smallest = n
		}
	}
	return sum, smallest
}

// markReported marks all calls that wait: the store was asked for them.
func (q *queue) markReported() {
	for w := range q.All() {
		w.reported = true
	}
}

// lackWhatIsFree reports whether some call lacks neurons of a budget of which the store has some left.
func (q *queue) lackWhatIsFree() bool {
	for w := range q.All() {
		for i, b := range w.budgets {
			if w.lacks[i] && b.free > 0 {
				return true
			}
		}
	}
	return false
}

// before returns what those want of b that go before w.
func (q *queue) before(w *waiter, b *budget) (sum Neurons) {
	for other := range q.All() {
		if other == w {
			break
		}
		if slices.Contains(other.budgets[:], b) {
			sum = sum.Add(other.call.Estimate)
		}
	}
	return sum
}

// await queues a call and waits until it is decided. The caller holds l.mu, which await releases.
func (l *Ledger) await(ctx context.Context, call waiter) (*Reservation, Decision, error) {
	w := &call
	w.since = time.Now()
	w.ready, w.decision = make(chan struct{}), new(Decision)
	now := l.clock.Now()
	if !l.comeBack(w) {
		l.queue.Add(w, w.call.Client, w.call.Estimate)
	}
	l.serve(now) // it may go before another one that was the next
	l.mu.Unlock()
	l.wake.syncNow()

	end := time.NewTimer(l.o.Wait)
	defer end.Stop()
	for {
		select {
		case <-w.ready:
			return w.res, *w.decision, w.err
		case <-end.C:
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			if w.done {
				return w.res, *w.decision, w.err
			}
			l.finish(w, nil, l.decision(Contended, w, l.clock.Now()), ctx.Err())
			l.serve(l.clock.Now()) // nothing is set aside for it any more
			return nil, *w.decision, w.err
		}
		l.mu.Lock()
		l.serve(l.clock.Now())
		l.mu.Unlock()
	}
}

// serve goes through the queue once, in order, and decides what can be decided.
func (l *Ledger) serve(now time.Time) {
	for _, b := range l.budgets.all {
		b.next.Begin()
		if b.inFlight() == 0 && l.place.Of() == nil {
			b.next.SetNothingAside() // no more comes back, and other replicas wait for what is here
		}
	}
	for _, w := range l.queue.List() {
		if w.done {
			continue
		}
		expired := time.Since(w.since) >= l.o.Wait
		if l.block.stops(w) {
			if expired {
				l.finish(w, nil, l.blocked(w, now), nil)
			}
			continue
		}
		outcome, wait := l.judge(w)
		switch {
		case w == l.place.Of():
			l.keepPlace(w, wait || outcome == Allowed)
		case !wait:
			for _, b := range w.budgets {
				if b != nil {
					b.next.Took(w.call.Estimate)
				}
			}
			res := l.reserve(outcome, w)
			l.finish(w, res, l.decision(outcome, w, now), nil)
		default:
			w.setNext()
			if expired && w.answered {
				l.refuse(w, l.decision(outcome, w, now))
			}
		}
	}
	for _, b := range l.budgets.all {
		b.next.End(b.available())
	}
}

// finish takes w out of the queue with its answer.
func (l *Ledger) finish(w *waiter, res *Reservation, d Decision, err error) {
	if res == nil {
		l.block.probeEnded(w.probe, false, l.clock.Now())
	}
	l.queue.Remove(w, res != nil)
	for _, b := range w.budgets {
		if b != nil {
			b.next.Drop(w)
		}
	}
	if w == l.place.Of() { // its call is answered
		l.place.Free(true, time.Now())
		return
	}
	w.answer(res, d, err)
}

func (w *waiter) answer(res *Reservation, d Decision, err error) {
	w.done, w.res, *w.decision, w.err = true, res, d, err
	close(w.ready)
}
