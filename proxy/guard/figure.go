package guard

import (
	"strconv"

	"github.com/neuronward/neuronward/quota"
)

// A figure is one way to tell what an attempt cost. It reports false where the evidence does not have it.
type figure func(*evidence) (quota.Cost, Because, bool)

// larger is a figure, or another one that is larger. It is known where the first is.
func larger(first, second figure) figure {
	return func(e *evidence) (quota.Cost, Because, bool) {
		cost, because, ok := first(e)
		if !ok {
			return cost, because, false
		}
		if c, b, known := second(e); known && c.Neurons > cost.Neurons {
			return c, b, true
		}
		return cost, because, true
	}
}

// sentTokens are on their way when a stream is cut off.
const sentTokens = 2

// made is how many tokens upstream may have made of a stream that was cut off, beside those that came.
func (e *evidence) made() int64 {
	if e.charge.guard.o.Aborted == Seen {
		return sentTokens
	}
	return e.charge.guard.speeds.perSecond(e.charge.call.Label)
}

// free is nothing.
func free(*evidence) (quota.Cost, Because, bool) {
	return quota.Cost{Basis: quota.Reported}, Free, true
}

// usage is the neurons that the answer reported, and text that they leave out.
func usage(e *evidence) (quota.Cost, Because, bool) {
	u := e.report.Usage
	n := quota.FromFloat(u.Neurons).Add(e.charge.call.Model.Tokens(0, 0, e.report.Unreported))
	return quota.Cost{Neurons: n, Basis: quota.Reported}, Usage, u.HasNeurons
}

// usageAndMade is the neurons that a stream reported until it was cut off, and what upstream may have made since.
func usageAndMade(e *evidence) (quota.Cost, Because, bool) {
	cost, because, ok := usage(e)
	more := cost.Neurons.Add(e.charge.call.Model.Tokens(0, 0, e.made()))
	cost.Neurons = max(cost.Neurons, min(more, e.charge.reserved()))
	return cost, because, ok
}

const (
	maxHeader = 1e9   // more than any call can cost
	cutOff    = 0.005 // cf-ai-neurons may lack so much
	quarter   = 4     // a text that costs so many times the header refutes it
)

// header is the most that the call cost by cf-ai-neurons, which is rounded to a hundredth: half of that may have
// been cut off. A small call is rounded to 0.00, which is no figure where a price tells more; of a model without one it
// is believed, unless it came before a stream. More than any call can cost is no figure, nor is less than a quarter
// of what the text of the answer costs, which is counted from above.
func header(e *evidence) (quota.Cost, Because, bool) {
	n, err := strconv.ParseFloat(e.HeaderNeurons, 64)
	zero := n == 0 && !e.charge.call.Model.Known && !e.Streaming
	if err != nil || !zero && !(n > 0 && n < maxHeader) { // nor is NaN
		return quota.Cost{}, Header, false
	}
	n = max(n, min(n+cutOff, e.charge.reserved().Float()))
	if text := e.charge.call.Model.Tokens(0, 0, e.report.ObservedOutput); n*quarter < text.Float() {
		return quota.Cost{}, Header, false
	}
	return quota.Cost{Neurons: quota.FromFloat(n), Basis: quota.Reported}, Header, true
}

// wholeHeader is the header of what is no stream: that of a stream was sent before there was anything to bill.
func wholeHeader(e *evidence) (quota.Cost, Because, bool) {
	cost, because, ok := header(e)
	return cost, because, ok && !e.Stream
}

// tokenCost is the tokens that the answer reported, at the price of a model that has one.
func tokenCost(e *evidence) (quota.Cost, Because, bool) {
	u := e.report.Usage
	u.HasNeurons = false
	cost, ok := e.charge.guard.o.Estimator.Cost(*e.charge.call.Model, u)
	return cost, Tokens, ok && u.HasTokens && e.charge.call.Model.Known
}

// counted is what the answer counts (tokens, seconds, pictures), times the price.
func counted(e *evidence) (quota.Cost, Because, bool) {
	u, r := e.report.Usage, &e.charge.call.Request
	u.HasNeurons = false
	u.HasImages, u.Images, u.Given = true, r.MakeImages, r.Images
	u.Width, u.Height, u.Steps = r.Width, r.Height, r.Steps
	u.Sized, u.SizedTiles, u.Assumed = r.Sized, r.SizedTiles, r.Assumed
	cost, ok := e.charge.guard.o.Estimator.Cost(*e.charge.call.Model, u)
	return cost, Tokens, ok
}

// observed is the prompt and the tokens that passed of an answer.
func observed(e *evidence) (quota.Cost, Because, bool) { return observedCost(e, 0) }

// observedAndMade adds the tokens that upstream may have made beside.
func observedAndMade(e *evidence) (quota.Cost, Because, bool) { return observedCost(e, e.made()) }

// observedCost is at most what was reserved. It is known of models that are billed by tokens, and of a JSON answer that
// was read as a whole or whose output costs nothing. Of a call that AI Gateway may have made several times the attempts
// before this answer are not known.
func observedCost(e *evidence, made int64) (quota.Cost, Because, bool) {
	c := &e.charge.call
	input, output := e.report.ObservedInput, e.report.ObservedOutput
	if input == 0 {
		input = c.Model.SentTokens(c.Request)
	}
	cost := reservedCost(e)
	cost.Neurons = min(c.Model.Tokens(input, 0, output+made), cost.Neurons)
	whole := e.Streaming || !e.Complete || e.report.Observed || c.Model.OutputPerM == 0
	return cost, Observed, c.Model.Known && c.Model.InputPerM > 0 && whole && c.Attempts <= 1
}

// usual is what calls of the model cost that report nothing: what was reserved, or what the account's own figure
// has shown.
func usual(e *evidence) (quota.Cost, Because, bool) {
	ch := e.charge
	return ch.guard.o.Estimator.DefaultCost(*ch.call.Model, ch.estimate, ch.reserved()), Reservation, true
}

// reserved is what was reserved.
func reserved(e *evidence) (quota.Cost, Because, bool) { return reservedCost(e), Reservation, true }

func reservedCost(e *evidence) quota.Cost {
	return quota.Cost{Neurons: e.charge.reserved(), Basis: quota.Estimated}
}
