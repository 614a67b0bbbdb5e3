package proxy

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/quota/price"
)

// A target is where a call goes and what is known of its model. It is resolved once and does not change while the call
// is under way, even if the price table is replaced: every later question about the model is answered from here.
type target struct {
	routing.Destination
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

// queues reports whether a query says that the call is a batch, and how often it says whether it is one. What upstream
// could take for that counts, too.
func queues(u *url.URL) (queued bool, times int) {
	if u.RawQuery == "" {
		return false, 0
	}
	for name, values := range u.Query() {
		if strings.EqualFold(name, "queueRequest") {
			times += len(values)
			no := values[0] == "" || values[0] == "0" || strings.EqualFold(values[0], "false")
			queued = queued || !no
		}
	}
	return queued, times
}

// setTarget resolves where the call goes: first by its path, and once more where the body names the model.
func (p *Proxy) setTarget(c *call, d routing.Destination) {
	d.Account = cmp.Or(d.Account, p.account)
	c.target = target{Destination: d, label: metrics.Other, ours: d.Account == p.account}
	c.queued, _ = queues(c.inbound.URL)
	if d.Model == "" { // the route has none, or it is in the body
		return
	}
	c.price, c.label, c.modelText = p.estimator.Resolve(d.Model), p.models.label(d.Model), d.Model
	if d.Route != nil && !c.price.Known {
		c.price.Task = cmp.Or(c.price.Task, d.Route.Task)
	}
	if !modelname.WorkersAI(d.Model) {
		c.thirdParty, c.label = true, metrics.ThirdParty
	}
	c.inference = c.ours && d.Route != nil && d.Route.Metered() && !c.thirdParty
	c.metered = c.inference && p.guard.On()
	c.routed = c.ours && modelname.Routed(d.Model) && d.Route != nil && d.Route.Metered() && p.guard.On()
	if c.label == metrics.Other || c.thirdParty {
		c.modelText = c.redact(clip(d.Model, maxModelText))
	}
}
