package proxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// A lifecycle counts the calls in flight and ends them when the process does.
type lifecycle struct {
	inFlight atomic.Int64 // with calls that wait for a slot or are refused
	draining atomic.Bool
	closed   chan struct{} // by Drain: nobody waits for a slot any longer
	idle     chan struct{}
	idleOnce sync.Once
	base     context.Context
	abort    context.CancelCauseFunc
}

func (l *lifecycle) init() {
	l.closed, l.idle = make(chan struct{}), make(chan struct{})
	l.base, l.abort = context.WithCancelCause(context.Background())
}

// BaseContext is for http.Server.BaseContext: it lets Abort reach every call.
func (l *lifecycle) BaseContext(net.Listener) context.Context { return l.base }

// Drain refuses new calls with shutting_down from now on, and those that wait for a slot. Those in flight go on.
func (l *lifecycle) Drain() {
	if !l.draining.Swap(true) {
		close(l.closed)
	}
	l.checkIdle()
}

// Draining reports whether Drain was called.
func (l *lifecycle) Draining() bool { return l.draining.Load() }

// Idle is closed once the proxy drains and no call is in flight.
func (l *lifecycle) Idle() <-chan struct{} { return l.idle }

// Abort ends the calls that are still in flight: one that has no answer yet gets shutting_down, a stream its terminal
// event.
func (l *lifecycle) Abort() { l.abort(errShutdown) }

// enter counts a call, before Draining is looked at.
func (l *lifecycle) enter() { l.inFlight.Add(1) }

// leave counts it out.
func (l *lifecycle) leave() {
	l.inFlight.Add(-1)
	if l.draining.Load() {
		l.checkIdle()
	}
}

func (l *lifecycle) checkIdle() {
	if l.inFlight.Load() == 0 {
		l.idleOnce.Do(func() { close(l.idle) })
	}
}
