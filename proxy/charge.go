package proxy

import (
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/quota"
)

// reserve sets aside what the call may cost, or says why it may not be made.
// Calls on another account, with the caller's own token, are not ours to meter.
func (p *Proxy) reserve(c *call) (err error) {
	if !c.metered {
		return nil
	}
	g := guard.Call{
		Model: c.price, ModelText: c.modelText, Label: c.label, Client: c.client,
		Request: p.measured(c), Batch: c.queued, Poll: c.poll, Began: c.began,
	}
	if c.entry != nil {
		g.HasClient, g.ClientBudget, g.Priority = true, c.entry.DailyNeurons, c.entry.Priority
	}
	if c.body != nil && c.body.json != nil {
		g.WideBytes = c.body.json.WideBytes
	}
	c.lap()
	c.charge, err = p.guard.Reserve(c.ctx, g)
	c.resume()
	return err
}

// measured describes the call for the estimator.
func (p *Proxy) measured(c *call) quota.Request {
	if c.body != nil && c.body.json != nil {
		return c.body.json.Request(c.price.Task)
	}
	length := c.inbound.ContentLength
	var prefix jsonscan.Pieces
	switch {
	case c.body != nil:
		prefix, length = c.body.text, c.body.size()
	case c.upload != nil:
		prefix = jsonscan.Pieces{c.upload.prefix}
	}
	if length < 0 {
		length = p.bodies.max
	}
	return measure.Media(c.price.Task, c.inbound.Header.Get("Content-Type"), prefix, length)
}

// settle books what the call cost, exactly once and however it ended. It is
// deferred before the reservation is made.
func (p *Proxy) settle(c *call) {
	if c.attempts == 0 { // it was refused before it was made
		c.charge.Release()
		return
	}
	c.settlement = c.charge.Settle(c.outcome(c.failure))
}

// outcome is how the present attempt has ended, for the guard. f is why it
// failed, nil where it did not or where nobody has found out yet.
func (c *call) outcome(f *normalize.Failure) guard.Outcome {
	return guard.Outcome{
		Sent: c.seen(), Cached: c.attempt.cached, Stream: c.stream, Answered: c.attempt.answered,
		Streaming: c.attempt.streaming, Complete: c.complete, HeaderNeurons: c.attempt.neurons, Failure: f,
	}
}

// seen reports whether upstream may have seen the present attempt.
func (c *call) seen() bool { return c.attempt.sent != nil && c.attempt.sent.Load() }

// observeHeaders takes what every answer of upstream's says beside itself: the
// time, unless it comes from a cache and the time is old, and whether it does.
func (p *Proxy) observeHeaders(c *call, h http.Header) {
	if !p.guard.On() {
		return
	}
	c.attempt.cached = strings.EqualFold(h.Get("Cf-Aig-Cache-Status"), "HIT")
	if c.attempt.cached || h.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		p.guard.Observe(date)
	}
}

// blockQuota stops the calls of our account when Workers AI itself has said that
// the day is spent, and only then: by 429 or in a stream, on a call with our
// account.
func (p *Proxy) blockQuota(c *call, f *normalize.Failure, status int, event bool) {
	if f.Code != normalize.AccountLimited || !c.ours || p.simulated(c) {
		return
	}
	if status == http.StatusTooManyRequests || event {
		p.guard.Block(c.charge)
	}
}

// reset returns when the account's day ends and how long to wait before a call
// is tried again that Workers AI has refused because it is spent.
func (p *Proxy) reset(c *call) (at time.Time, retry time.Duration) {
	if !c.ours {
		at = guard.NextMidnight(time.Now())
		return at, time.Until(at)
	}
	return p.guard.Reset()
}

// simulated reports whether the demo's caller asked for a failure, which must not
// end the day or open a breaker.
func (p *Proxy) simulated(c *call) bool {
	return p.simulate && c.inbound.Header.Get("X-Simulate") != ""
}
