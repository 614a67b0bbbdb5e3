package account

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// ErrIdle is returned by what a Loop does when there was nothing to do: it is no
// failure, and says nothing of whether the next time will be one.
var ErrIdle = errors.New("account: there was nothing to do")

// A Loop does something again and again: after a success when it is due, after a
// failure sooner, and never at the same moment as other processes that began
// with it.
type Loop struct {
	Every    time.Duration // after a success
	Jitter   float64       // at most this part of each wait is added to it, by chance
	MinRetry time.Duration // after the first failure; it doubles with each further one, up to Every
}

// Run calls do at once and from then on until ctx ends. A failure's RetryAfter is
// obeyed where it is longer than the wait. changed, if not nil, is told when do
// begins to fail, when it fails for a reason of another kind, and, with nil, when
// it no longer does: that is what is worth a line in a log.
func (l Loop) Run(ctx context.Context, do func(context.Context) error, changed func(error)) {
	var failing error
	failures := 0
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		idle := errors.Is(err, ErrIdle)
		if !idle && changed != nil && ((err == nil) != (failing == nil) || KindOf(err) != KindOf(failing)) {
			changed(err)
		}
		wait := l.Every
		switch {
		case idle:
		case err == nil:
			failing, failures = nil, 0
		default:
			failing = err
			wait = min(l.MinRetry<<min(failures, 16), l.Every)
			failures++
			if e, ok := errors.AsType[*Error](err); ok {
				wait = max(wait, e.RetryAfter)
			}
		}
		wait += time.Duration(float64(wait) * l.Jitter * rand.Float64()) //nolint:gosec // no secret
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
