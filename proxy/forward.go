package proxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/joinwrites"
	"github.com/neuronward/neuronward/proxy/routing"
)

// NewTransport returns a transport for one upstream host and many streams: so many connections are kept for reuse that
// a burst needs no new ones, HTTP/2 connections are pinged so that a dead one is found before a call uses it, and
// nothing is decompressed or redirected. Headers are not kept in a table for later ones over HTTP/2: each call has an
// id of its own, which pushes the others out of it.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    1024,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 256 << 10,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second, MaxEncoderHeaderTableSize: 1,
		},
	}
	joinwrites.Install(t)
	return t
}

// A forwarder makes the upstream request out of a caller's and sends it.
type forwarder struct {
	upstream    routing.Upstream
	credentials *headers.Credentials
	simulate    bool // x-simulate passes
	transport   http.RoundTripper
}

// send is the only way to upstream. It times one attempt.
func (fw *forwarder) send(c *call, r *http.Request) (*http.Response, error) {
	c.attempts++
	c.attempt.started = time.Now()
	c.beginAttempt(r)
	c.own.stop()
	c.watch.Await()
	res, err := fw.transport.RoundTrip(r)
	c.own.start()
	return res, err
}

// resolveUpstream decides which URL is called, now that the model is known.
func (fw *forwarder) resolveUpstream(c *call) (err error) {
	c.base, c.path, err = fw.upstream.Locate(&c.Destination)
	if err != nil || !fw.upstream.Gateway || !c.Route.Nested {
		return err
	}
	// A gateway has the model in the path, and the input alone as the body.
	if c.json.InputTo == 0 {
		return refuse(normalize.IncompleteRequest,
			`Request is missing headers or body: through an AI Gateway the field "input" must be an object.`, "input")
	}
	if !routing.Plain("/" + c.Model) {
		return refuse(normalize.InvalidModelID, "", "model")
	}
	c.path = c.base.Path + "/workers-ai/" + c.Model
	c.body.Cut(c.json.InputFrom, c.json.InputTo)
	return nil
}

// outbound is the request that httputil.ReverseProxy copies. It has neither headers nor a body: rewrite adds what of
// them goes upstream.
func (c *call) outbound(r *http.Request) *http.Request {
	out := r.WithContext(c.ctx)
	out.Header, out.Body, out.ContentLength = nil, nil, 0
	return out
}

var identity = []string{"identity"}

// rewrite makes the upstream request out of the caller's.
func (fw *forwarder) rewrite(r *httputil.ProxyRequest) {
	c, out := callOf(r.Out.Context()), r.Out
	out.URL.Scheme, out.URL.Host = c.base.Scheme, c.base.Host
	out.URL.Path, out.URL.RawPath = c.path, ""
	out.URL.User, out.URL.Fragment = nil, ""
	out.Host = ""
	out.Trailer = nil // it could bring an Authorization behind ours

	if c.session != nil {
		out.URL.RawQuery = c.session.query
	}
	fw.credentials.Forward(out, c.inbound, c.entry, fw.upstream.Gateway && c.Route.Gateway != routing.GatewayAPI)
	h := out.Header
	if !fw.simulate {
		delete(h, "X-Simulate")
	}
	if c.session != nil {
		c.session.rewrite(out, c.inbound.Header, fw.upstream.Gateway)
	}
	// A compressed answer could not be inspected.
	h["Accept-Encoding"] = identity
	h["X-Request-Id"] = []string{c.requestID}
	if c.maxTokensSet > 0 {
		for _, digest := range []string{"Content-Digest", "Content-Md5", "Digest", "Repr-Digest"} { // of what came
			delete(h, digest)
		}
	}
	attachBody(c, out)
}

// attachBody gives the outbound request what the caller sent.
func attachBody(c *call, out *http.Request) {
	out.TransferEncoding = nil
	switch {
	case c.body != nil:
		out.ContentLength = c.body.Size()
		first, sent := c.body.OpenFirst()
		c.attempt.sent, out.Body = sent, first
		// With it the transport may use another connection where an idle one turns out to be closed before anything was
		// written.
		body := c.body
		out.GetBody = func() (io.ReadCloser, error) { return body.Open(sent), nil }
	case c.upload != nil:
		out.ContentLength = c.inbound.ContentLength
		c.attempt.sent = &c.upload.sent
		out.Body = c.upload
	default:
		out.ContentLength = 0
		out.Body = nil
	}
}
