package fairshare

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A waiter is a request that waits.
type waiter struct {
	Request
	arrived time.Time
	granted chan struct{} // closed once it has the amount
}

// An Outcome is what became of a request that waited.
type Outcome uint8

// Outcomes. Release must follow Granted, and no other.
const (
	Granted   Outcome = iota
	QueueFull         // too many wait already, or the Pool is smaller than the amount
	TimedOut
	Canceled // the context ended
	Draining
)

// A Result is the outcome of Acquire, and why.
type Result struct {
	Outcome
	Tenant    *Tenant // for Release; nil unless Granted
	OverShare bool    // the client's own share is used up, not the whole
	Held      int64   // by the client, unless Granted
}

// Acquire takes r.Amount, and waits for it if need be.
func (p *Pool) Acquire(ctx context.Context, r Request) Result {
	if r.Amount > p.size {
		return Result{Outcome: QueueFull}
	}
	p.mu.Lock()
	t := p.tenant(r)
	if full, overShare := p.queueFull(t); full {
		result := Result{Outcome: QueueFull, OverShare: overShare, Held: t.held}
		p.forget(t)
		p.mu.Unlock()
		return result
	}
	w := p.enqueue(t, r)
	p.grant() // something may have come free since TryAcquire
	p.mu.Unlock()

	timer := time.NewTimer(p.maxWait)
	defer timer.Stop()
	var outcome Outcome
	select {
	case <-w.granted:
		return Result{Tenant: t}
	case <-timer.C:
		outcome = TimedOut
	case <-ctx.Done():
		outcome = Canceled
	case <-p.drain:
		outcome = Draining
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.granted: // at the same moment
		if outcome == TimedOut {
			return Result{Tenant: t}
		}
		p.free += r.Amount
		t.held -= r.Amount
	default:
		p.dequeue(t, slices.Index(t.queue, w))
	}
	result := Result{Outcome: outcome, OverShare: r.Amount <= p.free && !p.fits(t, r), Held: t.held}
	p.forget(t)
	p.grant()
	return result
}

// queueFull reports whether one more request of t may not wait, and whether that is because its client has used up its
// share of the queue.
func (p *Pool) queueFull(t *Tenant) (full, overShare bool) {
	if p.maxWaiting == 0 {
		return false, false
	}
	free, own := p.maxWaiting-p.waiting-1, len(t.queue)
	overShare = free >= 0 && t.limited && own > 0 && own+1 > shareOfFree*free
	return free < 0 || overShare, overShare
}

// grant gives to those that wait, until the next one can not have what it asks for.
func (p *Pool) grant() {
	for len(p.queue) > 0 {
		t := slices.MinFunc(p.queue, func(a, b *Tenant) int {
			return cmp.Or(cmp.Compare(a.would(), b.would()), a.queue[0].arrived.Compare(b.queue[0].arrived))
		})
		w := t.queue[0]
		if !p.fits(t, w.Request) {
			return
		}
		p.free -= w.Amount
		t.held += w.Amount
		p.dequeue(t, 0)
		close(w.granted)
	}
}

// would returns what a client that waits would hold with its next request.
func (t *Tenant) would() int64 { return t.held + t.queue[0].Amount }

// enqueue lets a request of t wait.
func (p *Pool) enqueue(t *Tenant, r Request) *waiter {
	w := &waiter{Request: r, arrived: time.Now(), granted: make(chan struct{})}
	if len(t.queue) == 0 {
		p.queue = append(p.queue, t)
	}
	t.queue = append(t.queue, w)
	p.waiting++
	return w
}

// dequeue removes the i-th waiter of t.
func (p *Pool) dequeue(t *Tenant, i int) {
	t.queue = slices.Delete(t.queue, i, i+1)
	p.waiting--
	if len(t.queue) == 0 {
		at := slices.Index(p.queue, t)
		p.queue = slices.Delete(p.queue, at, at+1)
	}
}
