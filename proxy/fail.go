package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// refuse returns a failure of a call that this proxy does not let through.
// message "" is the catalog's.
func refuse(code normalize.Code, message, param string) *normalize.Failure {
	return &normalize.Failure{Code: code, Message: message, Param: param, Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest}
}

// unable returns a failure of this proxy's own making or meeting.
func unable(code normalize.Code, message string, err error) *normalize.Failure {
	return &normalize.Failure{Code: code, Message: message, Origin: normalize.OriginProxy, MatchedBy: normalize.MatchedTransport, Err: err}
}

// fail answers a failed call. It is the one place that writes an error answer.
func (p *Proxy) fail(c *call, err error) {
	var f *normalize.Failure
	if !errors.As(err, &f) {
		f = c.broken(err)
	}
	f = c.fail(f)
	if c.writer.status != 0 {
		// The headers are out; the only honest end left is a cut.
		panic(http.ErrAbortHandler)
	}
	h := c.writer.Header()
	f.SetHeader(h, p.retryAfterMax)
	p.limitHeaders(c, h)
	c.attemptsHeader(h)
	if c.attempt.upstream.ray != "" {
		h.Set("Cf-Ray", c.redact(c.attempt.upstream.ray))
	}
	if f.Code == normalize.ClientUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="neuronward"`)
	}
	if f.Code == normalize.MethodNotAllowed && c.allow != "" {
		h.Set("Allow", c.allow)
	}
	if p.draining.Load() || p.notYet != "" {
		h.Set("Connection", "close")
	}
	c.hurry()
	c.writer.WriteHeader(f.HTTPStatus())
	_, _ = c.writer.Write(f.Append(make([]byte, 0, failureSize)))
}

// failureSize is room for the envelope of most failures, in bytes.
const failureSize = 2048

// forwardFailed is the ErrorHandler of httputil.ReverseProxy: a failure that
// inspectAnswer found, or no answer at all.
func (p *Proxy) forwardFailed(_ http.ResponseWriter, out *http.Request, err error) {
	c := callOf(out.Context())
	p.fail(c, err)
}

// broken says why there is no answer, or no more of it: most specific first.
func (c *call) broken(err error) *normalize.Failure {
	switch c.aborted() {
	case errFirstByte:
		return unable(normalize.Timeout, "Request timeout: Workers AI sent no answer within "+text(c.watch.limits.firstByte)+" ({FIRST_BYTE_TIMEOUT}).", err)
	case errIdle:
		return unable(normalize.Timeout, "Request timeout: Workers AI sent nothing more for "+text(c.watch.limits.idle)+" ({STREAM_IDLE_TIMEOUT}).", err)
	case errShutdown:
		f := refuse(normalize.ShuttingDown, "", "")
		f.Err = err
		return f
	}
	if c.upload != nil && c.caller.Err() == nil {
		if f := c.upload.failed.Load(); f != nil {
			return f
		}
	}
	if c.caller.Err() != nil {
		return c.left("the caller left before the answer.", err)
	}
	if c.writer.status != 0 || c.attempt.answered {
		return unable(normalize.StreamInterrupted, "", err)
	}
	return unable(normalize.UpstreamUnreachable, unreachable(err), err)
}

// unreachable puts a transport error into words that give nothing away.
func unreachable(err error) string {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		network net.Error
	)
	switch {
	case errors.As(err, &dns):
		return "Workers AI could not be reached: its host name could not be resolved."
	case errors.As(err, &cert), errors.As(err, &unknown):
		return "Workers AI could not be reached: the certificate that answered is not valid for it."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Workers AI could not be reached: the connection was refused."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The connection to Workers AI broke before an answer came."
	case errors.As(err, &network) && network.Timeout():
		return "Workers AI could not be reached: connecting took too long."
	}
	return ""
}

// upstreamFailure turns an answer of upstream's that is a failure into ours.
func (p *Proxy) upstreamFailure(c *call, res *http.Response, body []byte) *normalize.Failure {
	f := normalize.Classify(res.StatusCode, res.Header, body)
	p.blockQuota(c, f, res.StatusCode, false)
	return p.attribute(c, f, res.StatusCode)
}

// attribute completes what upstream said with what only this proxy knows: whose
// credentials were refused, when the day ends, whether the code is news.
func (p *Proxy) attribute(c *call, f *normalize.Failure, status int) *normalize.Failure {
	f.Origin = normalize.OriginUpstream
	p.credentials.attribute(f)
	if f.Code == normalize.AccountLimited {
		f.ResetsAt, f.RetryAfter = p.reset(c)
	}
	if f.Unclassified {
		p.metrics.Unclassified(status)
		if p.unknown.first(f.Number, status) {
			p.log.Warn("Workers AI failed in a way that the catalog does not know; please report it",
				"request_id", c.requestID, "status", status, "number", f.Number, "sample", c.redact(sample(f)))
		}
	}
	return f
}

// sample is the upstream message, which normalize has cleaned and bounded.
func sample(f *normalize.Failure) string {
	if f.Upstream == nil {
		return ""
	}
	return f.Upstream.Message
}

// unknownCodes remembers which unknown codes were told, so that a storm of one
// makes one line.
type unknownCodes struct {
	mu   sync.Mutex
	told map[[2]int]struct{}
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
	if _, told := u.told[key]; told || len(u.told) >= maxUnknownCodes {
		return false
	}
	if u.told == nil {
		u.told = make(map[[2]int]struct{})
	}
	u.told[key] = struct{}{}
	return true
}

// text is a duration for people: "6m", not "6m0s".
func text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
