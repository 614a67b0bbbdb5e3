package proxy

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

// A gate lets a bounded number of calls be served at once. Beyond it as many
// again wait in order of arrival, for a bounded time.
//
// Where there is room, a call costs two atomic additions and no lock. count
// says by itself who is served: the first max of those counted. A call that
// leaves while others wait owes its place to one of them, and places are given
// under the lock. A place may be owed before the one it is for stands in line,
// or after that one has gone: the balance of both is kept in owed, so that
//
//	served + owed = min(count, max)
//
// holds between any two steps.
type gate struct {
	max    int64
	wait   time.Duration // how long a call stands in line
	count  atomic.Int64  // calls that are served or wait
	closed chan struct{} // closed when the proxy drains: nobody waits any longer

	mu   sync.Mutex
	line list.List // of chan struct{}, closed when the place is given; empty while owed > 0
	owed int64
}

// An admission is what became of a call at the gate.
type admission uint8

const (
	served  admission = iota // leave must be called
	full                     // as many wait as may
	late                     // no place came free in time
	gone                     // the caller, or the whole proxy, ended the wait
	closing                  // the proxy drains
)

// arrive counts a call in and reports whether it is served at once. If it is
// not, stand says what becomes of it.
func (g *gate) arrive() bool { return g.count.Add(1) <= g.max }

// stand waits for a place.
func (g *gate) stand(ctx context.Context) admission {
	g.mu.Lock()
	if g.owed > 0 {
		g.owed--
		g.mu.Unlock()
		return served
	}
	if int64(g.line.Len()) >= g.max {
		g.countOut()
		g.mu.Unlock()
		return full
	}
	turn := make(chan struct{})
	place := g.line.PushBack(turn)
	g.mu.Unlock()

	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	why := served
	select {
	case <-turn:
		return served
	case <-timer.C:
		why = late
	case <-ctx.Done():
		why = gone
	case <-g.closed:
		why = closing
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // the place came at the same moment
		if why == late {
			return served
		}
		g.countOutServed()
	default:
		g.line.Remove(place)
		g.countOut()
	}
	return why
}

// leave ends the service of a call.
func (g *gate) leave() {
	if g.count.Add(-1) >= g.max {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.give()
	}
}

// countOutServed is leave with the lock held.
func (g *gate) countOutServed() {
	if g.count.Add(-1) >= g.max {
		g.give()
	}
}

// countOut takes out one that was not served. If it was among the first max by
// then, a place was owed to it.
func (g *gate) countOut() {
	if g.count.Add(-1) < g.max {
		g.owed--
	}
}

// give passes a place on.
func (g *gate) give() {
	g.owed++
	if first := g.line.Front(); first != nil && g.owed > 0 {
		g.owed--
		close(g.line.Remove(first).(chan struct{}))
	}
}

// enter lets the call in or says why it must stay out. A caller who leaves
// while its body is unread is not noticed over HTTP/1: the wait is short enough
// for that not to matter.
func (p *Proxy) enter(x *exchange) error {
	g := &p.gate
	if g.arrive() {
		return nil
	}
	p.metrics.Queued()
	x.lap()
	became := g.stand(x.ctx)
	x.resume()
	p.metrics.Unqueued()
	var why string
	switch became {
	case served:
		return nil
	case gone:
		return context.Cause(x.ctx)
	case closing:
		return refuse(normalize.ShuttingDown, "", "")
	case full:
		why = fmt.Sprintf("%d calls are being served and as many wait", g.max)
	case late:
		why = fmt.Sprintf("%d calls are being served, and no place came free within %s", g.max, text(g.wait))
	}
	p.metrics.Preempted("overload", metrics.ModeEnforce)
	f := refuse(normalize.Overloaded, "This proxy has too much to do: "+why+" (NEURONWARD_MAX_IN_FLIGHT).", "")
	f.Limit = &normalize.Limit{Name: "in_flight", Used: float64(g.max), Limit: float64(g.max), Unit: "calls", Window: "at_once"}
	return f
}

// Load is how much of what may be served at once is being served.
type Load struct {
	InFlight int64 `json:"in_flight"` // calls that are served
	Limit    int64 `json:"limit"`     // NEURONWARD_MAX_IN_FLIGHT
	Queued   int64 `json:"queued"`    // calls that wait for a place
}

// Load returns the present load. The error reference is not part of it.
func (p *Proxy) Load() Load {
	n, most := p.gate.count.Load(), p.gate.max
	return Load{InFlight: min(n, most), Limit: most, Queued: max(n-most, 0)}
}
