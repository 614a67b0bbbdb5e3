package quota

import (
	"context"
	"errors"
	"time"
)

// Close gives back what is free and publishes what was spent, so that nothing is lost. It waits for reservations that
// are not settled until ctx ends; what they hold then is lost for the day. Reserve fails from the beginning of Close
// on; settling after its end is counted nowhere. A store that does not answer delays it for twice
// Options.StoreTimeout beyond ctx.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.awaitStopped(ctx)
	}
	l.closed = true
	for _, w := range l.queue.List() {
		l.finish(w, nil, Decision{}, ErrClosed)
	}
	idle := make(chan struct{})
	if l.inFlight.Len() > 0 {
		l.idle = idle
	} else {
		close(idle)
	}
	l.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*l.o.StoreTimeout)
	defer cancel()
	l.end()
	_ = l.awaitStopped(last) // leave has the error
	return l.leave(last)
}

// awaitStopped waits until run has ended.
func (l *Ledger) awaitStopped(ctx context.Context) error {
	select {
	case <-l.stopped:
	case <-ctx.Done():
	}
	select {
	case <-l.stopped:
		return nil
	default:
		return ctx.Err()
	}
}

// leave is the last sync: nothing stays here but what is reserved.
func (l *Ledger) leave(ctx context.Context) error {
	select {
	case l.syncing <- struct{}{}:
		defer func() { <-l.syncing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	l.left = true
	for _, b := range l.budgets.all {
		b.dropFree()
	}
	var reports []Report
	for _, r := range l.outbox.ended {
		reports = append(reports, l.outbox.number(r))
	}
	r, _, _ := l.report()
	for i := range r.Requests {
		r.Requests[i].Want, r.Requests[i].Held = 0, r.Requests[i].Reserved
	}
	r.Leave = true
	reports = append(reports, r)
	nothing := l.nothingToTell(reports)
	l.mu.Unlock()
	if nothing {
		_, err := l.send(ctx, r) // it may have a row of this replica all the same
		return err
	}
	var errs []error
	for _, r := range reports {
		errs = append(errs, l.sendLast(ctx, r))
	}
	return errors.Join(errs...)
}

// nothingToTell reports whether no neuron would be lost if the store never got reports, the last ones of this replica:
// the store never answered, and no call was made.
func (l *Ledger) nothingToTell(reports []Report) bool {
	if l.outbox.joined || l.block.change != (BlockChange{}) || len(l.tallies.all) > 0 {
		return false
	}
	for _, r := range reports {
		if len(r.Records) > 0 {
			return false
		}
	}
	return true
}

// sendLast is send, repeated until the store has answered or ctx ends: if it failed for a moment alone, what is held
// here would be lost.
func (l *Ledger) sendLast(ctx context.Context, r Report) error {
	var failure error
	for {
		_, err := l.send(ctx, r)
		if err == nil {
			return nil
		}
		if failure == nil || ctx.Err() == nil { // not that time is over, but why it took so long
			failure = err
		}
		select {
		case <-time.After(Heartbeat / 5):
		case <-ctx.Done():
			return failure
		}
	}
}
