package quota

import "time"

const (
	// After the reset a latched account is tried at growing intervals, as long as Workers AI still refuses.
	firstPause = time.Minute
	mostPause  = 30 * time.Minute

	// A probe that ended without saying anything, as a timeout does, is followed by another after this.
	unclearPause = 5 * time.Second

	// A refusal so early in the day, after less than half of what is given was spent, says that the reset is late rather than that
	// the day is spent. One was seen at 00:44 after some 2,800 neurons.
	lateReset = time.Hour
)

// gate is shut while Workers AI itself says that the allocation is spent.
type gate struct {
	latch   Block
	change  BlockChange // to be published
	probing *probe      // that is out to try
	unused  *probe      // was never sent: the next needs no lease of its own
	next    time.Time   // when the next may; zero: never before the reset
	pause   time.Duration
}

// holds reports whether w must wait for the outcome of a probe.
func (g *gate) holds(w *waiter) bool { return g.latch.Set && (w.probe == nil || w.probe != g.probing) }

// stamp is t as every store can keep it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// late reports whether the reset that the latch waits for has passed.
func (g *gate) late(now time.Time) bool { return !now.Before(g.latch.Until) }

// shutFrom sets the latch. One that was set after the reset that it waits for
// says that the reset is late.
func (g *gate) shutFrom(latch Block, probe time.Duration) {
	g.latch = latch
	g.endProbes()
	g.pause = 0
	g.next = time.Time{}
	switch {
	case latch.At.After(latch.Until):
		g.refusedAgain(latch.At)
	case probe > 0 && latch.At.Before(latch.Until):
		g.next = latch.At.Add(probe)
	}
}

// newDay lets one call try at once where a late reset was waited for: there has
// been another since. It has a lease of its own.
func (g *gate) newDay(now time.Time) {
	g.unused = nil
	if g.probing != nil {
		g.probing.until = now
	}
	if g.late(now) {
		g.pause = 0
		g.next = time.Time{}
	}
}

// answered takes the store's latch, unless ours has changed since the report
// that said sent.
func (g *gate) answered(sent BlockChange, latch Block, probe time.Duration, now time.Time) {
	if g.change != sent {
		return
	}
	g.change = BlockChange{}
	switch {
	case latch == g.latch:
	case !latch.Set:
		g.latch = Block{}
		g.endProbes()
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
	g.endProbes()
	g.pause = min(max(2*g.pause, firstPause), mostPause)
	g.next = now.Add(g.pause)
}

// Block shuts the gate: Workers AI said that the day's allocation is spent.
// until is the reset that it named; zero stands for the next 00:00 UTC. Calls
// are refused from now on but for one probe every Options.Probe, over all
// holders. After the reset one call is sent first while others wait for its
// outcome; if that one is refused too, the next follows after growing pauses.
// So it does where the account was not latched, when the day has only begun and
// little of it was spent: then the reset is late.
func (l *Ledger) Block(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Mode == Off {
		return
	}
	now := l.clock.now()
	l.roll(now)
	l.shutGate(now, until, l.gate.probing != nil)
}

// Refused says what Latch says, of this call. A call of a day that is over says
// nothing of the new one: one call is sent first, as after every reset of a
// latched account. It does not settle.
func (r *Reservation) Refused() {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Mode == Off {
		return
	}
	now := l.clock.now()
	l.roll(now)
	if r.day == l.day {
		l.shutGate(now, time.Time{}, r.probe != nil)
		return
	}
	if g := &l.gate; !g.latch.Set {
		over := l.day.Start()
		g.shutFrom(Block{Set: true, At: over, Until: over}, l.o.Probe)
		g.change = BlockChange{Set: g.latch}
		l.kick()
	}
}

// shutGate shuts the gate at now until the reset, or for longer if that has
// passed. probe says that it was a probe that found it shut.
func (l *Ledger) shutGate(now, until time.Time, probe bool) {
	g := &l.gate
	switch {
	case g.latch.Set && g.late(now):
		if !probe && g.pause > unclearPause {
			return // it was sent before the gate was shut, and says nothing new
		}
		g.latch.At = stamp(now)
		g.refusedAgain(now)
	case !g.latch.Set && until.IsZero() && l.resetIsLate(now):
		// A millisecond late at least, so that all holders can tell.
		over := l.day.Start()
		g.shutFrom(Block{Set: true, At: stamp(later(now, over.Add(time.Millisecond))), Until: over}, l.o.Probe)
	default:
		if until.IsZero() || until.Before(now) {
			until = l.day.End()
		}
		g.shutFrom(Block{Set: true, At: stamp(now), Until: stamp(until)}, l.o.Probe)
	}
	g.change = BlockChange{Set: g.latch}
	if l.o.Mode == Enforce {
		for _, w := range append(queue(nil), l.queue...) {
			if g.holds(w) {
				l.finish(w, nil, l.shut(w, now), nil)
			}
		}
		l.serve(now)
	}
	l.kick()
}

// resetIsLate reports whether a refusal at now rather says that Workers AI has not
// begun the new day.
func (l *Ledger) resetIsLate(now time.Time) bool {
	most := FreeNeurons
	if limit := l.account.limit; limit > 0 {
		most = min(most, limit)
	}
	return now.Sub(l.day.Start()) < lateReset && l.account.gone() < most/2
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Unblock opens the gate: Workers AI took a call.
func (l *Ledger) Unblock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gate.latch.Set {
		return
	}
	l.gate.latch = Block{}
	l.gate.endProbes()
	l.gate.change = BlockChange{Lift: true}
	l.serve(l.clock.now())
	l.kick()
}

// shut is the decision on a call that finds the gate shut.
func (l *Ledger) shut(w *waiter, now time.Time) Decision {
	w.pot = l.account
	d := l.decision(Blocked, w, now)
	d.RetryAt = l.gate.next
	if until := l.gate.latch.Until; until.After(now) {
		d.ResetsAt = until
		if d.RetryAt.IsZero() {
			d.RetryAt = until
		}
		return d
	}
	d.Late = true
	d.RetryAt = later(d.RetryAt, now.Add(unclearPause))
	return d
}
