package quota

import (
	"context"
	"fmt"
	"time"
)

// prompt is a store whose steps end with their context, and after timeout, even
// where those of the store within do not: a write to a disk that stands still
// looks at no context. Such a step is left to itself, and no other of its kind
// begins before it has returned. Nobody reads what it answers then. That is an
// answer that was lost on the way: the next report, which has a higher number and
// absolute figures, takes the place of the former whether that was kept or not.
type prompt struct {
	Store
	timeout                             time.Duration
	exchanges, histories, hours, leases chan struct{} // full while a step of the kind is under way
}

func newPrompt(s Store, timeout time.Duration) *prompt {
	return &prompt{s, timeout, make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)}
}

// Sync implements Store.
func (p *prompt) Sync(ctx context.Context, r Report) (Reply, error) {
	return inTime(ctx, p.timeout, p.exchanges, func(ctx context.Context) (Reply, error) { return p.Store.Sync(ctx, r) })
}

// History implements Store.
func (p *prompt) History(ctx context.Context, from, to Day) ([]Record, error) {
	return inTime(ctx, p.timeout, p.histories, func(ctx context.Context) ([]Record, error) { return p.Store.History(ctx, from, to) })
}

// Hours implements Store.
func (p *prompt) Hours(ctx context.Context, day Day) (Hours, error) {
	return inTime(ctx, p.timeout, p.hours, func(ctx context.Context) (Hours, error) { return p.Store.Hours(ctx, day) })
}

// Lease implements Store.
func (p *prompt) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return inTime(ctx, p.timeout, p.leases, func(ctx context.Context) (bool, error) { return p.Store.Lease(ctx, name, ttl) })
}

// inTime does what do does once it is alone in busy, for which it waits for
// timeout, too. do is not told that ctx ends, only that its time is over: that
// whoever asked has left is no failure of the store.
func inTime[T any](ctx context.Context, timeout time.Duration, busy chan struct{}, do func(context.Context) (T, error)) (value T, err error) {
	alone := time.NewTimer(timeout)
	defer alone.Stop()
	select {
	case busy <- struct{}{}:
	case <-alone.C:
		return value, fmt.Errorf("it stands still: the step before has not ended: %w", context.DeadlineExceeded)
	case <-ctx.Done():
		return value, ctx.Err()
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	go func() {
		defer cancel()
		value, err := do(limited)
		<-busy
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-limited.Done():
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // of two that are due, select takes either
		return a.value, a.err
	default:
	}
	if err := ctx.Err(); err != nil {
		return value, err
	}
	return value, fmt.Errorf("it stands still: no answer within %v: %w", timeout, context.DeadlineExceeded)
}
