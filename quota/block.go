package quota

import (
	"time"
)

const (
	// After the reset a blocked account is tried at growing intervals, as long as Workers AI still refuses.
	firstPause = time.Minute
	maxPause   = 30 * time.Minute

	// unclearPause is how long after a probe that showed nothing, such as a timeout, another one follows.
	unclearPause = 5 * time.Second

	// A refusal within lateReset of midnight, when less than half of the free allocation is spent, says that the
	// reset is late rather than that the day is spent. One was seen at 00:44 after some 2,800 neurons.
	lateReset = time.Hour
)

// blockState is the quota block, and the probes that find out whether it is over. Between a refusal by Workers AI and
// its reset one call may probe every Options.Probe; after the reset one call goes first, and if it is refused others
// follow at growing pauses.
type blockState struct {
	Block
	change BlockChange   // to be published
	probe  *probe        // under way
	unused *probe        // was never sent: the next needs no lease of its own
	next   time.Time     // when the next probe may go; zero: not before the reset
	pause  time.Duration // between probes after the reset; 0: none was refused yet
}

// stops reports whether w must wait for the outcome of a probe.
func (b *blockState) stops(w *waiter) bool { return b.Set && (w.probe == nil || w.probe != b.probe) }

// resetPassed reports whether the reset that the block waits for has passed.
func (b *blockState) resetPassed(now time.Time) bool { return !now.Before(b.Until) }

// set sets the block. One that was set after the reset that it waits for says that the reset is late.
func (b *blockState) set(to Block, probeEvery time.Duration) {
	b.Block = to
	b.endProbes()
	b.pause, b.next = 0, time.Time{}
	switch {
	case to.At.After(to.Until):
		b.probeRefused(to.At)
	case probeEvery > 0 && to.At.Before(to.Until):
		b.next = to.At.Add(probeEvery)
	}
}

// lift ends the block.
func (b *blockState) lift() {
	b.Block = Block{}
	b.endProbes()
}

// newDay lets one call try at once where a late reset was waited for: there has been another one since. It has a
// lease of its own.
func (b *blockState) newDay(now time.Time) {
	b.unused = nil
	if b.probe != nil {
		b.probe.until = now
	}
	if b.resetPassed(now) {
		b.pause, b.next = 0, time.Time{}
	}
}

// applyReply takes the store's block, unless ours has changed since the report that said sent.
func (b *blockState) applyReply(sent BlockChange, theirs Block, probeEvery time.Duration, now time.Time) {
	if b.change != sent {
		return
	}
	b.change = BlockChange{}
	switch {
	case theirs == b.Block:
	case !theirs.Set:
		b.lift()
	case !b.Set || theirs.Until.After(b.Until):
		b.set(theirs, probeEvery)
	default: // another replica was refused after the reset
		b.Block = theirs
		if b.resetPassed(now) {
			b.probeRefused(theirs.At)
		}
	}
}

// probeRefused makes the pause after the reset longer.
func (b *blockState) probeRefused(now time.Time) {
	b.endProbes()
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	b.next = now.Add(b.pause)
}

// millis returns t as every store can keep it.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Block sets the quota block: Workers AI said that the day's allocation is spent. until is the reset that it named;
// zero stands for the next 00:00 UTC. Calls are refused from now on but for one probe every Options.Probe, over all
// replicas. After the reset one call is sent first while others wait for its outcome; if that one is refused too, the
// next follows after growing pauses. The same holds if the account was not blocked, the day has only begun and little
// of it was spent: then the reset is late.
func (l *Ledger) Block(until time.Time) {
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	if l.o.Mode == Off {
		return
	}
	l.setBlock(now, until, l.block.probe != nil)
}

// Refused is Block for this call: Workers AI refused it because the allocation is spent. A call of a day that is over
// says nothing of the new one: one call is sent first, as after every reset of a blocked account. Refused does not
// settle.
func (r *Reservation) Refused() {
	l := r.l
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	if l.o.Mode == Off {
		return
	}
	if r.day >= l.day { // later, if a day was taken back
		l.setBlock(now, time.Time{}, r.probe != nil)
		return
	}
	if !l.block.Set {
		midnight := l.day.Start()
		l.block.set(Block{Set: true, At: midnight, Until: midnight}, l.o.Probe)
		l.block.change = BlockChange{Set: l.block.Block}
		l.wake.syncNow()
	}
}

// setBlock sets the block at now until the reset, or for longer if that has passed. byProbe says that a probe was
// refused.
func (l *Ledger) setBlock(now, until time.Time, byProbe bool) {
	b := &l.block
	switch {
	case b.Set && b.resetPassed(now):
		if !byProbe && b.pause > unclearPause {
			return // the call was sent before the block was set, and says nothing new
		}
		b.At = millis(now)
		b.probeRefused(now)
	case !b.Set && until.IsZero() && resetIsLate(l.day, l.account, now):
		// At least a millisecond after Until, so that all replicas can tell.
		midnight := l.day.Start()
		b.set(Block{Set: true, At: millis(later(now, midnight.Add(time.Millisecond))), Until: midnight}, l.o.Probe)
	default:
		if until.IsZero() || until.Before(now) {
			until = l.day.End()
		}
		b.set(Block{Set: true, At: millis(now), Until: millis(until)}, l.o.Probe)
	}
	b.change = BlockChange{Set: b.Block}
	if l.o.Mode == Enforce {
		for _, w := range l.queue.List() {
			if b.stops(w) {
				l.finish(w, nil, l.blocked(w, now), nil)
			}
		}
		l.serve(now)
	}
	l.wake.syncNow()
}

// resetIsLate reports whether a refusal at now rather says that Workers AI has not begun the new day.
func resetIsLate(day Day, account *budget, now time.Time) bool {
	allocation := FreeNeurons
	if account.limit > 0 {
		allocation = min(allocation, account.limit)
	}
	return now.Sub(day.Start()) < lateReset && account.committed() < allocation/2
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Unblock lifts the quota block: Workers AI took a call.
func (l *Ledger) Unblock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.block.Set {
		return
	}
	l.block.lift()
	l.block.change = BlockChange{Lift: true}
	l.serve(l.clock.Now())
	l.wake.syncNow()
}

// Accepted says that Workers AI took the call: if it is a probe, the quota block is lifted. It does not settle.
func (r *Reservation) Accepted() {
	if r.probe != nil || r.l.o.Mode == Observe {
		r.l.Unblock()
	}
}

// Blocked reports whether the quota block was set since the reservation was made: the call must not be sent any more,
// unless it is the probe, and is to be released. The decision says what Reserve would say now.
func (r *Reservation) Blocked() (Decision, bool) {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.probe != nil || !l.block.Set || l.o.Mode != Enforce {
		return Decision{}, false
	}
	w := waiter{call: Call{Estimate: r.call.Amount}, budgets: r.call.Budgets}
	return l.blocked(&w, l.clock.Now()), true
}

// blocked is the decision on a call that the quota block stops.
func (l *Ledger) blocked(w *waiter, now time.Time) Decision {
	w.decidedBy = l.account
	d := l.decision(Blocked, w, now)
	d.RetryAt = l.block.next
	if until := l.block.Until; until.After(now) {
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
