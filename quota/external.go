package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// figureLag is how long it takes until Workers AI's own figure has counted a call: "minutes".
	figureLag = 5 * time.Minute

	// agesKept is how far back it is known, minute by minute, what all holders had settled.
	agesKept = 32

	// releaseAfter is how long neurons have been lost before the figure may show them to be unspent. What a call in flight cost
	// that outlived its process has been billed by then. A holder that was not answered for half of this gives up what is
	// free of its own, since it may be the one that the others take for dead.
	releaseAfter = 20 * time.Minute

	// reconcileLease names who reads the figure.
	reconcileLease = "reconcile"
)

// ErrEarly is returned by Reconcile when the day is too young for its figure.
var ErrEarly = errors.New("quota: the day is too young to be reconciled")

// ErrFell is returned by Reconcile when the figure of the day is lower than one
// that was read before, which a bill cannot be: it lacks something.
var ErrFell = errors.New("quota: the account's own figure is lower than it was")

// fellFor is how long a lower figure must last until it is believed: that it was
// higher must have been wrong then, and would else keep calls from neurons that
// nobody has spent until the reset.
const fellFor = time.Hour

// falls is how much lower a figure may be for no reason but that fractions were
// added up in another order.
const falls = OneNeuron / 100

// age is how the account's pot stood, over all holders, when a minute ended.
type age struct {
	minute              int64 // of Unix time
	spent               Neurons
	lostMost, lostLeast Neurons // during the minute
}

// ages are the last minutes of a day, without those in which the store was not
// answered.
type ages struct {
	all   [agesKept]age
	day   Day
	spent Neurons   // the last that was seen
	doubt time.Time // until when a store that may have lost rows is waited for; zero: it has not
	empty bool      // it said so itself
}

// reading is what a ledger knows of the account's own figure and needs for it.
type reading struct {
	ages  ages
	at    time.Time // until when it was counted that was read last, on whatever day
	leads time.Time // until when this holder is the one that reads it
	heard time.Time // when the store last answered
	low   low
}

// low is the last of the figures that were lower than one before them.
type low struct {
	day    Day
	since  time.Time // until when the first of them counted; zero: there is none
	billed Neurons
}

// believed takes another lower figure than last and reports whether they have
// lasted long enough to be right: they do not fall themselves, no holder has read
// a higher one since, and the last of them lacks nothing of what all had settled.
func (f *low) believed(day Day, until time.Time, billed, settled Neurons, last External) bool {
	if f.since.IsZero() || f.day != day || billed < f.billed-falls || last.At.After(f.since) {
		*f = low{day: day, since: until}
	}
	f.billed = billed
	if until.Sub(f.since) < fellFor || billed < settled {
		return false
	}
	*f = low{}
	return true
}

// saw notes how the account's pot stood at now, by the store's answer s. failed
// says that the answer before this one did not come, with which the store may
// have said that it is empty.
func (a *ages) saw(now time.Time, day Day, s Reply, failed bool) {
	spent, lost := s.Balances[0].Spent, s.Balances[0].Lost
	if a.day != day {
		*a = ages{day: day}
	}
	if spent < a.spent && a.doubt.IsZero() && (s.Joined || failed) {
		a.doubt = now.Add(ReplicaTimeout)
	}
	if !a.doubt.IsZero() {
		a.empty = a.empty || s.Joined
		if now.Before(a.doubt) && spent < a.spent {
			return
		}
		if a.empty {
			// What the store has forgotten for good was not settled as far as it says: the figure has it, which then counts.
			forgot := max(a.spent-spent, 0)
			for i := range a.all {
				a.all[i].spent = max(a.all[i].spent-forgot, 0)
			}
		}
		a.doubt, a.empty = time.Time{}, false
	}
	if spent < a.spent {
		// A cost was corrected, as a batch's: what it was charged for was never billed. It is not known when it was charged, but at no
		// time before was more settled than now.
		for i := range a.all {
			a.all[i].spent = min(a.all[i].spent, spent)
		}
	}
	a.spent = spent
	m := minuteOf(now)
	minute := &a.all[m%agesKept]
	if minute.minute != m {
		*minute = age{minute: m, lostMost: lost, lostLeast: lost}
	}
	minute.spent, minute.lostMost, minute.lostLeast = spent, max(minute.lostMost, lost), min(minute.lostLeast, lost)
}

// settled returns the least and the most that had been settled of what the figure
// counts until at, whose minute ends then. The most allows calls another minute,
// since the figure may have them before they are settled. Where a minute is not
// known, the least is nothing and the most what had been settled at the next that
// is.
func (a *ages) settled(at time.Time) (least, most Neurons) {
	from := minuteOf(at) + 1
	if s := a.all[minuteOf(at)%agesKept]; s.minute == minuteOf(at) {
		least = s.spent
	}
	most = a.spent
	next := int64(math.MaxInt64)
	for _, s := range a.all {
		if s.minute >= from && s.minute < next {
			next, most = s.minute, s.spent
		}
	}
	return least, max(least, most)
}

