package proxy

import (
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/measure"
)

// reserve sets aside what the call may cost, or says why it may not be made. Calls on another account, with the
// caller's own token, are not metered.
func (p *Proxy) reserve(c *call) (err error) {
	if !c.metered && !c.routed {
		p.watch(c)
		return nil
	}
	c.own.stop()
	g := p.guarded(c)
	c.charge, err = p.guard.Reserve(c.ctx, &g)
	c.own.start()
	c.trace.QuotaWaited(c.charge.Waited())
	c.wouldRefuse = c.charge.WouldRefuse()
	return err
}

// watch lets the guard note whose batch a call submits that is not counted.
func (p *Proxy) watch(c *call) {
	batch := c.queued || c.json != nil && c.json.Batch()
	if batch && c.entry != nil && c.ours && c.batchID == "" {
		c.charge = p.guard.Watch(&guard.Call{Model: &c.price, Label: c.label, Client: c.client, Began: c.began})
	}
}

// guarded is what the guard must know of the call.
func (p *Proxy) guarded(c *call) guard.Call {
	g := guard.Call{
		Model: &c.price, ModelText: c.modelText, Label: c.label, Client: c.client,
		Request: p.bodies.measured(c), Batch: c.queued, Poll: c.poll, Routed: c.routed,
		OfBatch: c.batchID != "", Began: c.began, Attempts: headers.Attempts(c.inbound.Header, c.entry),
	}
	if c.Route.Session {
		g.Session, g.Attempts = true, 0
	}
	if c.json != nil && c.makesText() {
		g.LimitField = measure.LimitField(c.Route.Protocol)
	}
	if c.entry != nil {
		g.HasClient, g.ClientBudget, g.Priority = true, c.entry.DailyNeurons, c.entry.Priority
		g.ClientMonth = c.entry.MonthlyNeurons
	}
	return g
}

// settle books what the call cost, exactly once and however it ended. It is deferred before the reservation is made.
func (c *call) settle() {
	if c.attempts == 0 { // it was refused before it was made
		c.charge.Release()
		return
	}
	if c.session != nil {
		c.settleSession()
		return
	}
	c.settlement = c.charge.Settle(c.outcome(c.failure))
}

// outcome is how the present attempt has ended, for the guard. f is why it failed; nil: it did not, or it is not known
// yet.
func (c *call) outcome(f *normalize.Failure) guard.Outcome {
	return guard.Outcome{
		Sent: c.seen(), Cached: c.attempt.cached, Stream: c.stream, Answered: c.attempt.answered,
		Streaming: c.attempt.streaming(), Streamed: c.attempt.streamed(), Complete: c.complete,
		HeaderNeurons: c.attempt.neurons,
		RanModel:      c.attempt.ranModel, Failure: f,
	}
}

// seen reports whether upstream may have seen the present attempt.
func (c *call) seen() bool { return c.attempt.sent != nil && c.attempt.sent.Load() }
