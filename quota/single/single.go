// Package single runs one operation of a kind at a time, each within a limit of time.
package single

import (
	"context"
	"fmt"
	"time"
)

// A Lane is for operations of one kind, of which one runs at a time.
type Lane chan struct{}

// NewLane returns a lane in which nothing runs.
func NewLane() Lane { return make(Lane, 1) }

// An Operation is one that Do runs.
type Operation[T any] struct {
	Do      func(context.Context) (T, error)
	Pending func(error)                                    // called if Do has not returned in time
	Ended   func(took time.Duration, err error, late bool) // called when Do has returned; late: Pending was called
}

// Do runs o as soon as it is alone in the lane, and waits for each of the two for limit at most. o does not see that
// ctx has ended, only that its time is over: a caller who leaves is no failure of what is asked. An operation that
// ignores its context is left behind, and no other of its lane begins before it has returned. Its result is dropped.
func Do[T any](ctx context.Context, l Lane, limit time.Duration, o Operation[T]) (none T, err error) {
	alone := time.NewTimer(limit)
	defer alone.Stop()
	select {
	case l <- struct{}{}:
	case <-alone.C:
		return none, fmt.Errorf("it stands still: the step before has not ended: %w", context.DeadlineExceeded)
	case <-ctx.Done():
		return none, ctx.Err()
	}
	var value T // with failure, what o returns; both are read once returned is closed
	var failure error
	returned := make(chan struct{})
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	noAnswer := fmt.Errorf("it stands still: no answer within %v: %w", limit, context.DeadlineExceeded)
	go func() {
		defer cancel()
		began := time.Now()
		inTime := context.AfterFunc(limited, func() { o.Pending(noAnswer) })
		value, failure = o.Do(limited)
		o.Ended(time.Since(began), failure, !inTime())
		<-l
		close(returned)
	}()
	select {
	case <-returned:
		return value, failure
	case <-limited.Done():
	case <-ctx.Done():
	}
	select {
	case <-returned: // select takes any of the cases that are ready
		return value, failure
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	return none, noAnswer
}
