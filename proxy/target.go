package proxy

import (
	"cmp"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/quota/price"
)

// A target is where a call goes and what is known of its model. It is resolved once and does not change while the call
// is under way, even if the price table is replaced: every later question about the model is answered from here.
type target struct {
	destination
	price     price.Model // by the table in use when the target was resolved
	label     string      // of the model, from a bounded set: metrics.Other where the model is not known
	modelText string      // the model for messages and logs: of bounded length, without secrets
	ours      bool        // the account is the one that this proxy serves
	inference bool        // the call spends the neurons and the requests per minute of that account
	metered   bool        // its neurons are counted

	// thirdParty says that the model is not one of Workers AI's: it is billed in dollars and spends no neurons.
	thirdParty bool
	routed     bool // of these, a router of AI Gateway's that may choose a model of Workers AI: the answer tells
	queued     bool // it submits a batch, or asks after one
}

// maxModelText bounds the model's name in messages and logs. Callers may write anything there.
const maxModelText = 256

// setTarget resolves where the call goes: first by its path, and once more where the body names the model.
func (p *Proxy) setTarget(c *call, d destination) {
	d.account = cmp.Or(d.account, p.account)
	query := c.inbound.URL.RawQuery
	c.target = target{
		destination: d, label: metrics.Other, ours: d.account == p.account,
		queued: query != "" && c.inbound.URL.Query().Get("queueRequest") == "true",
	}
	if d.model == "" { // the route has none, or it is in the body
		return
	}
	c.price, c.label, c.modelText = p.estimator.Resolve(d.model), p.models.label(d.model), d.model
	if d.route != nil && !c.price.Known {
		c.price.Task = cmp.Or(c.price.Task, d.route.task)
	}
	if !modelname.WorkersAI(d.model) {
		c.thirdParty, c.label = true, metrics.ThirdParty
	}
	c.inference = c.ours && d.route != nil && d.route.metered() && !c.thirdParty
	c.metered = c.inference && p.guard.On()
	c.routed = c.ours && modelname.Routed(d.model) && d.route != nil && d.route.metered() && p.guard.On()
	if c.label == metrics.Other || c.thirdParty {
		c.modelText = c.redact(clip(d.model, maxModelText))
	}
}
