package quota

import (
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// A Reservation is what Reserve set aside for one call. A call has three questions and answers on the way: Blocked
// before it is sent, Accepted or Refused by what Workers AI says to it. It ends once, by the first of Settle and
// Release; further ones change nothing, so that Release may be deferred.
type Reservation struct {
	l     *Ledger
	call  schedule.Call[*budget, Neurons] // guarded by l.mu
	tally *tally
	day   Day    // on which it was made
	probe *probe // nil: it is none

	done bool // guarded by l.mu
}

// Neurons returns what is set aside.
func (r *Reservation) Neurons() Neurons { return r.call.Amount }

// Probe reports whether the call is the one that finds out whether a blocked account may spend again.
func (r *Reservation) Probe() bool { return r.probe != nil }

// Settle books what the call really cost, on the present day, and gives the rest back. The cost may be above what was
// set aside: it is booked all the same. It returns the day it is booked on, for Ledger.Correct.
func (r *Reservation) Settle(c Cost) Day { return r.end(c, true, 1) }

// SettlePart is Settle for a part of a call that goes on: a session is charged piece by piece, and counts once, by
// Settle at its end.
func (r *Reservation) SettlePart(c Cost) Day { return r.end(c, true, 0) }

// Release ends a call that cost nothing because it was never made, or was refused. It counts as no call, and a probe
// that was never sent stays due.
func (r *Reservation) Release() { r.end(Cost{}, false, 0) }

// Calibrate keeps, with the call's day, what its cost has shown of the bounds of its model.
func (r *Reservation) Calibrate(c Calibration) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.tally.calibrate(c)
}

func (r *Reservation) end(c Cost, made bool, calls int64) Day {
	l := r.l
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	if r.done {
		return l.day
	}
	r.done = true
	cost := min(max(c.Neurons, 0), MaxCost)
	for _, b := range r.call.Budgets {
		if b != nil {
			b.ended(r, cost)
			l.returnSoon(b)
		}
	}
	l.forecast.Add(now, cost)
	l.hours.book(l.day, now, cost)
	if a := l.account; a.limit > 0 && a.reservable() <= 0 {
		l.forecast.foundSpent(now)
	}
	r.tally.inFlight--
	r.tally.ended = now
	if made {
		r.call.Usual.Observe(time.Since(r.call.Began), float64(r.call.Amount), float64(cost))
		r.tally.book(cost, c.Basis, calls)
		if c.Table > 0 {
			r.tally.Silent++
			r.tally.Table = r.tally.Table.Add(min(c.Table, MaxCost))
		}
	}
	l.block.probeEnded(r.probe, made, now)
	l.inFlight.Remove(&r.call)
	if l.queue.Len() > 0 {
		l.serve(now)
		if l.queue.lackWhatIsFree() {
			l.wake.syncNow()
		}
	}
	if l.idle != nil && l.inFlight.Len() == 0 {
		close(l.idle)
		l.idle = nil
	}
	return l.day
}

// returnSoon sees to it that more than may stay in b goes back soon.
func (l *Ledger) returnSoon(b *budget) {
	if b.limit > 0 && b.available() > b.keep {
		l.wake.syncSoon()
	}
}

// Correct books the true cost of a call, such as a batch, once it is known: charged was booked for it as Estimated on
// the day on. On a later day only what it cost beyond that is added.
func (l *Ledger) Correct(c Call, on Day, charged Neurons, actual Cost) {
	l.correct(c, on, charged, actual, false)
}

// correct is Correct. elsewhere says that another replica has booked the charge: then what is booked here may be less
// than nothing, since the sum over all replicas is not.
func (l *Ledger) correct(c Call, on Day, charged Neurons, actual Cost, elsewhere bool) {
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	w := waiter{call: c}
	w.findBudgets(l, now)
	t := l.tallies.of(c.Model, c.Client)
	cost := min(max(actual.Neurons, 0), MaxCost)
	charged = min(max(charged, 0), MaxCost)
	if on >= l.day { // later, if a day was taken back
		if elsewhere {
			t.elsewhere += charged
		} else { // no more than is booked here, or the record would be of less than nothing
			charged = min(charged, max(t.Estimated+t.elsewhere, 0))
		}
		t.book(-charged, Estimated, 0)
	} else {
		cost, charged = max(cost-charged, 0), 0
	}
	t.book(cost, actual.Basis, 0)
	before := l.account.spent
	for _, b := range w.budgets {
		if b != nil {
			b.correct(cost-charged, elsewhere)
			l.returnSoon(b)
		}
	}
	l.hours.book(l.day, now, l.account.spent-before)
	l.serve(now)
}
