package quota

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is returned by Reserve after Close.
var ErrClosed = errors.New("quota: the ledger is closed")

// A Ledger decides which calls may be made and keeps count of what they cost.
// It serves reservations from allotments that it holds in memory, one a pot,
// and asks its store for more ahead of need, so that a call almost never waits
// for it. A Ledger is used by many goroutines at once.
type Ledger struct {
	o       Options
	started time.Time

	kicked  chan struct{}   // exchange now
	trimmed chan struct{}   // exchange soon
	life    context.Context // ends with Close
	end     context.CancelFunc
	stopped chan struct{}

	exchanging chan struct{} // full during an exchange; filled before mu is locked

	mu       sync.Mutex
	clock    clock
	day      Day
	dayEnd   int64 // Unix time of the next day
	account  *pot
	pots     []*pot // the account first
	byName   map[Budget]*pot
	queue    queue
	rows     map[recordKey]*tally
	hours    hours
	audit    audit
	over     []Report // days that have ended, still to be published
	gate     gate
	spent    time.Time // when the day was found spent; zero: it is not
	spending spending
	figure   reading
	seq      uint64
	joined   bool      // an exchange was answered
	whole    bool      // the next report is of all pots
	holders  int       // that live, as far as it is known; 0: an exchange was never answered
	gathers  time.Time // until when holders may live that the store has not heard of
	flying   int       // reservations that are not settled
	idle     chan struct{}
	trim     bool // an exchange is due within trimDelay
	closed   bool
	left     bool  // the last report was made
	failure  error // of the last exchange
	failed   int64 // exchanges that failed
}

// New returns a Ledger on o.Store, after a first exchange with it. That the
// store cannot be reached is no error here: Healthy says it, and Reserve.
func New(ctx context.Context, o Options) (*Ledger, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		o: o, started: time.Now(), clock: newClock(o.Now),
		kicked: make(chan struct{}, 1), trimmed: make(chan struct{}, 1),
		stopped: make(chan struct{}), exchanging: make(chan struct{}, 1),
		byName: map[Budget]*pot{}, rows: map[recordKey]*tally{},
	}
	l.o.Store = newTimeoutStore(o.Store, o.StoreTimeout, o.OnStoreEvent)
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	now := l.clock.now()
	l.day = DayOf(now)
	l.dayEnd = l.day.End().Unix()
	l.account = l.pot(Account, o.Limit)
	l.spending.begin(now)
	_ = l.exchange(ctx) // Healthy tells
	if day := DayOf(l.clock.now()); day < l.day {
		// The store's clock is behind ours. Nothing has happened yet on a day that has not begun.
		l.day, l.dayEnd = day, day.End().Unix()
		l.account.roll()
		_ = l.exchange(ctx)
	}
	go l.run()
	return l, nil
}

// Reserve sets c.Estimate aside in every pot that c touches, in all or in none.
// Where that needs neurons that are not here it waits: for one exchange with
// the store in any case, and up to Options.Wait for calls in flight to settle.
//
// Waiting calls are served in order; one that fits may overtake one that does
// not. Once a call has waited half of its time, what comes back to the pot that
// it lacks is set aside for it and counts as reserved, so that small calls do
// not starve a large one.
//
// A refusal is a Decision without a Reservation. An error means that nothing
// could be decided: the store fails, the ledger is closed, or ctx ended.
func (l *Ledger) Reserve(ctx context.Context, c Call) (*Reservation, Decision, error) {
	c.Estimate = min(max(c.Estimate, 0), MaxCost)
	w := waiter{call: c}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, Decision{}, ErrClosed
	}
	now := l.clock.now()
	l.roll(now)
	w.touch(l, now)
	if l.o.Mode != Enforce {
		defer l.mu.Unlock()
		res := l.debit(&w)
		return res, l.observed(&w, now), nil
	}
	if l.gate.latch.Set {
		l.mu.Unlock()
		return l.reserveLatched(ctx, w)
	}
	outcome, short := l.judge(&w)
	if !short {
		defer l.mu.Unlock()
		res := l.debitIf(outcome, &w)
		return res, l.decision(outcome, &w, now), nil
	}
	return l.await(ctx, w) // unlocks
}

// judge decides on w by what is known now. short means that it does not fit but
// may later. The pots that it lacks are noted in w.
func (l *Ledger) judge(w *waiter) (o Outcome, short bool) {
	n := w.call.Estimate
	w.pot, w.short, w.floor = nil, [2]bool{}, false
	if n == 0 { // nothing to spend, nothing to refuse
		return Allowed, false
	}
	for i, p := range w.pots {
		if p == nil {
			continue
		}
		if p.exhausted(n) {
			w.pot = p
			if l.kept(p, w) > 0 && !p.finished() {
				return PriorityFloor, false // smaller calls of a higher one still fit
			}
			return Exhausted, false
		}
		if !p.has(n) || p.barrier {
			w.pot = p
			w.short[i] = true
			short = true
		}
	}
	if a := l.account; l.kept(a, w) > 0 {
		share := a.limit - l.kept(a, w)
		if a.gone()+n > share {
			w.pot = a
			return PriorityFloor, false
		}
		if a.gone()+a.flying()+n > share {
			w.pot, w.floor = a, true
			return Contended, true
		}
	}
	if short {
		return Contended, true
	}
	return Allowed, false
}

