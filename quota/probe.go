package quota

import (
	"context"
	"time"
)

const probeLease = "probe"

// A probe is the right of one call to try whether a latched account may spend
// again. A change of the latch ends it, even while the call is out.
type probe struct {
	until time.Time // end of its lease
}

// due reports whether a call may try now.
func (g *gate) due(now time.Time) bool {
	if g.probing != nil {
		return false
	}
	if g.leased(now) {
		return true
	}
	if g.late(now) {
		return g.pause == 0 || !now.Before(g.next)
	}
	return !g.next.IsZero() && !now.Before(g.next)
}

// leased reports whether there is a probe whose lease lasts and that was not
// used.
func (g *gate) leased(now time.Time) bool { return g.unused != nil && now.Before(g.unused.until) }

// probeEnded ends p, which neither opened the gate nor found it shut. One that
// was never sent stays due.
func (g *gate) probeEnded(p *probe, sent bool, now time.Time) {
	if p == nil || p != g.probing {
		return
	}
	g.endProbes()
	switch {
	case !sent && now.Before(p.until):
		g.unused = p
	case g.late(now):
		g.next, g.pause = now.Add(unclearPause), max(g.pause, unclearPause)
	}
}

// endProbes makes whatever probe there is count no more.
func (g *gate) endProbes() { g.probing, g.unused = nil, nil }

// reserveLatched is Reserve while the gate is shut.
func (l *Ledger) reserveLatched(ctx context.Context, w waiter) (*Reservation, Decision, error) {
	l.mu.Lock()
	now := l.clock.now()
	g := &l.gate
	if l.closed {
		l.mu.Unlock()
		return nil, Decision{}, ErrClosed
	}
	if g.latch.Set && g.due(now) { // it may have been opened in between
		w.probe = l.probe(ctx, now)
		now = l.clock.now()
		if l.closed {
			l.mu.Unlock()
			return nil, Decision{}, ErrClosed
		}
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
		if res == nil {
			g.probeEnded(w.probe, false, now)
		}
		return res, l.decision(outcome, &w, now), nil
	}
	return l.await(ctx, w) // unlocks
}

// probe returns the right to probe, which is due, or nil if another holder has
// it or the store cannot say. The caller holds l.mu, which probe releases while
// it asks.
func (l *Ledger) probe(ctx context.Context, now time.Time) *probe {
	g := &l.gate
	if g.leased(now) {
		g.probing, g.unused = g.unused, nil
		return g.probing
	}
	ttl, day := l.o.Probe, l.day
	if g.late(now) {
		ttl = max(g.pause, unclearPause)
	}
	p := &probe{until: now.Add(ttl)}
	g.probing = p
	l.mu.Unlock()
	// Not given up with the call: a lease that nobody knows of would keep all from probing until it ends.
	ours, err := l.lease(context.WithoutCancel(ctx), day, ttl)
	l.mu.Lock()
	now = l.clock.now()
	l.roll(now)
	if g.probing != p { // the latch has changed meanwhile
		return nil
	}
	if err != nil || !ours {
		// Whatever was in the way, the next try comes later.
		g.endProbes()
		g.next = now.Add(min(ttl, mostPause))
		if g.late(now) {
			g.pause = max(g.pause, unclearPause)
		}
		return nil
	}
	return p
}

// lease asks whether this holder is the one who probes. Each day has a lease of
// its own, so that the one of the evening does not hold up the first call after
// the reset.
func (l *Ledger) lease(ctx context.Context, day Day, ttl time.Duration) (bool, error) {
	return l.o.Store.Lease(ctx, probeLease+" "+day.String(), ttl)
}
