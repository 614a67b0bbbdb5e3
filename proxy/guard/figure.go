package guard

import (
	"strconv"

	"github.com/neuronward/neuronward/quota"
)

// A figure is one way to tell what an attempt cost. It reports false where the evidence does not have it.
type figure struct {
	because Because
	cost    func(*evidence) (quota.Cost, bool)
}

// The figures, each of which a row of verdicts may name.
var (
	free           = figure{Free, func(*evidence) (quota.Cost, bool) { return quota.Cost{Basis: quota.Reported}, true }}
	usage          = figure{Usage, usageCost}
	usageAndUnsent = figure{Usage, usageAndUnsentCost}
	header         = figure{Header, headerCost}
	headerZero     = figure{Header, headerZeroCost}
	priced         = figure{Tokens, pricedCost}
	observed       = figure{Observed, observedCost}
	usual          = figure{Reservation, usualCost}
	reserved       = figure{Reservation, func(e *evidence) (quota.Cost, bool) { return reservedCost(e), true }}
)

// unsentTokens are on their way when a stream is cut off.
const unsentTokens = 2

// usageCost is the neurons that the answer reported.
func usageCost(e *evidence) (quota.Cost, bool) {
	u := e.report.Usage
	return quota.Cost{Neurons: quota.FromFloat(u.Neurons), Basis: quota.Reported}, u.HasNeurons
}

// usageAndUnsentCost is the neurons that a stream reported until it was cut off, and what upstream had made and not yet
// sent.
func usageAndUnsentCost(e *evidence) (quota.Cost, bool) {
	cost, ok := usageCost(e)
	cost.Neurons = cost.Neurons.Add(e.charge.call.Model.Tokens(0, 0, unsentTokens))
	return cost, ok
}

// headerCost is the most that the call cost by cf-ai-neurons, which is rounded to a hundredth: half of that may have
// been cut off. A small call is rounded to 0.00, which is no figure where a price tells more; of a model without one it
// is believed, unless it came before a stream. More than any call can cost is no figure.
func headerCost(e *evidence) (quota.Cost, bool) {
	const highest, cutOff = 1e9, 0.005
	n, err := strconv.ParseFloat(e.HeaderNeurons, 64)
	zero := n == 0 && !e.charge.call.Model.Known && !e.Streaming
	if err != nil || !zero && !(n > 0 && n < highest) { // nor is NaN
		return quota.Cost{}, false
	}
	n = max(n, min(n+cutOff, e.charge.reserved().Float()))
	return quota.Cost{Neurons: quota.FromFloat(n), Basis: quota.Reported}, true
}

// nextToNothing bounds what a call cost whose cf-ai-neurons was rounded to 0.00: less than 0.005.
const nextToNothing = quota.OneNeuron / 100

// headerZeroCost is that of a call whose cf-ai-neurons is 0.00. It is believed of the tasks that are billed by tokens,
// where it was seen to be right; some models for pictures never set it.
func headerZeroCost(e *evidence) (quota.Cost, bool) {
	switch e.charge.call.Model.Task {
	case quota.TextGeneration, quota.TextEmbeddings, quota.TextClassification, quota.Translation:
	default:
		return quota.Cost{}, false
	}
	n, err := strconv.ParseFloat(e.HeaderNeurons, 64)
	cost := reservedCost(e)
	cost.Neurons = min(cost.Neurons, nextToNothing)
	return cost, err == nil && n == 0
}

// pricedCost is what the answer counts (tokens, seconds, pictures), times the price.
func pricedCost(e *evidence) (quota.Cost, bool) {
	u, r := e.report.Usage, &e.charge.call.Request
	u.HasNeurons = false
	u.HasImages, u.Images, u.Given = true, r.MakeImages, r.Images
	u.Width, u.Height, u.Steps = r.Width, r.Height, r.Steps
	u.Sized, u.SizedTiles, u.Assumed = r.Sized, r.SizedTiles, r.Assumed
	return e.charge.guard.o.Estimator.Cost(*e.charge.call.Model, u)
}

// observedCost is the prompt and the tokens that passed of a stream, and those that upstream had made and not yet sent.
func observedCost(e *evidence) (quota.Cost, bool) {
	c := &e.charge.call
	input, output := e.report.ObservedInput, e.report.ObservedOutput
	if input == 0 {
		input = c.Model.SentTokens(c.Request, c.WideBytes)
	}
	cost := reservedCost(e)
	cost.Neurons = min(c.Model.Tokens(input, 0, output+unsentTokens), cost.Neurons)
	return cost, c.Model.Known
}

// usualCost is what calls of the model cost that report nothing: what was reserved, or what the account's own figure
// has shown.
func usualCost(e *evidence) (quota.Cost, bool) {
	ch := e.charge
	return ch.guard.o.Estimator.DefaultCost(*ch.call.Model, ch.estimate, ch.reserved()), true
}

func reservedCost(e *evidence) quota.Cost {
	return quota.Cost{Neurons: e.charge.reserved(), Basis: quota.Estimated}
}
