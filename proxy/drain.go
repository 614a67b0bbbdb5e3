package proxy

import (
	"context"
	"net"
)

// BaseContext is for http.Server.BaseContext: it lets Abort reach every call.
func (p *Proxy) BaseContext(net.Listener) context.Context { return p.base }

// Drain turns new calls away with shutting_down from now on, and those that wait
// for a place. Those in flight go on.
func (p *Proxy) Drain() {
	if !p.draining.Swap(true) {
		close(p.closed)
	}
	p.checkIdle()
}

// Draining reports whether Drain was called.
func (p *Proxy) Draining() bool { return p.draining.Load() }

// Idle is closed once the proxy drains and no call is in flight.
func (p *Proxy) Idle() <-chan struct{} { return p.idle }

// Abort ends the calls that are still in flight: one that has no answer yet gets
// shutting_down, a stream its terminal event.
func (p *Proxy) Abort() { p.abort(errShutdown) }

// leave counts a call out; begin has counted it in, before looking at draining.
func (p *Proxy) leave() {
	p.inFlight.Add(-1)
	if p.draining.Load() {
		p.checkIdle()
	}
}

func (p *Proxy) checkIdle() {
	if p.inFlight.Load() == 0 {
		p.idleOnce.Do(func() { close(p.idle) })
	}
}
