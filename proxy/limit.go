package proxy

import (
	"io"
	"time"
)

// limits are how long upstream may take.
type limits struct {
	firstByte time.Duration // until the answer's headers, or a stream's first event
	idle      time.Duration // between bytes after that
}

// await begins the wait for the answer of an attempt.
func (x *exchange) await() {
	x.passing.Store(false)
	if x.deadline != nil {
		x.deadline.Reset(x.limits.firstByte)
		return
	}
	x.deadline = time.AfterFunc(x.limits.firstByte, func() {
		if x.passing.Load() {
			x.cancel(errIdle)
		} else {
			x.cancel(errFirstByte)
		}
	})
}

// pass ends that wait. From now on only reads from upstream are limited, each
// one anew: a caller who reads slowly is not upstream being silent.
func (x *exchange) pass() {
	x.passing.Store(true)
	x.deadline.Stop()
}

// readWithin reads once and gives upstream the idle time limit for it.
func (x *exchange) readWithin(src io.Reader, p []byte) (int, error) {
	x.deadline.Reset(x.limits.idle)
	n, err := src.Read(p)
	x.deadline.Stop()
	return n, err
}
