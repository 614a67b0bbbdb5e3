package proxy

import (
	"cmp"
	"strconv"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// settle books what the call cost, exactly once and however it ended. It is
// deferred where the reservation is made, and needs nothing of the caller's
// context: who leaves does not take the bill along.
func (p *Proxy) settle(c *call) {
	ch := &c.charge
	if ch.poll != "" {
		p.settleBatch(c)
		return
	}
	if ch.reservation == nil {
		return
	}
	if c.attempts == 0 { // it was refused before it was made
		ch.reservation.Release()
		return
	}
	cost := p.cost(c)
	day := ch.reservation.Settle(cost)
	p.metrics.Spent(ch.call.Model, c.client, cost.Basis.String(), cost.Neurons.Float())
	if c.complete && c.failure == nil && !ch.cached && cost.Basis != quota.Estimated {
		p.metrics.EstimateRatio(p.task(c), cost.Neurons.Float()/ch.reservation.Neurons().Float())
		if cost.Basis == quota.Reported {
			ch.reservation.Calibrate(p.guard.estimator.Learn(c.price, ch.estimate, cost.Neurons))
		}
	}
	c.neurons = strconv.FormatFloat(ch.before.Add(cost.Neurons).Float(), 'f', -1, 64)
	r := ch.meter.Report()
	p.countTokens(ch.call.Model, r.Usage)
	if r.Queued() {
		p.guard.batches.add(r.BatchID, submitted{call: ch.call, day: day, charged: cost.Neurons, at: c.began})
	}
}

// settleAttempt books what a failed attempt cost, before another is made. Where
// it cost nothing, as is usual, its reservation goes on.
func (p *Proxy) settleAttempt(c *call, f *normalize.Failure) {
	ch := &c.charge
	if ch.reservation != nil {
		c.failure = f
		if cost := p.cost(c); cost.Neurons > 0 {
			ch.reservation.Settle(cost)
			ch.reservation = nil
			ch.before = ch.before.Add(cost.Neurons)
			p.metrics.Spent(ch.call.Model, c.client, cost.Basis.String(), cost.Neurons.Float())
		}
	}
	c.failure, ch.sent, ch.cached = nil, nil, false
	if ch.meter != nil {
		ch.meter = meter.New()
	}
}

// cover reserves for another attempt where the one before has used the
// reservation up, and reports whether there was enough.
func (p *Proxy) cover(c *call) bool {
	ch := &c.charge
	if ch.call.Estimate == 0 || ch.reservation != nil { // not metered, or still covered
		return true
	}
	c.lap()
	res, d, err := p.guard.ledger.Reserve(c.ctx, ch.call)
	c.resume()
	ch.reservation, ch.decision, ch.decided = res, d, c.mark
	return err == nil && res != nil
}

// cost decides what the call cost, by the best word there is.
func (p *Proxy) cost(c *call) quota.Cost {
	ch := &c.charge
	whole := quota.Cost{Neurons: ch.reservation.Neurons(), Basis: quota.Estimated}
	f := c.failure
	switch {
	case ch.cached || !ch.seen():
		return quota.Cost{Basis: quota.Reported}
	case f == nil && c.complete:
		if ch.meter.Report().Queued() {
			return whole // a submitted batch has not run yet
		}
		if cost, ok := p.reported(c); ok {
			return cost
		}
		if c.streaming {
			return p.seen(c, whole)
		}
		if p.roundedToZero(c) {
			whole.Neurons = min(whole.Neurons, nextToNothing)
			return whole
		}
		return p.guard.estimator.DefaultCost(c.price, ch.estimate, whole.Neurons)
	case f == nil, f.Origin != normalize.OriginUpstream && (f.Code == normalize.Aborted || f.Code == normalize.ShuttingDown):
		// The caller left, this proxy is ending, or a panic is on its way up.
		return p.brokenOff(c, whole)
	default:
		return p.failed(c, f, whole)
	}
}

// reported is what the wire says of an answer: neurons in its body, else in its
// header, else what it counts times the price.
func (p *Proxy) reported(c *call) (quota.Cost, bool) {
	u := c.charge.meter.Report().Usage
	if !u.HasNeurons {
		if n, ok := c.headerNeurons(); ok {
			u.Neurons, u.HasNeurons = n, true
		}
	}
	r := &c.charge.request
	u.Images, u.Width, u.Height, u.Steps, u.Given, u.HasImages = r.MakeImages, r.Width, r.Height, r.Steps, r.Images, true
	u.Sized, u.SizedTiles, u.Assumed = r.Sized, r.SizedTiles, r.Assumed
	return p.guard.estimator.Cost(c.price, u)
}

// nextToNothing bounds what a call cost whose cf-ai-neurons was rounded to 0.00:
// less than 0.005.
const nextToNothing = quota.OneNeuron / 100

// roundedToZero reports whether upstream's header says that a call that
// succeeded cost next to nothing. It is believed of tasks that are billed by
// tokens, where it was seen to count; some models for pictures do not set it.
func (p *Proxy) roundedToZero(c *call) bool {
	n, err := strconv.ParseFloat(c.neurons, 64)
	if err != nil || n != 0 {
		return false
	}
	switch c.price.Task {
	case quota.TextGeneration, quota.TextEmbeddings, quota.TextClassification, quota.Translation:
		return true
	default:
		return false
	}
}

// headerNeurons is what a call cost at most by cf-ai-neurons, which is rounded to
// a hundredth: half of that may have been cut off. Small calls are rounded to
// 0.00: that is no figure. Neither is more than any call can cost.
func (c *call) headerNeurons() (float64, bool) {
	const most, cut = 1e9, 0.005
	n, err := strconv.ParseFloat(c.neurons, 64)
	return max(n, min(n+cut, c.charge.reservation.Neurons().Float())), err == nil && n > 0 && n < most
}

// failed is what a failure costs, by its entry's charge. What upstream has
// reported or sent before it failed counts in any case: a stream that told all
// along what it used, until it broke, needs no estimate. A silent one does: it
// may have gone on.
func (p *Proxy) failed(c *call, f *normalize.Failure, whole quota.Cost) quota.Cost {
	charge := f.Code.Entry().Charge
	switch {
	case charge == normalize.ChargeEstimate:
		// Also where a stream has told what it used so far: it may have gone on, and what was on its way is lost.
		return whole
	case c.streaming:
		return p.seen(c, whole)
	case charge == normalize.ChargeReported:
		if cost, ok := p.said(c); ok {
			return cost
		}
	}
	return quota.Cost{Basis: quota.Reported}
}

// said is the neurons that upstream itself named, in the body or the header.
func (p *Proxy) said(c *call) (quota.Cost, bool) {
	if u := c.charge.meter.Report().Usage; u.HasNeurons {
		return quota.Cost{Neurons: quota.FromFloat(u.Neurons), Basis: quota.Reported}, true
	}
	n, ok := c.headerNeurons()
	return quota.Cost{Neurons: quota.FromFloat(n), Basis: quota.Reported}, ok
}

// brokenOff is what a call costs that its caller broke off.
func (p *Proxy) brokenOff(c *call, whole quota.Cost) quota.Cost {
	if p.guard.abortedEstimate {
		return whole
	}
	if c.streaming || p.wouldStream(c) {
		return p.seen(c, whole)
	}
	// What is not streamed runs to its end whether its caller waits or not.
	if cost, ok := p.said(c); ok {
		return cost
	}
	return whole
}

// wouldStream reports whether a call that broke off before its answer came would
// have been answered by a stream: not only asked for one.
func (p *Proxy) wouldStream(c *call) bool {
	return c.stream && !c.answered && c.price.Task == quota.TextGeneration && !c.queued
}

// seen is what had passed when a call broke off: the increments that were
// reported, else the prompt and the tokens that were seen; with them what
// upstream had made and not yet sent.
func (p *Proxy) seen(c *call, whole quota.Cost) quota.Cost {
	ch := &c.charge
	r := ch.meter.Report()
	switch {
	case r.Usage.HasNeurons:
		return quota.Cost{Neurons: quota.FromFloat(r.Usage.Neurons).Add(c.price.Tokens(0, 0, unsentTokens)), Basis: quota.Reported}
	case !c.price.Known:
		return whole
	}
	input, output := r.ObservedInput, r.ObservedOutput
	if input == 0 {
		input = price.SentTokens(ch.request, wideBytes(c.body))
	}
	return quota.Cost{Neurons: min(c.price.Tokens(input, 0, output+unsentTokens), whole.Neurons), Basis: quota.Estimated}
}

// unsentTokens are on their way when a stream breaks off.
const unsentTokens = 2

// wideBytes returns how many bytes of a body are beyond ASCII. A character that
// is written as an escape is taken for three of them.
func wideBytes(h *held) (n int64) {
	if h == nil {
		return 0
	}
	for i, c := range h.data {
		switch {
		case c >= 0x80:
			n++
		case c == 'u' && i > 0 && h.data[i-1] == '\\':
			n += 3
		}
	}
	return n
}

// settleBatch corrects a batch by the first poll that finds it done. Further
// polls, and those of batches that were not submitted here, change nothing.
func (p *Proxy) settleBatch(c *call) {
	ch := &c.charge
	u := ch.meter.Report().Usage
	if c.failure != nil || !c.complete || !(u.HasNeurons || u.HasTokens) {
		return
	}
	s, ok := p.guard.batches.take(ch.poll)
	if !ok {
		return
	}
	cost, ok := p.guard.estimator.Cost(c.price, u)
	if !ok {
		return
	}
	p.guard.ledger.Correct(s.call, s.day, s.charged, cost)
	if more := cost.Neurons - s.charged; more > 0 {
		p.metrics.Spent(s.call.Model, s.call.Client, cost.Basis.String(), more.Float())
	}
	p.countTokens(s.call.Model, u)
}

func (p *Proxy) countTokens(model string, u quota.Usage) {
	if !u.HasTokens {
		return
	}
	p.metrics.Tokens(model, "input", u.Input-u.Cached)
	p.metrics.Tokens(model, "cached_input", u.Cached)
	p.metrics.Tokens(model, "output", u.Output)
}

// task is the task of the call's model, as a label.
func (p *Proxy) task(c *call) string {
	return string(cmp.Or(c.price.Task, "other"))
}

// measured describes the call for the estimator.
func (p *Proxy) measured(c *call) quota.Request {
	var body, prefix []byte
	length := c.inbound.ContentLength
	switch {
	case c.body != nil:
		body, length = c.body.data, int64(len(c.body.data))
	case c.upload != nil:
		prefix = c.upload.prefix
	}
	if length < 0 {
		length = p.bodies.max
	}
	return measure.Request(c.route.protocol, c.price.Task, body, c.inbound.Header, length, prefix)
}
