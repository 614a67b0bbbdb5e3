package quota

import (
	"context"
	"time"
)

const (
	// After the reset a latched account is tried at growing intervals, as long as Workers AI still refuses.
	firstPause = time.Minute
	mostPause  = 30 * time.Minute

	// A probe that ended without saying anything, as a timeout does, is followed by another after this.
	unclearPause = 5 * time.Second

	probeLease = "probe"
)

// gate is shut while Workers AI itself says that the allocation is spent.
type gate struct {
	latch   Latch
	change  LatchChange // to be published
	probing bool        // one call is out to try
	next    time.Time   // when the next may; zero: never before the reset
	pause   time.Duration
}

// holds reports whether w must wait for the outcome of a probe.
func (g *gate) holds(w *waiter) bool { return g.latch.Set && !w.probe }

// stamp is t as every store can keep it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// late reports whether the reset that the latch waits for has passed.
func (g *gate) late(now time.Time) bool { return !now.Before(g.latch.Until) }

// shutFrom sets the latch.
func (g *gate) shutFrom(latch Latch, probe time.Duration) {
	g.latch = latch
	g.probing = false
	g.pause = 0
	g.next = time.Time{}
	if probe > 0 {
		g.next = latch.At.Add(probe)
	}
}

// due reports whether a call may try now.
func (g *gate) due(now time.Time) bool {
	if g.probing {
		return false
	}
	if g.late(now) {
		return g.pause == 0 || !now.Before(g.next)
	}
	return !g.next.IsZero() && !now.Before(g.next)
}

// probeEnded ends a probe that neither opened the gate nor found it shut.
func (g *gate) probeEnded(now time.Time) {
	if !g.latch.Set || !g.probing {
		return
	}
	g.probing = false
	if g.late(now) {
		g.next, g.pause = now.Add(unclearPause), max(g.pause, unclearPause)
	}
}

// answered takes the store's latch, unless ours has changed since the report
// that said sent.
func (g *gate) answered(sent LatchChange, latch Latch, probe time.Duration, now time.Time) {
	if g.change != sent {
		return
	}
	g.change = LatchChange{}
	switch {
	case latch == g.latch:
	case !latch.Set:
		g.latch = Latch{}
		g.probing = false
	case !g.latch.Set || latch.Until.After(g.latch.Until):
		g.shutFrom(latch, probe)
	default: // another holder found it still shut after the reset
		g.latch = latch
		if g.late(now) {
			g.refusedAgain(latch.At)
		}
	}
}

// refusedAgain makes the pause after the reset longer.
func (g *gate) refusedAgain(now time.Time) {
	g.probing = false
	g.pause = min(max(2*g.pause, firstPause), mostPause)
	g.next = now.Add(g.pause)
}

// Latch shuts the gate: Workers AI said that the day's allocation is spent.
// until is the reset that it named; zero stands for the next 00:00 UTC. Calls
// are refused from now on but for one probe every Options.Probe, over all
// holders. After the reset one call is sent first while others wait for its
// outcome; if that one is refused too, the next follows after growing pauses.
func (l *Ledger) Latch(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Mode == Off {
		return
	}
	now := l.clock.now()
	l.roll(now)
	g := &l.gate
	if g.latch.Set && g.late(now) {
		g.latch.At = stamp(now)
		g.refusedAgain(now)
	} else {
		if until.IsZero() || until.Before(now) {
			until = l.day.End()
		}
		g.shutFrom(Latch{Set: true, At: stamp(now), Until: stamp(until)}, l.o.Probe)
	}
	g.change = LatchChange{Set: g.latch}
	if l.o.Mode == Enforce {
		for _, w := range append(queue(nil), l.queue...) {
			if !w.probe {
				l.finish(w, nil, l.shut(w, now), nil)
			}
		}
		l.serve(now)
	}
	l.kick()
}

// Unlatch opens the gate: Workers AI took a call.
func (l *Ledger) Unlatch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gate.latch.Set {
		return
	}
	l.gate.latch, l.gate.probing = Latch{}, false
	l.gate.change = LatchChange{Open: true}
	l.serve(l.clock.now())
	l.kick()
}

// shut is the decision on a call that finds the gate shut.
func (l *Ledger) shut(w *waiter, now time.Time) Decision {
	w.pot = l.account
	d := l.decision(LatchShut, w)
	d.RetryAt = l.gate.next
	if until := l.gate.latch.Until; until.After(now) {
		d.ResetsAt = until
		if d.RetryAt.IsZero() {
			d.RetryAt = until
		}
	}
	return d
}

// reserveLatched is Reserve while the gate is shut.
func (l *Ledger) reserveLatched(ctx context.Context, w waiter) (*Reservation, Decision, error) {
	l.mu.Lock()
	now := l.clock.now()
	g := &l.gate
	if l.closed {
		l.mu.Unlock()
		return nil, Decision{}, ErrClosed
	}
	switch {
	case !g.latch.Set: // opened in between
	case g.due(now):
		// Whatever becomes of this try, the next comes later.
		g.probing = true
		latch, ttl := g.latch, l.o.Probe
		if g.late(now) {
			ttl = max(g.pause, unclearPause)
		}
		l.mu.Unlock()
		ours, err := l.lease(ctx, ttl)
		l.mu.Lock()
		now = l.clock.now()
		l.roll(now)
		if g.latch == latch && (err != nil || !ours) {
			g.probing = false
			g.next = now.Add(min(ttl, mostPause))
			if g.late(now) {
				g.pause = max(g.pause, unclearPause)
			}
			break
		}
		w.probe = g.latch == latch
	}
	outcome, short := l.judge(&w)
	switch {
	case g.holds(&w):
		if !g.late(now) || g.pause > unclearPause {
			defer l.mu.Unlock()
			return nil, l.shut(&w, now), nil
		}
	case !short:
		defer l.mu.Unlock()
		res := l.debitIf(outcome, &w)
		if res == nil && w.probe {
			g.probing = false
		}
		return res, l.decision(outcome, &w), nil
	}
	if l.closed {
		l.mu.Unlock()
		return nil, Decision{}, ErrClosed
	}
	return l.await(ctx, w) // unlocks
}

func (l *Ledger) lease(ctx context.Context, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.StoreTimeout)
	defer cancel()
	return l.o.Store.Lease(ctx, probeLease, ttl)
}
