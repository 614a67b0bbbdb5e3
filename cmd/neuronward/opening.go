package main

import (
	"context"
	"time"
)

// startOrLeave runs a step of the start, which may hang: a disk or a named pipe that does not answer knows no context.
// It returns what step returns, or the error of opening where that has ended and step does not return within
// signalGrace. The step is left behind then: the process ends.
func startOrLeave[T any](opening context.Context, step func() (T, error)) (value T, err error) {
	returned := make(chan struct{})
	var result T // with failure, what step returns; both are read once returned is closed
	var failure error
	go func() {
		defer close(returned)
		result, failure = step()
	}()
	select {
	case <-returned:
		return result, failure
	case <-opening.Done():
	}
	select {
	case <-returned:
		return result, failure
	case <-time.After(signalGrace):
		return value, opening.Err()
	}
}
