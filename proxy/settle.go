package proxy

import (
	"strconv"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
)

// settle books what the call cost, exactly once and however it ended. It is
// deferred where the reservation is made, and needs nothing of the caller's
// context: who leaves does not take the bill along.
func (p *Proxy) settle(x *exchange) {
	c := &x.claim
	if c.poll != "" {
		p.settleBatch(x)
		return
	}
	if c.reservation == nil {
		return
	}
	if x.attempts == 0 { // it was refused before it was made
		c.reservation.Release()
		return
	}
	cost := p.cost(x)
	day := c.reservation.Settle(cost)
	p.metrics.Spent(c.call.Model, x.client, cost.Basis.String(), cost.Neurons.Float())
	if x.complete && x.failure == nil && !c.cached && cost.Basis != quota.Estimated {
		p.metrics.EstimateRatio(p.task(x), cost.Neurons.Float()/c.reservation.Neurons().Float())
		if cost.Basis == quota.Reported {
			c.reservation.Calibrate(p.guard.estimator.Learn(x.model, c.estimate, cost.Neurons))
		}
	}
	x.neurons = strconv.FormatFloat(c.before.Add(cost.Neurons).Float(), 'f', -1, 64)
	r := c.meter.Report()
	p.countTokens(c.call.Model, r.Usage)
	if r.Queued() {
		p.guard.batches.add(r.BatchID, submitted{call: c.call, day: day, charged: cost.Neurons, at: x.began})
	}
}

// settleAttempt books what a failed attempt cost, before another is made. Where
// it cost nothing, as is usual, its reservation goes on.
func (p *Proxy) settleAttempt(x *exchange, f *normalize.Failure) {
	c := &x.claim
	if c.reservation != nil {
		x.failure = f
		if cost := p.cost(x); cost.Neurons > 0 {
			c.reservation.Settle(cost)
			c.reservation = nil
			c.before = c.before.Add(cost.Neurons)
			p.metrics.Spent(c.call.Model, x.client, cost.Basis.String(), cost.Neurons.Float())
		}
	}
	x.failure, c.sent, c.cached = nil, nil, false
	if c.meter != nil {
		c.meter = meter.New()
	}
}

// cover reserves for another attempt where the one before has used the
// reservation up, and reports whether there was enough.
func (p *Proxy) cover(x *exchange) bool {
	c := &x.claim
	if c.call.Estimate == 0 || c.reservation != nil { // not metered, or still covered
		return true
	}
	x.lap()
	res, d, err := p.guard.ledger.Reserve(x.ctx, c.call)
	x.resume()
	c.reservation, c.decision, c.decided = res, d, x.mark
	return err == nil && res != nil
}

// cost decides what the call cost, by the best word there is.
func (p *Proxy) cost(x *exchange) quota.Cost {
	c := &x.claim
	whole := quota.Cost{Neurons: c.reservation.Neurons(), Basis: quota.Estimated}
	f := x.failure
	switch {
	case c.cached || !c.seen():
		return quota.Cost{Basis: quota.Reported}
	case f == nil && x.complete:
		if c.meter.Report().Queued() {
			return whole // a submitted batch has not run yet
		}
		if cost, ok := p.reported(x); ok {
			return cost
		}
		if x.streaming {
			return p.seen(x, whole)
		}
		if p.roundedToZero(x) {
			whole.Neurons = min(whole.Neurons, nextToNothing)
			return whole
		}
		return p.guard.estimator.Unsaid(x.model, c.estimate, whole.Neurons)
	case f == nil, f.Origin != normalize.OriginUpstream && (f.Code == normalize.Aborted || f.Code == normalize.ShuttingDown):
		// The caller left, this proxy is ending, or a panic is on its way up.
		return p.brokenOff(x, whole)
	default:
		return p.failed(x, f, whole)
	}
}

// reported is what the wire says of an answer: neurons in its body, else in its
// header, else what it counts times the price.
func (p *Proxy) reported(x *exchange) (quota.Cost, bool) {
	u := x.claim.meter.Report().Usage
	if !u.HasNeurons {
		if n, ok := x.headerNeurons(); ok {
			u.Neurons, u.HasNeurons = n, true
		}
	}
	r := &x.claim.request
	u.Images, u.Width, u.Height, u.Steps, u.Given, u.HasImages = r.MakeImages, r.Width, r.Height, r.Steps, r.Images, true
	u.Sized, u.SizedTiles, u.Assumed = r.Sized, r.SizedTiles, r.Assumed
	return p.guard.estimator.Cost(x.model, u)
}

// nextToNothing bounds what a call cost whose cf-ai-neurons was rounded to 0.00:
// less than 0.005.
const nextToNothing = quota.OneNeuron / 100

// roundedToZero reports whether upstream's header says that a call that
// succeeded cost next to nothing. It is believed of tasks that are billed by
// tokens, where it was seen to count; some models for pictures do not set it.
func (p *Proxy) roundedToZero(x *exchange) bool {
	n, err := strconv.ParseFloat(x.neurons, 64)
	if err != nil || n != 0 {
		return false
	}
	price, _ := p.guard.prices.Model(x.model)
	switch price.Task {
	case quota.TextGeneration, quota.TextEmbeddings, quota.TextClassification, quota.Translation:
		return true
	default:
		return false
	}
}

