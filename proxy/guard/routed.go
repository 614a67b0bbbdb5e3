package guard

import (
	"cmp"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// settleRouted books what a call cost whose model a router chose. Nothing was reserved for it, since only the answer
// says which model ran; if that is one of Workers AI's, its price settles the call, which may pass the limit by its own
// cost. It returns nil where another model ran, or nobody says which.
func (ch *Charge) settleRouted(o Outcome) *Settlement {
	name := modelname.Canonical(cmp.Or(o.RanModel, ch.meter.Report().Model))
	if !modelname.WorkersAI(name) {
		return nil
	}
	g := ch.guard
	model := g.o.Estimator.Resolve(name)
	if model.SmallVocabulary {
		ch.meter.SmallVocabulary()
	}
	ch.call.Model = &model
	ch.estimate = g.o.Estimator.Estimate(model, ch.call.Request)
	ch.request.Model = g.o.LabelOf(name)
	cost, because := ch.verdict(o)
	g.ledger.Correct(ch.request, quota.Day(0), 0, cost) // nothing was charged, on whichever day
	ch.spent(cost)
	ch.countTokens(ch.request.Model, ch.meter.Report().Usage)
	return &Settlement{Neurons: cost.Neurons, Basis: cost.Basis, Because: because}
}

// reserved is what was set aside for the call or, where nothing could be, what would have been.
func (ch *Charge) reserved() quota.Neurons {
	if ch.reservation == nil {
		return ch.bound()
	}
	return ch.reservation.Neurons()
}

// bound is what the call may cost, with all its attempts by AI Gateway.
func (ch *Charge) bound() quota.Neurons { return ch.call.withAttempts(ch.estimate) }

func (c *Call) withAttempts(one price.Estimate) (sum quota.Neurons) {
	for range max(c.Attempts, 1) {
		sum = sum.Add(one.Neurons)
	}
	return sum
}
