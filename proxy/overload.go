package proxy

import (
	"context"
	"fmt"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

// shares reports whether the call is of a configured client, which may hold only
// its share of what is scarce.
func (c *call) shares() bool { return c.entry != nil }

// enter lets the call in or says why it must stay out. At most
// Config.MaxInFlight are served at once, and as many again wait. A caller who
// leaves while its body is unread is not noticed over HTTP/1: the wait is short
// enough for that not to matter.
func (p *Proxy) enter(c *call) error {
	g := p.places
	if c.place = g.take(c.client, c.shares(), 1, 0); c.place != nil {
		return nil
	}
	p.metrics.Queued()
	c.lap()
	became := g.stand(c.ctx, c.client, c.shares(), 1, 0)
	c.resume()
	p.metrics.Unqueued()
	var why string
	switch became.admission {
	case served:
		c.place = became.member
		return nil
	case gone:
		return context.Cause(c.ctx)
	case closing:
		return refuse(normalize.ShuttingDown, "", "")
	case full:
		why = fmt.Sprintf("%d calls are being served and as many wait", g.size)
		if became.share {
			why = "the calls of your client that wait have used up its share of the line"
		}
	case late:
		why = fmt.Sprintf("%d calls are being served, and no place came free within %s", g.size, text(g.wait))
		if became.share {
			why = "the calls of your client that are being served have used up its share of the places, and none came free within " + text(g.wait)
		}
	}
	p.metrics.Preempted("overload", metrics.ModeEnforce)
	f := refuse(normalize.Overloaded, "This proxy has too much to do: "+why+" (NEURONWARD_MAX_IN_FLIGHT).", "")
	f.Limit = &normalize.Limit{Name: "in_flight", Used: float64(g.size), Limit: float64(g.size), Unit: "calls", Window: "at_once"}
	if became.share {
		f.Limit.Client, f.Limit.Used = c.client, float64(became.held)
	}
	return f
}

// exit gives the place of a call back that enter has let in.
func (p *Proxy) exit(c *call) { p.places.give(c.place, 1) }

// Load is how much of what may be served at once is being served.
type Load struct {
	InFlight int64 `json:"in_flight"` // calls that are served
	Limit    int64 `json:"limit"`     // NEURONWARD_MAX_IN_FLIGHT
	Queued   int64 `json:"queued"`    // calls that wait for a place
}

// Load returns the present load. The error reference is not part of it.
func (p *Proxy) Load() Load {
	taken, waiting := p.places.standing()
	return Load{InFlight: taken, Limit: p.places.size, Queued: waiting}
}
