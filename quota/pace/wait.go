package pace

import (
	"context"
	"time"
)

// waiter is a call that waits.
type waiter struct {
	limits
	ctx     context.Context
	client  string
	blocker *limit // that has no token for it
	since   time.Time
	ready   chan struct{} // closed once it has its tokens
	served  bool          // the same; guarded by Limiter.mu
}

// enqueue adds w to the queue of its first limit, to be served in delay at the
// earliest. blocker has no token for it.
func (w *waiter) enqueue(blocker *limit, delay time.Duration) {
	w.blocker = blocker
	blocker.blocked++
	for _, l := range w.all() {
		l.waiting++
	}
	first := w.each[0]
	first.queue.add(w)
	first.arm(delay)
}

// uncount takes w out of the counts of its limits.
func (w *waiter) uncount() {
	w.blocker.blocked--
	for _, l := range w.all() {
		l.waiting--
	}
}

// wait waits until w has its tokens, maxWait is over or the caller has left.
func (w *waiter) wait(maxWait time.Duration) (Decision, error) {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-w.ready:
		return Decision{OK: true, Waited: time.Since(w.since)}, nil
	case <-w.ctx.Done():
		return w.leave(w.ctx.Err())
	case <-timer.C:
		return w.leave(nil)
	}
}

// leave takes w out of the queue, unless it has been served in this very moment.
// err is why the caller has left, nil if the time is over.
func (w *waiter) leave(err error) (Decision, error) {
	first, now := w.each[0], time.Now()
	first.mu.Lock()
	defer first.mu.Unlock()
	w.advance(now)
	if err == nil {
		first.serve() // a token may have come, and the timer of the limit is late
	}
	waited := now.Sub(w.since)
	if w.served {
		return Decision{OK: true, Waited: waited}, nil
	}
	w.uncount()
	first.queue.remove(w)
	if first.queue.empty() {
		first.disarm()
	}
	_, blocker := w.delayInQueue(w.client)
	d := w.refusal(blocker, w.client)
	d.Waited = waited
	return d, err
}

// serve lets the waiters pass that have their tokens, fairly between clients. A
// waiter that another limit blocks is passed over and keeps its place.
func (l *limit) serve() {
	l.disarm()
	next, served := l.serveNext()
	for served {
		next, served = l.serveNext()
	}
	if next < never {
		l.arm(next)
	}
}

// serveNext lets the next waiter pass, or returns after which time one may.
func (l *limit) serveNext() (next time.Duration, served bool) {
	next = never
	delay := l.until(1)
	for at, q := range l.queue.clients {
		for i, w := range q.waiters {
			switch {
			case delay > 0 && w.blocker == l: // as for most waiters
				next = min(next, delay)
				continue
			case w.ctx.Err() != nil: // about to leave
				continue
			}
			left := w.tryServe()
			if left == 0 {
				l.queue.serve(at, i)
				return 0, true
			}
			next = min(next, left)
		}
	}
	return next, false
}

// tryServe lets w pass if all its limits have a token. If not, it notes which of
// them blocks w now, and returns for how long.
func (w *waiter) tryServe() time.Duration {
	w.advance(w.each[0].now)
	delay, blocker := w.delay()
	if delay > 0 {
		w.blocker.blocked--
		blocker.blocked++
		w.blocker = blocker
		return delay
	}
	w.take()
	w.uncount()
	w.served = true
	close(w.ready)
	return 0
}

// arm makes sure that l is served in delay or earlier.
func (l *limit) arm(delay time.Duration) {
	at := l.now.Add(delay)
	if !l.wakeAt.IsZero() && !at.Before(l.wakeAt) {
		return
	}
	l.wakeAt = at
	if l.timer == nil {
		l.timer = time.AfterFunc(delay, l.wake)
	} else {
		l.timer.Reset(delay)
	}
}

func (l *limit) disarm() {
	if !l.wakeAt.IsZero() {
		l.wakeAt = time.Time{}
		l.timer.Stop()
	}
}

// wake serves l when its timer fires.
func (l *limit) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	l.serve()
}
