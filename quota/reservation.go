package quota

// A Reservation is what Reserve set aside for one call. It ends once: by the
// first of Settle and Release; further ones change nothing, so that Release may
// be deferred.
type Reservation struct {
	l       *Ledger
	pots    [2]*pot
	row     *tally
	neurons Neurons
	day     Day    // on which it was made
	probe   *probe // nil: it is none
	done    bool   // under l.mu
}

// Neurons returns what is set aside.
func (r *Reservation) Neurons() Neurons { return r.neurons }

// Probe reports whether the call is the one that finds out whether a latched
// account may spend again.
func (r *Reservation) Probe() bool { return r.probe != nil }

// Settle books what the call really cost, on the present day, and gives the
// rest back. The cost may be above what was set aside: it is booked all the
// same. It returns the day it is booked on, for Ledger.Correct.
func (r *Reservation) Settle(c Cost) Day {
	return r.end(c, true)
}

// Release ends a call that cost nothing because it was never made, or was
// refused. It counts as no call, and a probe that said nothing stays due.
func (r *Reservation) Release() {
	r.end(Cost{}, false)
}

// Blocked reports whether the gate was shut since the reservation was made: the
// call must not be sent any more, unless it is the probe. The decision says what
// Reserve would say now. A call that is barred is to be released.
func (r *Reservation) Blocked() (Decision, bool) {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.probe != nil || !l.gate.latch.Set || l.o.Mode != Enforce {
		return Decision{}, false
	}
	w := waiter{call: Call{Estimate: r.neurons}, pots: r.pots}
	return l.shut(&w, l.clock.now()), true
}

// Accepted says that Workers AI took the call: if it is a probe, the latch
// opens. It does not settle.
func (r *Reservation) Accepted() {
	if r.probe != nil || r.l.o.Mode == Observe {
		r.l.Unblock()
	}
}

func (r *Reservation) end(c Cost, counts bool) Day {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.done {
		return l.day
	}
	r.done = true
	now := l.clock.now()
	l.roll(now)
	cost := min(max(c.Neurons, 0), MaxCost)
	for _, p := range r.pots {
		if p != nil {
			p.credit(r.neurons, cost)
			l.freed(p)
		}
	}
	l.spending.add(now, cost)
	l.hours.book(l.day, now, cost)
	if a := l.account; a.limit > 0 && a.gone() >= a.limit {
		l.foundSpent(now)
	}
	r.row.flying--
	r.row.ended = now
	if counts {
		r.row.book(cost, c.Basis, 1)
		if c.Table > 0 {
			r.row.Silent++
			r.row.Table = r.row.Table.Add(min(c.Table, MaxCost))
		}
	}
	l.gate.probeEnded(r.probe, counts, now)
	if len(l.queue) > 0 {
		l.serve(now)
		l.fetch()
	}
	l.flying--
	if l.idle != nil && l.flying == 0 {
		close(l.idle)
		l.idle = nil
	}
	return l.day
}

// freed sees to it that more than may stay in p goes back soon.
func (l *Ledger) freed(p *pot) {
	if l.trim || p.limit == 0 || p.spare() <= p.keep {
		return
	}
	l.trim = true
	l.trimmed <- struct{}{} // never blocks: trim says that it is empty
}

// fetch asks for an exchange if what is left in the store may help those who
// still wait.
func (l *Ledger) fetch() {
	for _, w := range l.queue {
		for i, p := range w.pots {
			if w.short[i] && p.free > 0 {
				l.kick()
				return
			}
		}
	}
}

// Correct books the true cost of a call, as of a batch, once it is known: on the
// day on, charged was booked for it as Estimated. On a later day only what it
// cost beyond that is added.
func (l *Ledger) Correct(c Call, on Day, charged Neurons, actual Cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.now()
	l.roll(now)
	w := waiter{call: c}
	w.touch(l, now)
	row := l.row(c)
	cost := min(max(actual.Neurons, 0), MaxCost)
	charged = min(max(charged, 0), MaxCost)
	if on == l.day {
		// No more than is booked there, or the row would tell of less than nothing.
		charged = min(charged, row.Estimated)
		row.book(-charged, Estimated, 0)
	} else {
		cost, charged = max(cost-charged, 0), 0
	}
	row.book(cost, actual.Basis, 0)
	former := l.account.spent
	for _, p := range w.pots {
		if p != nil {
			p.credit(0, max(cost-charged, -p.spent)) // a client's pot may be younger than the charge
			l.freed(p)
		}
	}
	l.hours.book(l.day, now, l.account.spent-former)
	l.serve(now)
}
