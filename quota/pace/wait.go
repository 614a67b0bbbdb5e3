package pace

import (
	"context"
	"time"
)

// way is the lanes that one call passes. It takes a token of each, or of none. The
// call waits in the first of them.
type way struct {
	lanes [3]*lane
	n     int
}

// add adds l, if it is one.
func (w *way) add(l *lane) {
	if l != nil {
		w.lanes[w.n] = l
		w.n++
	}
}

func (w *way) all() []*lane { return w.lanes[:w.n] }

func (w *way) advance(now time.Time) {
	for _, l := range w.all() {
		l.advance(now)
	}
}

// due returns how long until each lane has a token for a call, and which is the
// last to have one, if nobody comes before it.
func (w *way) due() (longest time.Duration, last *lane) {
	last = w.lanes[0]
	for _, l := range w.all() {
		if d := l.until(1); d > longest {
			longest, last = d, l
		}
	}
	return longest, last
}

// dueBehind is the same for a call of client that comes now, behind those that
// the lanes hold back and whose turn is before its own.
func (w *way) dueBehind(client string) (longest time.Duration, last *lane) {
	last = w.lanes[0]
	for _, l := range w.all() {
		n := l.held
		if n > 0 && l.kind != laneOfClient { // in that all are of one client
			n = w.lanes[0].queue.before(client, l)
		}
		if d := l.until(1 + n); d > longest {
			longest, last = d, l
		}
	}
	return longest, last
}

func (w *way) take() {
	for _, l := range w.all() {
		l.take()
	}
}

// passes takes a token of each lane if all have one to spare, behind the calls
// that they hold back, and reports whether it did.
func (w *way) passes(client string) bool {
	if l := w.lanes[0]; w.n == 1 && l.held == 0 {
		return l.take() // the same, without looking twice
	}
	if wait, _ := w.dueBehind(client); wait > 0 {
		return false
	}
	w.take()
	return true
}

// refusal is what a call is told for which last is too slow. RetryAfter lets
// all those take their tokens who wait now. With one limit it is exact; where
// calls wait in several, the waits are added up, which may be too long.
func (w *way) refusal(last *lane, client string) Decision {
	d := Decision{
		Limit: last.title(), PerMinute: last.perMinute, Pace: last.pace * last.share, Window: time.Minute,
	}
	if last.kind == laneOfClient {
		d.Client = client
	}
	var longest, sum time.Duration
	others := 0
	for _, l := range w.all() {
		wait := l.until(1 + l.waiting)
		longest = max(longest, wait)
		sum += wait
		others += l.waiting
	}
	if others > 0 {
		longest = sum
	}
	// Nanoseconds would be wrong by some, since each token that is waited for is rounded.
	d.RetryAfter = longest.Truncate(time.Millisecond) + time.Millisecond
	return d
}

// turn is a call that waits.
type turn struct {
	way
	ctx    context.Context
	client string
	by     *lane // that holds it back
	since  time.Time
	ready  chan struct{} // closed once it has its tokens
	done   bool          // likewise; under the lock
}

// enqueue lets t wait for wait, since by has no token for it.
func (t *turn) enqueue(by *lane, wait time.Duration) {
	t.by = by
	by.held++
	for _, l := range t.all() {
		l.waiting++
	}
	first := t.lanes[0]
	first.queue.add(t)
	first.arm(wait)
}

// unwait takes t out of the counts of its lanes.
func (t *turn) unwait() {
	t.by.held--
	for _, l := range t.all() {
		l.waiting--
	}
}

// await waits until t has its tokens, its time is over, or its caller leaves.
func (t *turn) await(maxWait time.Duration) (Decision, error) {
	end := time.NewTimer(maxWait)
	defer end.Stop()
	var err error
	select {
	case <-t.ready:
		return Decision{OK: true, Waited: time.Since(t.since)}, nil
	case <-t.ctx.Done():
		err = t.ctx.Err()
	case <-end.C:
	}
	first, now := t.lanes[0], time.Now()
	first.mu.Lock()
	defer first.mu.Unlock()
	t.advance(now)
	if err == nil {
		first.serve() // its token may have come at this very moment
	}
	waited := now.Sub(t.since)
	if t.done {
		return Decision{OK: true, Waited: waited}, nil
	}
	t.unwait()
	first.queue.remove(t)
	if first.queue.empty() {
		first.disarm()
	}
	_, last := t.dueBehind(t.client)
	d := t.refusal(last, t.client)
	d.Waited = waited
	return d, err
}

// serve lets those go whose turn has come, fairly between clients. A call that
// another lane holds back is passed over; it keeps its place.
func (l *lane) serve() {
	l.disarm()
	next, served := l.serveNext()
	for served {
		next, served = l.serveNext()
	}
	if next < never {
		l.arm(next)
	}
}

// serveNext lets the next call go whose turn has come, or returns how long until
// it may be worth another look.
func (l *lane) serveNext() (next time.Duration, served bool) {
	next = never
	wait := l.until(1)
	for at, line := range l.queue.lines {
		for i, t := range line.turns {
			switch {
			case wait > 0 && t.by == l: // most of them
				next = min(next, wait)
				continue
			case t.ctx.Err() != nil: // about to leave
				continue
			}
			late := t.tryAgain()
			if late == 0 {
				l.queue.pass(at, i)
				return 0, true
			}
			next = min(next, late)
		}
	}
	return next, false
}

// tryAgain lets t go if all its lanes have a token, else it notes which lane
// holds it back now and returns for how long.
func (t *turn) tryAgain() time.Duration {
	t.advance(t.lanes[0].seen)
	wait, by := t.due()
	if wait > 0 {
		t.by.held--
		by.held++
		t.by = by
		return wait
	}
	t.take()
	t.unwait()
	t.done = true
	close(t.ready)
	return 0
}

// arm sees to it that l is served in d or earlier.
func (l *lane) arm(d time.Duration) {
	at := l.seen.Add(d)
	if !l.wakeAt.IsZero() && !at.Before(l.wakeAt) {
		return
	}
	l.wakeAt = at
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.wake)
	} else {
		l.timer.Reset(d)
	}
}

func (l *lane) disarm() {
	if !l.wakeAt.IsZero() {
		l.wakeAt = time.Time{}
		l.timer.Stop()
	}
}

// wake serves l when its timer says so.
func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	l.serve()
}
