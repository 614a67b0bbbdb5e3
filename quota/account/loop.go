package account

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// confirmAfter is how long after a figure that is to be confirmed it is read again.
const confirmAfter = time.Minute

// ErrIdle is returned by the function that a Loop calls when there was nothing to
// do. It is neither a success nor a failure.
var ErrIdle = errors.New("account: there was nothing to do")

// A Loop calls a function again and again: sooner after a failure than after a
// success, and with a random part in each wait, so that processes that were started
// together do not call at the same moment.
type Loop struct {
	Every    time.Duration // after a success
	Jitter   float64       // up to this part of each wait is added to it, at random
	MinRetry time.Duration // after the first failure; it doubles with each further one, up to Every
}

// Run calls do at once and then again and again, until ctx ends. Where a failure
// has a RetryAfter that is longer than the wait, that is waited. After
// quota.ErrUnconfirmed, which is a success, it waits a minute at most. onChange, if not
// nil, is called with the error when do begins to fail or fails with another kind,
// and with nil when it no longer fails: that is worth a line in a log.
func (l Loop) Run(ctx context.Context, do func(context.Context) error, onChange func(error)) {
	var failing error
	failures := 0
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		idle, wait := errors.Is(err, ErrIdle), l.Every
		if errors.Is(err, quota.ErrUnconfirmed) {
			err, wait = nil, min(confirmAfter, l.Every)
		}
		if !idle && onChange != nil && ((err == nil) != (failing == nil) || KindOf(err) != KindOf(failing)) {
			onChange(err)
		}
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
