package quota

import "time"

// wakeups ask run for a sync.
type wakeups struct {
	now      chan struct{} // full: a sync is due at once
	soon     chan struct{} // full: one is due within trimDelay
	sentSoon bool          // and no report was made since; guarded by the ledger's mutex
}

func newWakeups() wakeups { return wakeups{now: make(chan struct{}, 1), soon: make(chan struct{}, 1)} }

// syncNow asks for a sync at once.
func (w *wakeups) syncNow() {
	select {
	case w.now <- struct{}{}:
	default:
	}
}

// syncSoon asks for a sync within trimDelay.
func (w *wakeups) syncSoon() {
	if !w.sentSoon {
		w.sentSoon = true
		w.soon <- struct{}{} // never blocks: it is empty after each report
	}
}

// reported says that a report was made.
func (w *wakeups) reported() {
	w.sentSoon = false
	select {
	case <-w.soon:
	default:
	}
}

// run syncs with the store: on every heartbeat, when a call waits, when too much is free, and when another replica wants something.
func (l *Ledger) run() {
	defer close(l.stopped)
	ctx := l.life
	var events <-chan Event
	beat, trim := time.NewTimer(l.o.Heartbeat), time.NewTimer(time.Hour)
	trim.Stop()
	defer beat.Stop()
	defer trim.Stop()
	for {
		if events == nil {
			events, _ = l.o.Store.Watch(ctx) // if it fails there is still the heartbeat
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake.soon:
			trim.Reset(trimDelay)
			continue
		case e, open := <-events:
			if !open {
				events = nil
				// A store that closes the channel at once must not make this a busy loop.
				select {
				case <-ctx.Done():
					return
				case <-beat.C:
				}
			} else if !l.matters(e) {
				continue
			}
		case <-l.wake.now:
		case <-trim.C:
		case <-beat.C:
		}
		_ = l.sync(ctx) // Healthy has the error
		beat.Reset(l.o.Heartbeat)
	}
}

// matters reports whether e is a reason to ask the store at once.
func (l *Ledger) matters(e Event) bool {
	if e.Replica == l.o.Replica {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case NeuronsWanted:
		for _, b := range l.budgets.all {
			if b.limit > 0 && b.available() > 0 {
				return true
			}
		}
		return false
	case NeuronsReturned:
		return len(l.queue) > 0
	case BlockChanged:
		return true
	default: // not for the ledger
		return false
	}
}
