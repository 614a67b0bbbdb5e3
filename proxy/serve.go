package proxy

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/routing"
)

// ServeHTTP takes one call from top to bottom. What must happen at its end is deferred where it becomes due; each step
// returns its error, and failures.answer answers it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if routing.Upgrades(r) {
		r = headers.TakeKeys(r)
	}
	c := p.begin(w, r)
	defer p.linger(c) // after all else
	defer p.end(c)
	defer p.rescue(c)

	if err := p.admit(c, r); err != nil {
		p.failures.answer(c, err)
		return
	}
	if c.entry != nil {
		p.accept(c.caller)
	}
	if !c.Route.Local() {
		if err := p.slots.acquire(c); err != nil {
			p.failures.answer(c, err)
			return
		}
		defer p.slots.release(c)
	}
	if err := p.readBody(c, r); err != nil {
		p.failures.answer(c, err)
		return
	}
	if c.Route.Answer != routing.AnsweredUpstream {
		if err := p.answer(c); err != nil {
			p.failures.answer(c, err)
		}
		c.complete = true
		return
	}
	defer c.settle()
	if err := p.checkLimits(c); err != nil {
		p.failures.answer(c, err)
		return
	}
	p.accept(c.caller)
	p.passOn(c, r)
	if c.streaming != nil {
		c.streaming.ended(c.streaming.deliver())
	}
	c.complete = c.delivered()
}

// passOn sends a call to upstream and the answer to the caller; of a stream, the headers.
func (p *Proxy) passOn(c *call, r *http.Request) { p.reverse.ServeHTTP(&c.writer, c.outbound(r)) }

// begin opens the record of a call.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) *call {
	p.enter()
	p.metrics.Began()
	c := &call{client: anonymous, began: time.Now(), inbound: r, credentials: &p.credentials, setting: p.setting}
	c.label = metrics.Other
	c.own.start()
	c.simulated = p.simulate && r.Header.Get("X-Simulate") != ""
	c.requestID = p.credentials.RequestID(r.Header)
	c.caller = r.Context()
	p.beginTrace(c, r.Header)
	c.ctx, c.cancel = context.WithCancelCause((*callContext)(c))
	c.writer.ResponseWriter, c.writer.call = w, c
	c.watch.Limits, c.watch.Began, c.watch.Expired, c.watch.Caller = p.limits, c.began, c.cancel, w
	return c
}

// end closes the record of a call: its time limits, its memory, what is written of it.
func (p *Proxy) end(c *call) {
	c.watch.Stop()
	c.cancel(nil)
	if c.body != nil {
		c.body.Release()
	}
	p.releaseSession(c)
	c.own.stop()
	p.recorder.record(c)
	c.json.Release()
	c.charge.Close()
	c.json, c.charge, c.settlement = nil, nil, nil // another call may have them now
	p.leave()
}

// rescue answers a panic that left the caller without an answer. Once bytes are out, the panic goes on: to end normally
// would make half an answer look whole.
func (p *Proxy) rescue(c *call) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler { //nolint:errorlint // the value that net/http compares with
		p.log.Error("a bug in this proxy: panic while serving a call",
			"request_id", c.requestID, "panic", c.redact(fmt.Sprint(v)), "stack", string(debug.Stack()))
		c.fail(unable(normalize.Internal, "", nil))
		if c.writer.status == 0 {
			p.failures.answer(c, c.failure)
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// admit refuses what is not for this proxy before anything is read.
func (p *Proxy) admit(c *call, r *http.Request) error {
	if p.refusesAll() {
		return refuse(normalize.ShuttingDown, p.notYet, "")
	}
	d, failure := routing.Locate(r)
	p.setTarget(c, d)
	if err := p.access.checkOrigin(c, r); err != nil {
		return err
	}
	if err := p.access.identify(c, r.Header); err != nil {
		return err
	}
	if c.HasFinetunes() && !c.mayFinetune() {
		d, failure = c.WithoutFinetunes(r.Method)
		p.setTarget(c, d)
	}
	if failure != nil {
		if failure.Code == normalize.RouteNotProxied && !routing.Upgrades(r) {
			failure.Message = c.explainNotProxied(r.URL.Path)
		}
		return failure
	}
	if !c.ours && (p.credentials.Token() != "" || p.forward.upstream.Gateway) {
		return refuse(normalize.AccountMismatch, "The path names another account than the one whose token this proxy "+
			"holds. Use that account's id, or the paths below /v1 and /ai, which need none.", "")
	}
	return p.checkSession(c, r)
}

// readBody reads the body as far as it must be known, and resolves the model where the body names it.
func (p *Proxy) readBody(c *call, r *http.Request) error {
	model, err := p.bodies.read(c, r)
	if err == nil {
		err = p.checkBatch(c)
	}
	if err != nil || model == "" {
		return err
	}
	d := c.Destination
	d.Model = modelname.Canonical(model)
	p.setTarget(c, d)
	return nil
}

// checkBatch refuses a call that names another client's batch, whatever else it says, and one whose query says twice
// whether it is a batch.
func (p *Proxy) checkBatch(c *call) error {
	if c.entry != nil && p.guard.SubmittedByOther(c.ctx, c.batchID, c.client) {
		return forbidden("Another client of this proxy submitted the batch of this request_id.")
	}
	if _, times := queues(c.inbound.URL); times > 1 {
		return refuse(normalize.BadInput, "The query gives queueRequest twice; give it once.", "queueRequest")
	}
	return nil
}

// answer answers a call that is not for upstream.
func (p *Proxy) answer(c *call) error {
	if c.Route.Answer == routing.AnsweredReference {
		return answerReference(c)
	}
	if err := p.rates.wait(c); err != nil {
		return err
	}
	if err := p.token.check(c, true); err != nil {
		return err
	}
	err := p.lister.answer(c)
	p.token.observe(c, err)
	return err
}

// checkLimits says where the call goes and whether it may be made: by its client, by the capacity of its model, by the
// neurons that it may need and by its requests per minute. These come last: what is refused takes none of them. What
// may have changed while the call waited is asked again.
func (p *Proxy) checkLimits(c *call) error {
	if err := p.allowed.check(c); err != nil {
		return err
	}
	if err := p.forward.resolveUpstream(c); err != nil {
		return err
	}
	if err := c.authorize(); err != nil {
		return err
	}
	if err := p.token.check(c, false); err != nil {
		return err
	}
	p.deprecations.warn(c)
	if err := p.capacity.check(c, false); err != nil {
		return err
	}
	p.limitOutput(c)
	if err := p.reserve(c); err != nil {
		return err
	}
	if err := p.rates.wait(c); err != nil {
		return err
	}
	if f := c.charge.Blocked(); f != nil {
		return f
	}
	if err := p.capacity.check(c, true); err != nil {
		return err
	}
	return p.token.check(c, true)
}
