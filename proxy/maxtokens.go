package proxy

import (
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

// limitOutput puts the operator's limit of output tokens into a call of a text model that names none, and into each
// such request of a batch. It is the one change that is made to a body. What is reserved for the call, and each
// attempt at it, goes by the changed body.
func (p *Proxy) limitOutput(c *call) {
	if !p.outputLimit.IsSet() || c.json == nil || !c.json.Unlimited() || c.json.Polls() || !c.makesText() {
		return
	}
	g := p.guarded(c)
	room := c.price.Room(g.Request, p.outputLimit.Most())
	fits := p.guard.Fits(&g)
	c.maxTokensSet = p.outputLimit.Choose(room, func(limit int64) bool {
		c.json.Limit = limit
		return fits(p.bodies.measured(c))
	})
	c.json.Limit = c.maxTokensSet
	c.body.Edit(c.json.LimitEdits(c.Route.Protocol))
}

// makesText reports whether the call spends neurons of this account on text that a limit of tokens bounds. A model of
// an unknown task is one of text where only such models are called by its path. Models whose output costs nothing have
// no such field.
func (c *call) makesText() bool {
	switch {
	case !c.inference || c.price.Known && c.price.OutputPerM == 0:
		return false
	case c.price.Task != "":
		return c.price.Task == workload.TextGeneration
	}
	return c.Route.Protocol != normalize.ProtocolNative
}
