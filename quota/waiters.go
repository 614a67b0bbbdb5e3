package quota

import (
	"context"
	"slices"
	"time"
)

// waiter is a call that asks, and that waits where it does not fit at once.
type waiter struct {
	call  Call
	pots  [2]*pot // the account's, and the client's if it has one
	probe *probe  // nil: it is none

	pot   *pot    // that decided
	short [2]bool // pots that lack neurons
	floor bool    // what is left is for higher priorities while calls are in flight

	since   time.Time
	aged    bool // half of the wait is over
	expired bool // all of it
	asked   bool // a report that was made since knows of it
	seen    bool // and was answered

	ready    chan struct{} // closed when decided
	done     bool
	res      *Reservation
	decision Decision
	err      error
}

// touch finds the pots of w.
func (w *waiter) touch(l *Ledger, now time.Time) {
	w.pots[0] = l.account
	l.account.used = now
	if (w.call.ClientLimit > 0 || w.call.CountClient) && l.o.Mode != Off {
		w.pots[1] = l.pot(ClientBudget(w.call.Client), min(w.call.ClientLimit, MaxCost))
		w.pots[1].used = now
	}
}

// queue is the calls that wait, in the order of their arrival.
type queue []*waiter

// await queues w and waits until it is decided. The caller holds l.mu, which
// await releases.
func (l *Ledger) await(ctx context.Context, w0 waiter) (*Reservation, Decision, error) {
	w := &w0
	w.since = time.Now()
	w.ready = make(chan struct{})
	w.expired = l.o.Wait == 0
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	l.kick()

	half, end := time.NewTimer(l.o.Wait/2), time.NewTimer(l.o.Wait)
	defer half.Stop()
	defer end.Stop()
	for {
		select {
		case <-w.ready:
			return w.res, w.decision, w.err
		case <-half.C:
			l.mu.Lock()
			w.aged = true
			l.serve(l.clock.now())
			l.mu.Unlock()
		case <-end.C:
			l.mu.Lock()
			w.expired = true
			l.serve(l.clock.now())
			l.mu.Unlock()
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			if w.done {
				return w.res, w.decision, w.err
			}
			l.finish(w, nil, l.decision(Contended, w, l.clock.now()), ctx.Err())
			l.serve(l.clock.now()) // nothing is set aside for it any more
			return nil, w.decision, w.err
		}
	}
}

// serve goes through the queue once, in order, and decides what can be decided.
func (l *Ledger) serve(now time.Time) {
	for _, p := range l.pots {
		p.barrier = false
	}
	for _, w := range slices.Clone(l.queue) {
		if w.done {
			continue
		}
		if l.gate.holds(w) {
			if w.expired {
				l.finish(w, nil, l.shut(w, now), nil)
			}
			continue
		}
		outcome, short := l.judge(w)
		switch {
		case !short:
			res := l.debitIf(outcome, w)
			l.finish(w, res, l.decision(outcome, w, now), nil)
		case w.expired && w.seen:
			l.finish(w, nil, l.decision(outcome, w, now), nil)
		case w.aged:
			for i, p := range w.pots {
				if w.short[i] {
					p.barrier = true
				}
			}
		}
	}
}

// finish takes w from the queue with its answer.
func (l *Ledger) finish(w *waiter, res *Reservation, d Decision, err error) {
	w.done, w.res, w.decision, w.err = true, res, d, err
	close(w.ready)
	if i := slices.Index(l.queue, w); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	if res == nil {
		l.gate.probeEnded(w.probe, false, l.clock.now())
	}
}

// failQueue ends the wait of all with err.
func (l *Ledger) failQueue(err error) {
	for _, w := range slices.Clone(l.queue) {
		l.finish(w, nil, Decision{}, err)
	}
}

// wanted returns what the calls that wait need of p together, and the least of
// them alone. They are marked as asked for.
func (l *Ledger) wanted(p *pot) (sum, least Neurons) {
	for _, w := range l.queue {
		w.asked = true
		if w.floor || !slices.Contains(w.pots[:], p) {
			continue
		}
		n := w.call.Estimate
		sum = sum.Add(n)
		if least == 0 || n < least {
			least = n
		}
	}
	return sum, least
}