// lost returns how much was lost at any time since from, and all the time. What
// was lost in a minute that is not known is none.
func (a *ages) lost(from, now time.Time) (most, least Neurons) {
	first := true
	known := int64(0)
	for _, s := range a.all {
		if s.minute < minuteOf(from) || s.minute > minuteOf(now) {
			continue
		}
		known++
		most = max(most, s.lostMost)
		if first || s.lostLeast < least {
			least = s.lostLeast
		}
		first = false
	}
	if known < minuteOf(now)-minuteOf(from)+1 {
		least = 0
	}
	return most, least
}

// A Figure reads what the account was billed on a day for calls up to a time,
// that time included, as Cloudflare counts it.
type Figure func(ctx context.Context, day Day, until time.Time) (Neurons, error)

// Reconcile compares the account's own figure with what all holders have
// settled. What is beyond that was spent elsewhere: it counts against the
// ceiling from then on, for all holders. What is lost and was not billed is
// released.
//
// Of the holders of a store one reads, who has a lease of every; for others, and
// for the reading one, ours says whether it was this one. A reading that fails
// leaves things as they were, and so does a figure that fell, unless it stays
// low for an hour. Reconcile never keeps calls waiting.
func (l *Ledger) Reconcile(ctx context.Context, every time.Duration, read Figure) (ours bool, err error) {
	if ours, err = l.lead(ctx, every); !ours || err != nil {
		return false, err
	}
	l.mu.Lock()
	now := l.clock.now()
	l.roll(now)
	day := l.day
	// The figure is asked for up to a minute that it has counted, not for all that it has counted so far: only so is it known what it
	// stands for.
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
	if l.day != day {
		return true, nil
	}
	if last := l.account.external; !until.Before(last.At) {
		least, _ := l.figure.ages.settled(until)
		switch {
		case billed >= last.Billed-falls:
			l.figure.low = low{}
			billed = max(billed, last.Billed)
		case !l.figure.low.believed(day, until, billed, least, last):
			return true, fmt.Errorf("%w: %v, after %v", ErrFell, billed, last.Billed)
		}
	}
	if l.failure == nil && l.joined && l.figure.ages.day == day && l.figure.ages.doubt.IsZero() {
		now = l.clock.now()
		l.takeExternal(l.compare(now, until, billed), now)
		l.serve(now)
		l.kick()
	}
	return true, nil
}

// lead reports whether this holder is the one that reads the figure.
func (l *Ledger) lead(ctx context.Context, every time.Duration) (bool, error) {
	l.mu.Lock()
	ours := time.Now().Before(l.figure.leads)
	l.mu.Unlock()
	if ours {
		return true, nil
	}
	began := time.Now()
	ttl := every * 9 / 10 // it has ended when the next reading is due
	ours, err := l.o.Store.Lease(ctx, reconcileLease, ttl)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ours || began.Sub(l.figure.leads) >= ttl {
		l.audit = audit{} // another holder audits, or may have: its corrections are in the records, not in what is known here
	}
	if ours {
		l.figure.leads = began.Add(ttl)
	}
	return ours, nil
}

// compare makes what is external of what was billed until a time. It moves what
// it was no further than the figure demands: a burst of our own calls just then,
// or a holder that does not know what had been settled, must not hide it.
func (l *Ledger) compare(now, until time.Time, billed Neurons) External {
	least, most := l.figure.ages.settled(until)
	everLost, stillLost := l.figure.ages.lost(now.Add(-l.o.FigureLag-releaseAfter), now)
	e := External{At: until, Billed: billed, Spent: l.account.external.Spent}
	e.Spent = min(e.Spent, max(billed-least, 0))
	e.Spent = max(e.Spent, billed-most-everLost)
	// What is lost may have been spent where the figure has more than is accounted for, and may be lacking where it lacks some of
	// what was settled.
	e.Released = max(stillLost-max(billed-least-e.Spent, least-billed, 0), 0)
	return e
}

// takeExternal makes e count, if it was read later than what counts now.
func (l *Ledger) takeExternal(e External, now time.Time) {
	p := l.account
	if !e.At.After(p.external.At) {
		return
	}
	if !p.external.At.IsZero() { // before, it is not known since when it was spent
		l.spending.add(now, e.Spent-p.external.Spent)
	}
	p.external, l.figure.at = e, e.At
	switch {
	case p.limit > 0 && p.gone() >= p.limit:
		l.foundSpent(now)
	case !p.finished():
		l.spent = time.Time{} // the figure was wrong
	}
}

// giveUp gives back what is free here when the store was not heard of for so long
// that others may have taken it for unspent.
func (l *Ledger) giveUp() {
	if l.o.AllowOfflineGrant || l.figure.heard.IsZero() || time.Since(l.figure.heard) < releaseAfter/2 {
		return
	}
	for _, p := range l.pots {
		if p.limit > 0 {
			p.held = min(p.held, p.reserved)
		}
	}
}
