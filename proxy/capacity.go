package proxy

import (
	"fmt"
	"slices"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/breaker"
)

// maxSharedModel bounds the bytes of a model's name that replicas tell each other.
const maxSharedModel = 200

// capacity refuses a call while the breaker of its model is open. send says that the call is sent next if it may be.
func (p *Proxy) capacity(c *call, send bool) error {
	if c.model == "" || p.simulated(c) {
		return nil
	}
	wait, ok := p.breakers.Allow(c.model, time.Now(), send)
	if ok {
		return nil
	}
	if p.guard.Observes() {
		if send { // each call is asked about twice and counted once
			p.metrics.Preempted("capacity", metrics.ModeObserve)
		}
		return nil
	}
	p.metrics.Preempted("capacity", metrics.ModeEnforce)
	f := refuse(normalize.OutOfCapacity, fmt.Sprintf("Workers AI has no capacity for %s at present, so this call was not sent. "+
		"One call is let through every few seconds to see.", c.modelText), "")
	f.MatchedBy, f.NoRetry = normalize.MatchedRate, true
	f.RetryAfter = max(wait, time.Second)
	return f
}

// noteCapacity records whether Workers AI had capacity for one attempt. status is upstream's, 0 where no answer came; f
// is nil for a success.
func (p *Proxy) noteCapacity(c *call, f *normalize.Failure, status int) {
	switch {
	case p.retries == 0 || c.model == "" || status == 0 || p.simulated(c):
	case f == nil && !c.attempt.cached: // another failure says nothing of capacity
		if p.breakers.Succeeded(c.model, c.attempt.started, time.Now()) {
			p.log.Info("Workers AI has capacity for a model again", "model", c.modelText)
			p.shareCapacity(c.model, true)
		}
	case f != nil && f.Code == normalize.OutOfCapacity && c.attempts == 1 && !c.rejectIfBusy():
		// A call that asks not to be queued gets 3040 more often than others: it does not count.
		open, opened := p.breakers.Failed(c.model, time.Now())
		if opened {
			p.log.Warn("Workers AI has no capacity for a model; most of its calls are answered here with 3040 until it has",
				"model", c.modelText)
		}
		if open { // with each trial, so that a message that was lost comes again
			p.shareCapacity(c.model, false)
		}
	}
}

// shareCapacity tells other replicas that a breaker was opened here, or closed.
func (p *Proxy) shareCapacity(model string, free bool) {
	if p.onCapacity != nil && len(model) <= maxSharedModel {
		p.onCapacity(model, free)
	}
}

// RemoteCapacity takes from another replica that it opened the breaker of a model or, with free, that it closed it. The
// breaker here then goes on by itself, with its own trials: a message that is lost comes again, and one that is wrong is
// corrected by the first call that succeeds.
func (p *Proxy) RemoteCapacity(model string, free bool) {
	if p.retries == 0 || model == "" || len(model) > maxSharedModel {
		return
	}
	changed, text := false, "another replica reports that Workers AI has no capacity for a model"
	if free {
		changed, text = p.breakers.RemoteClosed(model), "another replica reports that Workers AI has capacity for a model again"
	} else {
		changed = p.breakers.RemoteOpen(model, time.Now())
	}
	if changed {
		p.log.Info(text, "model", clip(model, 100))
	}
}

// Breakers returns the models that Workers AI has no capacity for at present; most of their calls are answered here.
func (p *Proxy) Breakers() []breaker.Status { return p.breakers.Status() }

// BreakerLabels returns the same as labels: models that are not known are other.
func (p *Proxy) BreakerLabels() []string {
	labels := []string{}
	for _, b := range p.Breakers() {
		if label := p.models.label(b.Model); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}
