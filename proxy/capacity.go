package proxy

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/guard"
)

// maxSharedModel bounds the bytes of a model's name that is sent to other replicas.
const maxSharedModel = 200

// capacity refuses calls of models that Workers AI has no capacity for.
type capacity struct {
	breakers breaker.Set
	on       bool                          // without retries, every 3040 comes from Workers AI itself
	share    func(model string, free bool) // with other replicas; nil: there are none
	guard    *guard.Guard                  // whose mode holds here, too
	models   *knownModels
	metrics  *metrics.Metrics
	log      *slog.Logger
}

// check refuses a call while the breaker of its model is open. send says that the call is sent next if it may be.
func (cp *capacity) check(c *call, send bool) error {
	if c.Model == "" || c.thirdParty || c.simulated {
		return nil
	}
	wait, ok := cp.breakers.Allow(c.Model, time.Now(), send)
	if ok {
		return nil
	}
	if cp.guard.Observes() {
		c.observe(cp.metrics, "capacity")
		return nil
	}
	c.preempted(cp.metrics, "capacity")
	f := refuse(normalize.OutOfCapacity, fmt.Sprintf("Workers AI has no capacity for %s at present, so this call was "+
		"not sent. One call is sent every few seconds as a trial.", c.modelText), "")
	f.MatchedBy, f.NoRetry = normalize.MatchedRate, true
	f.RetryAfter = max(wait, time.Second)
	return f
}

// observe records whether Workers AI had capacity for one attempt. status is upstream's, 0 where no answer came; f is
// nil for a success.
func (cp *capacity) observe(c *call, f *normalize.Failure, status int) {
	switch {
	case !cp.on || c.Model == "" || c.thirdParty || status == 0 || c.simulated:
	case f == nil && !c.attempt.cached: // another failure says nothing of capacity
		if cp.breakers.Succeeded(c.Model, c.attempt.started, time.Now()) {
			cp.log.Info("Workers AI has capacity for a model again", "model", c.modelText)
			cp.publish(c.Model, true)
		}
	case f != nil && f.Code == normalize.OutOfCapacity && c.attempts == 1 && !c.rejectIfBusy():
		// A call that asks not to be queued gets 3040 more often than others: it does not count.
		open, opened := cp.breakers.Failed(c.Model, time.Now())
		if opened {
			cp.log.Warn("Workers AI has no capacity for a model; most of its calls are answered here with 3040 "+
				"until it has", "model", c.modelText)
		}
		if open { // with each trial, so that a message that was lost comes again
			cp.publish(c.Model, false)
		}
	}
}

// publish tells other replicas that a breaker was opened here, or closed.
func (cp *capacity) publish(model string, free bool) {
	if cp.share != nil && len(model) <= maxSharedModel {
		cp.share(model, free)
	}
}

// remote takes from another replica that it opened the breaker of a model or, with free, that it closed it. The breaker
// here then goes on by itself, with its own trials: a message that is lost comes again, and one that is wrong is
// corrected by the first call that succeeds.
func (cp *capacity) remote(model string, free bool) {
	if !cp.on || model == "" || len(model) > maxSharedModel {
		return
	}
	clipped := clip(model, maxModelText)
	switch {
	case free && cp.breakers.RemoteClosed(model):
		cp.log.Info("another replica reports that Workers AI has capacity for a model again", "model", clipped)
	case !free && cp.breakers.RemoteOpen(model, time.Now()):
		cp.log.Info("another replica reports that Workers AI has no capacity for a model", "model", clipped)
	}
}

// labels lists the models with an open breaker as labels: models that are not known are other.
func (cp *capacity) labels() []string {
	labels := []string{}
	for _, b := range cp.breakers.Status() {
		if label := cp.models.label(b.Model); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}
