package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

const (
	// A further attempt waits a random time up to firstBackoff, the next up to twice that, and so on: full jitter, so that
	// callers who failed together do not come back together.
	firstBackoff = 500 * time.Millisecond

	// mostBackoff bounds that, and the wait that upstream may ask for: longer ones are the caller's to wait.
	mostBackoff = 5 * time.Second
)

// repeats is how many further attempts a failure is worth: most is
// Config.Retries. Only what certainly did not run, or failed at once, is
// repeated; what may have run and been billed (504, 520, 524, a time limit, a
// connection lost after the call was written) never is, nor what the caller
// must change.
func (c *call) repeats(f *normalize.Failure, status, most int) int {
	switch f.Code {
	case normalize.OutOfCapacity:
		if c.rejectIfBusy() { // who asks to be told at once is told at once
			return 0
		}
		return most
	case normalize.UpstreamRetriesExhausted:
		return most
	case normalize.UpstreamInternalError:
		return min(most, 1)
	case normalize.UpstreamUnavailable:
		switch status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, 521, 522, 523: // the edge did not reach anybody
			return most
		}
	case normalize.UpstreamUnreachable:
		if !c.seen() && mends(f.Err) {
			return most
		}
	}
	return 0
}

// mends reports whether a connection that failed may come about a moment later:
// refused or reset, but nothing that only people mend.
func mends(err error) bool {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		network net.Error
	)
	switch {
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &record):
		return false
	case errors.As(err, &dns):
		return dns.IsTemporary
	case errors.As(err, &network) && network.Timeout():
		return false // it has taken long enough
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// replayable reports whether the call can be sent again as it came, and whether
// doing so twice is harmless: inference and reading, from a body that is held.
func (c *call) replayable() bool {
	return c.upload == nil && (c.route.metered() || c.route.method == http.MethodGet)
}

// rejectIfBusy reports whether the body asks for 3040 at once rather than for a
// wait.
func (c *call) rejectIfBusy() bool {
	return c.body != nil && c.body.json != nil && c.body.json.RejectIfBusy()
}

// attemptsHeader gives the header that says how many attempts a call took.
func (c *call) attemptsHeader(h http.Header) {
	if c.attempts > 0 {
		h["X-Neuronward-Attempts"] = []string{strconv.Itoa(c.attempts)}
	}
}

// countRetries counts what became of the further attempts of a call.
func (p *Proxy) countRetries(c *call) {
	outcome := metrics.RetryRecovered
	if !c.healed { // what becomes of the answer afterwards is another matter
		outcome = metrics.RetryFailed
	}
	for _, code := range c.healing {
		p.metrics.Retried(code, outcome)
	}
}

// A retryBudget keeps further attempts to a share of the calls, over the whole
// process, so that an outage is not doubled by those who wait for its end. It
// counts in thousandths of an attempt.
type retryBudget struct {
	share  int64 // earned by each call
	credit atomic.Int64
}

// The budget begins full, so that a call alone may be repeated, and holds no more
// than that: a day of success buys no storm.
const (
	oneAttempt  = 1000
	mostAttempt = 10 * oneAttempt
)

// newRetryBudget returns a budget of share attempts a call; with 0 nothing is
// ever repeated.
func newRetryBudget(share float64) *retryBudget {
	b := &retryBudget{share: int64(share * oneAttempt)}
	if b.share > 0 {
		b.credit.Store(mostAttempt)
	}
	return b
}

// earn counts a call.
func (b *retryBudget) earn() {
	if credit := b.credit.Load(); credit < mostAttempt && b.share > 0 {
		b.credit.CompareAndSwap(credit, min(credit+b.share, mostAttempt)) // lost against another: a fifth of an attempt
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

// repeat decides whether a failed attempt is followed by another, and waits for
// its time. Where it is, it returns nil, and c is as before the first attempt.
// Else it returns what the caller is told: f, or why the wait was broken off.
func (p *Proxy) repeat(c *call, f *normalize.Failure, status int) *normalize.Failure {
	n := c.attempts
	if p.retries == 0 || c.ctx.Err() != nil || n > c.repeats(f, status, p.retries) || !c.replayable() {
		return f
	}
	wait := f.RetryAfter
	if wait == 0 {
		wait = time.Duration(rand.Int64N(int64(min(firstBackoff<<min(n-1, 10), mostBackoff)))) //nolint:gosec // jitter, no secret
	}
	if wait > mostBackoff {
		return f
	}
	if p.breakers.IsOpen(c.model) || !p.budget.spend() {
		f.NoRetry = true
		p.metrics.Retried(f.Code, metrics.RetryBudget)
		return f
	}
	c.charge.Attempt(c.outcome(f))
	c.attempt.sent = nil // nothing of the next one
	if err := p.pause(c, wait); err != nil {
		return c.broken(err)
	}
	if !p.renew(c) {
		return f
	}
	switch d, err := p.pass(c); {
	case err != nil:
		return c.broken(err)
	case !d.OK && !p.guard.Observes():
		f.RetryAfter = max(f.Wait(), d.RetryAfter)
		return f // Workers AI's own word says more than that its turn did not come
	}
	if err := c.charge.Blocked(); err != nil {
		return err
	}
	c.healing = append(c.healing, f.Code)
	c.attempt = attempt{}
	return nil
}

// renew reserves for another attempt, if need be.
func (p *Proxy) renew(c *call) bool {
	c.lap()
	defer c.resume()
	return c.charge.Renew(c.ctx)
}

// pause waits for a time that is not ours.
func (p *Proxy) pause(c *call, wait time.Duration) error {
	c.lap()
	defer c.resume()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}
