package quota

import (
	"context"
	"time"
)

// A probe is the right of one call to try whether a blocked account may spend again. A change of the block ends it,
// even while the call is under way.
type probe struct {
	until time.Time // end of its lease
}

// probeDue reports whether a call may probe now.
func (b *blockState) probeDue(now time.Time) bool {
	if b.probe != nil {
		return false
	}
	if b.hasUnused(now) {
		return true
	}
	if b.resetPassed(now) {
		return b.pause == 0 || !now.Before(b.next)
	}
	return !b.next.IsZero() && !now.Before(b.next)
}

// hasUnused reports whether there is a probe that was not sent and whose lease still holds.
func (b *blockState) hasUnused(now time.Time) bool {
	return b.unused != nil && now.Before(b.unused.until)
}

// probeEnded ends p, which neither lifted the block nor was refused. If it was not sent its lease can be used again.
func (b *blockState) probeEnded(p *probe, sent bool, now time.Time) {
	if p == nil || p != b.probe {
		return
	}
	b.endProbes()
	switch {
	case !sent && now.Before(p.until):
		b.unused = p
	case b.resetPassed(now):
		b.next, b.pause = now.Add(unclearPause), max(b.pause, unclearPause)
	}
}

// endProbes invalidates any probe.
func (b *blockState) endProbes() { b.probe, b.unused = nil, nil }

// reserveBlocked is Reserve while the account is blocked. The caller holds l.mu, which it releases.
func (l *Ledger) reserveBlocked(ctx context.Context, w waiter, now time.Time) (*Reservation, Decision, error) {
	b := &l.block
	if b.probeDue(now) {
		w.probe = l.acquireProbe(ctx, now)
		now = l.clock.Now()
		if l.closed {
			l.mu.Unlock()
			return nil, Decision{}, ErrClosed
		}
	}
	outcome, wait := l.judge(&w)
	switch {
	case b.stops(&w):
		if !b.resetPassed(now) || b.pause > unclearPause {
			defer l.mu.Unlock()
			return nil, l.blocked(&w, now), nil
		}
	case !wait:
		defer l.mu.Unlock()
		res := l.reserve(outcome, &w)
		if res == nil {
			b.probeEnded(w.probe, false, now)
		}
		return res, l.decision(outcome, &w, now), nil
	}
	return l.await(ctx, w) // unlocks
}

// acquireProbe returns the right to probe, which is due, or nil if another replica has it or the store cannot say.
// The caller holds l.mu, which is released while the store is asked.
func (l *Ledger) acquireProbe(ctx context.Context, now time.Time) *probe {
	b := &l.block
	if b.hasUnused(now) {
		b.probe, b.unused = b.unused, nil
		return b.probe
	}
	ttl, day := l.o.Probe, l.day
	if b.resetPassed(now) {
		ttl = max(b.pause, unclearPause)
	}
	p := &probe{until: now.Add(ttl)}
	b.probe = p
	l.mu.Unlock()
	// Each day has a lease of its own, so that the one of the evening does not delay the first call after the reset.
	// The request is not cancelled with the call: a lease that nobody knows of would keep all replicas from probing
	// until it ends.
	ours, err := l.o.Store.Lease(context.WithoutCancel(ctx), "probe "+day.String(), ttl)
	now = l.lockAndRoll()
	if b.probe != p { // the block has changed meanwhile
		return nil
	}
	if err != nil || !ours {
		// Whatever the reason, the next try comes later.
		b.endProbes()
		b.next = now.Add(min(ttl, maxPause))
		if b.resetPassed(now) {
			b.pause = max(b.pause, unclearPause)
		}
		return nil
	}
	return p
}