// kept is what of p is not for w but for calls of a higher priority.
func (l *Ledger) kept(p *pot, w *waiter) Neurons {
	if p != l.account {
		return 0
	}
	return p.limit - w.call.Priority.share(p.limit)
}

// debitIf makes the reservation of w, or none if it is refused.
func (l *Ledger) debitIf(o Outcome, w *waiter) *Reservation {
	if o != Allowed {
		return nil
	}
	return l.debit(w)
}

// debit makes the reservation of w.
func (l *Ledger) debit(w *waiter) *Reservation {
	r := &Reservation{l: l, pots: w.pots, row: l.row(w.call), neurons: w.call.Estimate, day: l.day, probe: w.probe}
	for _, p := range w.pots {
		if p != nil {
			p.debit(r.neurons)
			if p.low() {
				l.kick()
			}
		}
	}
	r.row.flying++
	l.flying++
	return r
}

// observed is the decision on a call that passes anyway.
func (l *Ledger) observed(w *waiter, now time.Time) Decision {
	would := Allowed
	if l.o.Mode == Observe {
		// The call is in its pots already: what is judged is whether they still are within their ceilings.
		for _, p := range w.pots {
			switch {
			case p == nil || p.limit == 0:
			case p.gone()+w.call.Estimate > p.limit:
				would, w.pot = Exhausted, p
			case p.gone()+p.flying() > p.limit && would == Allowed:
				would, w.pot = Contended, p
			}
		}
		if a := l.account; would == Allowed && a.limit > 0 && a.gone()+a.flying() > w.call.Priority.share(a.limit) {
			would = PriorityFloor
		}
		if l.gate.latch.Set {
			would, w.pot = Blocked, l.account
		}
	}
	d := l.decision(Allowed, w, now)
	d.Would = would
	return d
}

// decision describes how things stand for w.
func (l *Ledger) decision(o Outcome, w *waiter, now time.Time) Decision {
	p := w.pot
	if p == nil {
		p = l.account
		for _, q := range w.pots {
			if q != nil && q.limit > 0 && (p.limit == 0 || q.remaining() < p.remaining()-l.kept(p, w)) {
				p = q
			}
		}
	}
	d := Decision{
		Outcome: o, Budget: p.name, Estimate: w.call.Estimate, Unlimited: p.limit == 0 || l.o.Mode == Off, Probe: w.probe != nil,
		Used: p.others.Spent + p.spent, Reserved: p.flying(), Limit: p.limit, Kept: l.kept(p, w), Lost: p.lost(), External: p.external.Spent,
		At: now, ResetsAt: time.Unix(l.dayEnd, 0).UTC(), OfflineGrant: l.failure != nil && p.unbacked > 0,
	}
	d.Remaining = max(0, p.remaining()-d.Kept)
	if !w.since.IsZero() {
		d.Waited = time.Since(w.since)
	}
	// A call that is larger than what is left says nothing of the day, unless hardly anything is left.
	if o == Exhausted && p == l.account && p.finished() {
		l.foundSpent(now)
	}
	return d
}

// roll begins a new day if now is in one. The day never goes back.
func (l *Ledger) roll(now time.Time) {
	if now.Unix() < l.dayEnd {
		return
	}
	ended := Report{Day: l.day, Leave: true}
	for _, p := range l.pots {
		ended.Requests = append(ended.Requests, BudgetRequest{Budget: p.name, Limit: p.limit, Spent: p.spent})
		p.roll()
	}
	l.dropUnused()
	ended.Records, ended.Hours = l.rollRows(), l.hours.roll()
	l.over = append(l.over, ended)
	if drop := len(l.over) - 3; drop > 0 { // a store that was away for days
		l.over = l.over[drop:]
	}
	l.day = DayOf(now)
	l.dayEnd = l.day.End().Unix()
	l.spent = time.Time{}
	l.gate.newDay(now)
	l.gather(apart + l.gathering())
	l.kick()
}

// Observe takes the Date of an answer that upstream has just made, by which the
// ledger corrects its clock. A date more than a day away from the machine's
// clock is ignored, one more than a minute ahead until the next answer's agrees
// with it; the ledger's day never goes back.
func (l *Ledger) Observe(date time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.observe(date)
	l.roll(l.clock.now())
}

// kick asks for an exchange now.
func (l *Ledger) kick() {
	select {
	case l.kicked <- struct{}{}:
	default:
	}
}

// Close gives back what is free and publishes what was spent, so that nothing
// is lost. It waits for reservations that are not settled until ctx ends; what
// they hold then is lost for the day. Reserve fails from the beginning of Close
// on; settling after its end is counted nowhere. A store that stands still holds
// it up for twice Options.StoreTimeout beyond ctx.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		select {
		case <-l.stopped:
			return nil
		default:
		}
		select {
		case <-l.stopped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.closed = true
	l.failQueue(ErrClosed)
	if l.flying > 0 {
		l.idle = make(chan struct{})
		l.mu.Unlock()
		select {
		case <-l.idle:
		case <-ctx.Done():
		}
	} else {
		l.mu.Unlock()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*l.o.StoreTimeout)
	defer cancel()
	l.end()
	select {
	case <-l.stopped:
	case <-last.Done():
	}
	return l.leave(last)
}
