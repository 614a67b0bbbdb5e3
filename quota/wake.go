package quota

import "time"

// wakeup asks run for a sync.
type wakeup struct {
	due   chan struct{} // full: at once
	later *time.Timer   // ends with a sync; nil: it was never needed
	soon  bool          // later was set, and no report was made since; guarded by the ledger's mutex, as later is
}

// syncNow asks for a sync at once.
func (w *wakeup) syncNow() {
	select {
	case w.due <- struct{}{}:
	default:
	}
}

// syncSoon asks for a sync after trimDelay.
func (w *wakeup) syncSoon() {
	switch {
	case w.soon:
		return
	case w.later == nil:
		w.later = time.AfterFunc(trimDelay, w.syncNow)
	default:
		w.later.Reset(trimDelay) // one timer: the syncs of several would each set another one
	}
	w.soon = true
}

// run syncs with the store: on every heartbeat, when a call waits, when too much is free, and when another replica
// wants something.
func (l *Ledger) run() {
	defer close(l.stopped)
	beat := time.NewTimer(l.o.Heartbeat)
	defer beat.Stop()
	var events <-chan Event
	for {
		if events == nil {
			events, _ = l.o.Store.Watch(l.life) // if it fails there is still the heartbeat
		}
		select {
		case <-l.life.Done():
			return
		case e, open := <-events:
			if !open {
				events = nil
				// A store that closes the channel at once must not make this a busy loop.
				select {
				case <-l.life.Done():
					return
				case <-beat.C:
				}
			} else if !l.matters(e) {
				continue
			}
		case <-l.wake.due:
		case <-beat.C:
		}
		_ = l.sync(l.life) // Healthy has the error
		beat.Reset(l.o.Heartbeat)
	}
}

// matters reports whether e is a reason to ask the store at once.
func (l *Ledger) matters(e Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Replica == l.outbox.replica {
		return false
	}
	switch e.Kind {
	case NeuronsWanted:
		for _, b := range l.budgets.all {
			if b.limit > 0 && b.available() > 0 {
				return true
			}
		}
		return false
	case NeuronsReturned:
		return l.queue.Len() > 0
	case BlockChanged:
		return true
	default: // not for the ledger
		return false
	}
}