// headerNeurons is what a call cost at most by cf-ai-neurons, which is rounded to
// a hundredth: half of that may have been cut off. Small calls are rounded to
// 0.00: that is no figure. Neither is more than any call can cost.
func (x *exchange) headerNeurons() (float64, bool) {
	const most, cut = 1e9, 0.005
	n, err := strconv.ParseFloat(x.neurons, 64)
	return max(n, min(n+cut, x.claim.reservation.Neurons().Float())), err == nil && n > 0 && n < most
}

// failed is what a failure costs, by its entry's charge. What upstream has
// reported or sent before it failed counts in any case: a stream that told all
// along what it used, until it broke, needs no estimate. A silent one does: it
// may have gone on.
func (p *Proxy) failed(x *exchange, f *normalize.Failure, whole quota.Cost) quota.Cost {
	charge := f.Code.Entry().Charge
	switch {
	case charge == normalize.ChargeEstimate:
		// Also where a stream has told what it used so far: it may have gone on, and what was on its way is lost.
		return whole
	case x.streaming:
		return p.seen(x, whole)
	case charge == normalize.ChargeReported:
		if cost, ok := p.said(x); ok {
			return cost
		}
	}
	return quota.Cost{Basis: quota.Reported}
}

// said is the neurons that upstream itself named, in the body or the header.
func (p *Proxy) said(x *exchange) (quota.Cost, bool) {
	if u := x.claim.meter.Report().Usage; u.HasNeurons {
		return quota.Cost{Neurons: quota.FromFloat(u.Neurons), Basis: quota.Reported}, true
	}
	n, ok := x.headerNeurons()
	return quota.Cost{Neurons: quota.FromFloat(n), Basis: quota.Reported}, ok
}

// brokenOff is what a call costs that its caller broke off.
func (p *Proxy) brokenOff(x *exchange, whole quota.Cost) quota.Cost {
	if p.guard.abortedEstimate {
		return whole
	}
	if x.streaming || p.wouldStream(x) {
		return p.seen(x, whole)
	}
	// What is not streamed runs to its end whether its caller waits or not.
	if cost, ok := p.said(x); ok {
		return cost
	}
	return whole
}

// wouldStream reports whether a call that broke off before its answer came would
// have been answered by a stream: not only asked for one.
func (p *Proxy) wouldStream(x *exchange) bool {
	price, known := p.guard.prices.Billed(x.model)
	return x.stream && !x.answered && known && price.Task == quota.TextGeneration && !queued(x)
}

// seen is what had passed when a call broke off: the increments that were
// reported, else the prompt and the tokens that were seen; with them what
// upstream had made and not yet sent.
func (p *Proxy) seen(x *exchange, whole quota.Cost) quota.Cost {
	c := &x.claim
	r := c.meter.Report()
	price, known := p.guard.prices.Billed(x.model)
	switch {
	case r.Usage.HasNeurons:
		return quota.Cost{Neurons: quota.FromFloat(r.Usage.Neurons).Add(price.Tokens(0, 0, unsentTokens)), Basis: quota.Reported}
	case !known:
		return whole
	}
	input, output := r.ObservedInput, r.ObservedOutput
	if input == 0 {
		input = c.request.SentTokens(wideBytes(x.body))
	}
	return quota.Cost{Neurons: min(price.Tokens(input, 0, output+unsentTokens), whole.Neurons), Basis: quota.Estimated}
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
func (p *Proxy) settleBatch(x *exchange) {
	c := &x.claim
	u := c.meter.Report().Usage
	if x.failure != nil || !x.complete || !(u.HasNeurons || u.HasTokens) {
		return
	}
	s, ok := p.guard.batches.take(c.poll)
	if !ok {
		return
	}
	cost, ok := p.guard.estimator.Cost(x.model, u)
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
func (p *Proxy) task(x *exchange) string {
	if price, ok := p.guard.prices.Billed(x.model); ok {
		return string(price.Task)
	}
	return "other"
}

// measured describes the call for the estimator.
func (p *Proxy) measured(x *exchange, task quota.Task) quota.Request {
	var body, prefix []byte
	length := x.inbound.ContentLength
	switch {
	case x.body != nil:
		body, length = x.body.data, int64(len(x.body.data))
	case x.upload != nil:
		prefix = x.upload.prefix
	}
	if length < 0 {
		length = p.bodies.max
	}
	return measure(x.route, x.model, task, body, x.inbound.Header, length, prefix)
}

// queued reports whether the call is one of a batch's: its submission, or a poll.
func queued(x *exchange) bool {
	return x.inbound.URL.RawQuery != "" && x.inbound.URL.Query().Get("queueRequest") == "true"
}

// polled returns the request id of a batch that the call asks after, "" for
// every other call.
func (p *Proxy) polled(x *exchange) string {
	if x.body == nil || !queued(x) {
		return ""
	}
	return batchID(x.body.data)
}
