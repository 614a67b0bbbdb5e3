package proxy

import (
	"errors"
	"log/slog"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/tokenblock"
)

// ownToken answers calls here while Cloudflare refuses this proxy's own token. Callers' own tokens are no concern of
// it.
type ownToken struct {
	block       tokenblock.Block
	credentials *headers.Credentials
	metrics     *metrics.Metrics
	log         *slog.Logger
}

// check refuses a call while the token is refused. send says that the call is sent next if it may be.
func (o *ownToken) check(c *call, send bool) error {
	c.token = o.credentials.Token()
	if c.token == "" || c.simulated || o.block.Allow(c.token, time.Now(), send) {
		return nil
	}
	c.preempted(o.metrics, "credentials")
	f := refuse(normalize.AuthenticationFailed, "", "")
	f.OursRefused()
	f.MatchedBy = normalize.MatchedLatched
	return f
}

// observe records what the end of an attempt says of the token. Only what Workers AI itself has answered says that it
// is good: Cloudflare's edge and an AI Gateway answer before anybody looks at it.
func (o *ownToken) observe(c *call, err error) {
	if c.token == "" || c.simulated || c.attempts == 0 || c.attempt.cached {
		return
	}
	f, is := errors.AsType[*normalize.Failure](err)
	switch {
	case !is && err != nil:
	case !is || f.FromWorkersAI():
		if o.block.Accepted(c.token, c.attempt.started) {
			o.log.Info("Cloudflare accepts this proxy's API token again")
		}
	case f.RefusesToken():
		if o.block.Refused(c.token, time.Now()) {
			o.log.Error("Cloudflare refuses this proxy's API token: replace it. Calls are answered here, and one "+
				"every "+tokenblock.Pause.String()+" is sent to see", "request_id", c.requestID, "number", f.Number)
		}
	}
}
