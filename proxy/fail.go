package proxy

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
)

// failures turn what failed into the answer of a call, and what upstream says of a failure into ours.
type failures struct {
	credentials   *headers.Credentials
	guard         *guard.Guard
	rates         *rates
	retryAfterMax time.Duration
	closing       func() bool // the connection is not to be used again
	metrics       *metrics.Metrics
	log           *slog.Logger
	unknown       unknownCodes
}

// answer answers a failed call. It is the one place that writes an error answer.
func (fs *failures) answer(c *call, err error) {
	var f *normalize.Failure
	if !errors.As(err, &f) {
		f = c.broken(err)
	}
	f = c.fail(f)
	if c.writer.status != 0 {
		// The headers are out; the only honest end left is a cut.
		panic(http.ErrAbortHandler)
	}
	if c.seen() && guard.MayHaveRun(f) {
		f.NoRetry = true // nobody but the caller decides to pay twice
	}
	h := c.writer.Header()
	f.SetHeader(h, fs.retryAfterMax)
	fs.rates.limitHeaders(c, h)
	c.ownHeaders()
	if ray := c.attempt.upstream.ray; ray != "" {
		h.Set("Cf-Ray", c.redact(ray))
	}
	if terms := c.attempt.payment; terms != "" && f.Status == http.StatusPaymentRequired {
		h.Set("Payment-Required", c.redact(terms)) // of x402: what the caller would have to pay, and to whom
	}
	if f.Code == normalize.ClientUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="neuronward"`)
	}
	if f.Code == normalize.MethodNotAllowed && c.Allow != "" {
		h.Set("Allow", c.Allow)
	}
	if fs.closing() {
		h.Set("Connection", "close")
	}
	body := f.Append(make([]byte, 0, failureSize))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.writer.limitDrain()
	c.writer.WriteHeader(f.Status)
	_, _ = c.writer.Write(body)
}

// failureSize is room for the envelope of most failures, in bytes.
const failureSize = 2048

// ofAnswer returns the failure that an answer of upstream's is.
func (fs *failures) ofAnswer(c *call, res *http.Response, body []byte) *normalize.Failure {
	return fs.complete(c, normalize.Classify(res.StatusCode, res.Header, body), res.StatusCode, false)
}

// ofEvent returns the failure that an event of a stream is. status is that of the stream's answer.
func (fs *failures) ofEvent(c *call, f *normalize.Failure, status int) *normalize.Failure {
	return fs.complete(c, f, status, true)
}

// complete adds to what upstream said what only this proxy knows: whose credentials were refused, when the day ends,
// whether the code is unknown.
func (fs *failures) complete(c *call, f *normalize.Failure, status int, event bool) *normalize.Failure {
	f.Origin = normalize.OriginUpstream
	fs.credentials.Attribute(f)
	if f.RefusesToken() && fs.credentials.None(c.inbound.Header) {
		f.Message = "This proxy has no Cloudflare API token, and the call brought none. Send one as Authorization: " +
			"Bearer, or have whoever runs this proxy give it one."
	}
	if c.ours && strings.HasPrefix(c.Route.Name, "v1/") && f.Unrouted(!c.thirdParty) {
		f.WrongUpstream() // such a path has nothing of the caller's
	}
	if f.Code == normalize.AccountLimited {
		fs.blockQuota(c, status, event)
		f.ResetsAt, f.RetryAfter = fs.reset(c)
	}
	if f.Unclassified {
		fs.metrics.Unclassified(status)
		if fs.unknown.first(f.Number, status) {
			fs.log.Warn("Workers AI failed in a way that the catalog does not know; please report it",
				"request_id", c.requestID, "status", status, "number", f.Number, "sample", c.redact(sample(f)))
		}
	}
	return f
}

// blockQuota stops the calls of our account when Workers AI itself has said that the day is spent, and only then: by
// 429 or in a stream, on a call with our account.
func (fs *failures) blockQuota(c *call, status int, event bool) {
	if c.ours && !c.thirdParty && !c.simulated && (status == http.StatusTooManyRequests || event) {
		fs.guard.Block(c.charge)
	}
}

// reset returns when the account's day ends and how long to wait before a call is tried again that Workers AI has
// refused because it is spent.
func (fs *failures) reset(c *call) (at time.Time, retry time.Duration) {
	if !c.ours {
		at = guard.NextMidnight(time.Now())
		return at, time.Until(at)
	}
	return fs.guard.Reset()
}

// sample is the upstream message, which normalize has cleaned and bounded.
func sample(f *normalize.Failure) string {
	if f.Upstream == nil {
		return ""
	}
	return f.Upstream.Message
}

// unknownCodes remembers which unknown codes were logged, so that a storm of one makes one line.
type unknownCodes struct {
	mu     sync.Mutex
	logged map[[2]int]struct{}
}

// maxUnknownCodes bounds the memory: upstream, not we, chooses the codes.
const maxUnknownCodes = 256

func (u *unknownCodes) first(number, status int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := [2]int{number, 0}
	if number == 0 {
		key[1] = status
	}
	if _, logged := u.logged[key]; logged || len(u.logged) >= maxUnknownCodes {
		return false
	}
	if u.logged == nil {
		u.logged = make(map[[2]int]struct{})
	}
	u.logged[key] = struct{}{}
	return true
}
