package proxy

import (
	"context"
	"fmt"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/fairshare"
)

// slots bound how many calls are served at once.
type slots struct {
	pool    *fairshare.Pool
	metrics *metrics.Metrics
}

// acquire gives the call a slot or says why it gets none. At most Config.MaxInFlight calls are served at once, and as
// many wait. A caller who leaves while its body is unread is not noticed over HTTP/1: the wait is short enough for that
// not to matter.
func (s *slots) acquire(c *call) error {
	r := fairshare.Request{Client: c.client, Limited: c.limited(), Amount: 1}
	if c.slot = s.pool.TryAcquire(r); c.slot != nil {
		return nil
	}
	s.metrics.Queued()
	c.own.stop()
	result := s.pool.Acquire(c.ctx, r)
	c.own.start()
	s.metrics.Unqueued()
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
		why = fmt.Sprintf("%d calls are being served and as many wait", s.pool.Size())
		if result.OverShare {
			why = "the waiting calls of your client have used up its share of the queue"
		}
	case fairshare.TimedOut:
		wait := durationText(s.pool.MaxWait())
		why = fmt.Sprintf("%d calls are being served, and no slot came free within %s", s.pool.Size(), wait)
		if result.OverShare {
			why = "the calls of your client that are being served have used up its share of the slots, " +
				"and none came free within " + wait
		}
	}
	c.preempted(s.metrics, "overload")
	f := refuse(normalize.Overloaded, "This proxy has too much to do: "+why+" ({MAX_IN_FLIGHT}).", "")
	size := float64(s.pool.Size())
	f.Limit = &normalize.Limit{Name: "in_flight", Used: size, Limit: size, Unit: "calls", Window: "at_once"}
	if result.OverShare {
		f.Limit.Client, f.Limit.Used = c.client, float64(result.Held)
	}
	return f
}

// release gives back the slot of a call.
func (s *slots) release(c *call) { s.pool.Release(c.slot, 1) }

// limited reports whether the call is of a configured client, which may hold only its share of a pool.
func (c *call) limited() bool { return c.entry != nil }

// Load is how many calls are being served, and how many may be.
type Load struct {
	InFlight int64 `json:"in_flight"` // calls that are served
	Limit    int64 `json:"limit"`     // Config.MaxInFlight
	Queued   int64 `json:"queued"`    // calls that wait for a slot
}

// load returns the present load. The error reference is not part of it.
func (s *slots) load() Load {
	status := s.pool.Status()
	return Load{InFlight: status.Taken, Limit: s.pool.Size(), Queued: int64(status.Waiting)}
}
