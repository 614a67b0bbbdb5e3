package proxy

import (
	"context"
	"fmt"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/fairshare"
)

// enter lets the call in or says why it must stay out. At most Config.MaxInFlight are served at once, and as many again wait. A
// caller who leaves while its body is unread is not noticed over HTTP/1: the wait is short enough for that not to matter.
func (p *Proxy) enter(c *call) error {
	pool := p.slots
	r := fairshare.Request{Client: c.client, Limited: c.shares(), Amount: 1}
	if c.slot = pool.TryAcquire(r); c.slot != nil {
		return nil
	}
	p.metrics.Queued()
	c.lap()
	result := pool.Acquire(c.ctx, r)
	c.resume()
	p.metrics.Unqueued()
	var why string
	switch result.Outcome {
	case fairshare.Granted:
		c.slot = result.Tenant
		return nil
	case fairshare.Canceled:
		return context.Cause(c.ctx)
	case fairshare.Draining:
		return refuse(normalize.ShuttingDown, "", "")
	case fairshare.QueueFull:
		why = fmt.Sprintf("%d calls are being served and as many wait", pool.Size())
		if result.OverShare {
			why = "the waiting calls of your client have used up its share of the queue"
		}
	case fairshare.TimedOut:
		why = fmt.Sprintf("%d calls are being served, and no slot came free within %s", pool.Size(), text(pool.MaxWait()))
		if result.OverShare {
			why = "the calls of your client that are being served have used up its share of the slots, and none came free within " +
				text(pool.MaxWait())
		}
	}
	p.metrics.Preempted("overload", metrics.ModeEnforce)
	f := refuse(normalize.Overloaded, "This proxy has too much to do: "+why+" ({MAX_IN_FLIGHT}).", "")
	size := float64(pool.Size())
	f.Limit = &normalize.Limit{Name: "in_flight", Used: size, Limit: size, Unit: "calls", Window: "at_once"}
	if result.OverShare {
		f.Limit.Client, f.Limit.Used = c.client, float64(result.Held)
	}
	return f
}

// exit gives back the slot of a call that enter has let in.
func (p *Proxy) exit(c *call) { p.slots.Release(c.slot, 1) }

// shares reports whether the call is of a configured client, which may hold only its share of a pool.
func (c *call) shares() bool { return c.entry != nil }

// Load is how many calls are being served, and how many may be.
type Load struct {
	InFlight int64 `json:"in_flight"` // calls that are served
	Limit    int64 `json:"limit"`     // Config.MaxInFlight
	Queued   int64 `json:"queued"`    // calls that wait for a slot
}

// Load returns the present load. The error reference is not part of it.
func (p *Proxy) Load() Load {
	s := p.slots.Status()
	return Load{InFlight: s.Taken, Limit: p.slots.Size(), Queued: int64(s.Waiting)}
}
