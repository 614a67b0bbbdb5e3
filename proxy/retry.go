package proxy

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
)

const (
	// A further attempt waits a random time up to firstBackoff, the next up to twice that, and so on: full jitter, so
	// that callers who failed together do not come back together.
	firstBackoff = 500 * time.Millisecond

	// maxBackoff bounds that, and the wait that upstream may ask for: longer ones are left to the caller.
	maxBackoff = 5 * time.Second
)

// A retryTransport makes as many attempts at a call as it is worth, and returns the answer of the last one, or its
// Failure.
type retryTransport struct {
	forward   *forwarder
	inspector *inspector
	max       int // further attempts at one call; 0: none
	budget    *retryBudget
	capacity  *capacity
	token     *ownToken
	rates     *rates
	guard     *guard.Guard
	metrics   *metrics.Metrics
}

// RoundTrip implements http.RoundTripper. The request's context carries the call.
func (t *retryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callOf(r.Context())
	t.budget.earn()
	for {
		res, f, status := t.try(c, r)
		t.capacity.observe(c, f, status)
		t.rates.observe(c, f)
		if f == nil {
			t.token.observe(c, nil)
			return res, nil
		}
		t.token.observe(c, f)
		c.endAttempt(f, status)
		c.watch.Stop()
		if f = t.shouldRetry(c, f, status); f != nil {
			return nil, f
		}
		r = r.WithContext(r.Context()) // a copy: the transport may still hold the last one
		attachBody(c, r)
	}
}

// try makes one attempt. status is upstream's, 0 where no answer came.
func (t *retryTransport) try(c *call, r *http.Request) (res *http.Response, f *normalize.Failure, status int) {
	res, err := t.forward.send(c, r)
	if err != nil {
		return nil, c.broken(err), 0
	}
	if f = t.inspector.inspect(c, res); f != nil {
		res.Body.Close()
		return nil, f, res.StatusCode
	}
	// What comes behind the body cannot be looked at in time. The transport puts it into the Trailer of its own
	// response, where ReverseProxy would take it from.
	c.passed = *res
	passed := &c.passed
	passed.Trailer = nil
	if res.StatusCode != http.StatusSwitchingProtocols {
		// The writer has the headers: ReverseProxy would copy them one by one.
		c.writer.passed, passed.Header = res.Header, nil
	}
	return passed, nil, res.StatusCode
}

// shouldRetry decides whether a failed attempt is followed by another, and waits for its time. Where it is, shouldRetry
// returns nil, and c is as before the first attempt. Else it returns the failure that the caller gets: f, or why the
// wait ended.
func (t *retryTransport) shouldRetry(c *call, f *normalize.Failure, status int) *normalize.Failure {
	n := c.attempts
	if t.max == 0 || c.ctx.Err() != nil || !c.replayable() {
		return f
	}
	if worth := c.maxRetries(f, status, t.max); n > worth {
		f.NoRetry = worth > 0 // repeated as often as it may be; an SDK would begin anew
		return f
	}
	wait := f.RetryAfter
	if wait == 0 {
		longest := min(firstBackoff<<min(n-1, 10), maxBackoff)
		wait = time.Duration(rand.Int64N(int64(longest))) //nolint:gosec // jitter, no secret
	}
	if wait > maxBackoff {
		return f
	}
	if t.capacity.breakers.IsOpen(c.Model) || !t.budget.spend() {
		f.NoRetry = true
		t.metrics.Retried(f.Code, metrics.RetryBudget)
		return f
	}
	c.charge.Attempt(c.outcome(f))
	c.attempt.sent = nil // nothing of the next one
	if err := c.pause(wait); err != nil {
		return c.broken(err)
	}
	c.own.stop()
	renewed := c.charge.Renew(c.ctx)
	c.own.start()
	if !renewed {
		return f
	}
	switch d, err := t.rates.acquire(c); {
	case err != nil:
		return c.broken(err)
	case !d.OK && !t.guard.Observes():
		f.RetryAfter = max(f.Wait(), d.RetryAfter)
		return f // Workers AI's own failure says more than that the rate was not acquired
	}
	if f := c.charge.Blocked(); f != nil {
		return f
	}
	c.retriedCodes = append(c.retriedCodes, f.Code)
	c.attempt = attempt{}
	return nil
}

// pause waits for a time that is not ours.
func (c *call) pause(wait time.Duration) error {
	c.own.stop()
	defer c.own.start()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// maxRetries is how many further attempts a failure is worth, at most limit. Only what certainly did not run, or failed
// at once, is repeated; what may have run and been billed (504, 520, 524, a time limit, a connection lost after the
// call was written) never is, nor what the caller must change.
func (c *call) maxRetries(f *normalize.Failure, status, limit int) int {
	switch f.Code {
	case normalize.OutOfCapacity:
		if c.rejectIfBusy() { // its caller does not want to wait
			return 0
		}
		return limit
	case normalize.UpstreamRetriesExhausted:
		return limit
	case normalize.UpstreamInternalError:
		return min(limit, 1)
	case normalize.UpstreamUnavailable:
		switch status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, 521, 522, 523: // the edge did not reach anybody
			return limit
		}
	case normalize.UpstreamUnreachable:
		if !c.seen() && isTransient(f.Err) {
			return limit
		}
	}
	return 0
}

// replayable reports whether the call can be sent again unchanged, and whether doing so twice is harmless: inference
// and reading, from a body that is held.
func (c *call) replayable() bool {
	return c.upload == nil && (c.Route.Metered() || c.Route.Method == http.MethodGet)
}

// rejectIfBusy reports whether the body asks for 3040 at once rather than for a wait.
func (c *call) rejectIfBusy() bool {
	return c.json != nil && c.json.RejectIfBusy()
}

// ownHeaders sets the headers that say what this proxy has done with the call, or would have.
func (c *call) ownHeaders() {
	if c.attempts > 0 {
		c.writer.own.Set("X-Neuronward-Attempts", strconv.Itoa(c.attempts))
	}
	if c.maxTokensSet > 0 {
		c.writer.own.Set("X-Neuronward-Max-Tokens-Set", strconv.FormatInt(c.maxTokensSet, 10))
	}
	if c.wouldRefuse != "" {
		c.writer.own.Set("X-Neuronward-Would-Refuse", c.wouldRefuse)
	}
}

// A retryBudget keeps further attempts to a share of the calls, over the whole process, so that an outage is not
// doubled by those who wait for its end. It counts in thousandths of an attempt.
type retryBudget struct {
	share  int64 // earned by each call
	credit atomic.Int64
}

// The budget begins full, so that a call alone may be repeated, and holds no more than that: a day of success buys no
// storm.
const (
	oneAttempt = 1000
	maxCredit  = 10 * oneAttempt
)

// newRetryBudget returns a budget of share attempts a call; with 0 nothing is ever repeated.
func newRetryBudget(share float64) *retryBudget {
	b := &retryBudget{share: int64(share * oneAttempt)}
	if b.share > 0 {
		b.credit.Store(maxCredit)
	}
	return b
}

// earn counts a call.
func (b *retryBudget) earn() {
	if credit := b.credit.Load(); credit < maxCredit && b.share > 0 {
		b.credit.CompareAndSwap(credit, min(credit+b.share, maxCredit)) // lost against another: a fifth of an attempt
	}
}

// spend takes one attempt, if there is one.
func (b *retryBudget) spend() bool {
	for {
		credit := b.credit.Load()
		if credit < oneAttempt {
			return false
		}
		if b.credit.CompareAndSwap(credit, credit-oneAttempt) {
			return true
		}
	}
}
