package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/timelimit"
)

// Why this proxy itself ended a call.
var (
	errShutdown = errors.New("this proxy is shutting down")
)

// broken returns why there is no answer, or no more of it: most specific first.
func (c *call) broken(err error) *normalize.Failure {
	switch context.Cause(c.ctx) {
	case timelimit.ErrFirstByte:
		return unable(normalize.Timeout, "Request timeout: Workers AI sent no answer within "+
			durationText(c.watch.Limits.FirstByte)+" ({FIRST_BYTE_TIMEOUT}).", err)
	case timelimit.ErrIdle:
		return unable(normalize.Timeout, "Request timeout: Workers AI sent nothing more for "+
			durationText(c.watch.Limits.Idle)+" ({STREAM_IDLE_TIMEOUT}).", err)
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
	switch {
	case c.caller.Err() != nil:
		return c.abandoned("the caller left before the answer.", err)
	case c.writer.status != 0 || c.attempt.answered:
		return unable(normalize.StreamInterrupted, "", err)
	}
	return unable(normalize.UpstreamUnreachable, unreachable(err), err)
}

// callerGone reports whether the caller, rather than upstream or this proxy, ended the call.
func (c *call) callerGone() bool {
	return c.writer.failed || c.caller.Err() != nil && !errors.Is(context.Cause(c.caller), errShutdown)
}

// abandoned returns the failure of a call whose caller left, or read nothing of the answer until it was cut off.
func (c *call) abandoned(how string, err error) *normalize.Failure {
	if c.watch.HasCut() {
		how = "the caller took nothing of the answer for " + durationText(c.watch.Limits.Stalled) + "."
	}
	return unable(normalize.Aborted, "Request was aborted: "+how, err)
}

// unreachable describes a transport error without giving anything away.
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
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		return "The connection to Workers AI broke before an answer came."
	case errors.As(err, &network) && network.Timeout():
		return "Workers AI could not be reached: connecting took too long."
	}
	return ""
}

// isTransient reports whether a connection that failed may succeed a moment later: it was refused or reset, and nobody
// has to change anything first.
func isTransient(err error) bool {
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
