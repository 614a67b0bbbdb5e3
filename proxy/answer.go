package proxy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/meter"
)

// An inspector looks at what upstream answers before the caller gets any of it.
type inspector struct {
	failures *failures
	guard    *guard.Guard
	buffers  *buffers
	log      *slog.Logger
}

// inspect is where an upstream failure becomes ours, before the status is sent. A successful answer is streamed unchanged;
// only its first bytes are looked at, since Workers AI also fails with HTTP 200.
func (p *inspector) inspect(c *call, res *http.Response) *normalize.Failure {
	h := res.Header
	withoutHops(h)
	c.attempt.upstream = upstreamIDs{request: h.Get("Cf-Ai-Req-Id"), ray: h.Get("Cf-Ray")}
	p.observeHeaders(c, h)
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") { // no page is let in
			delete(h, name)
		}
	}
	c.attempt.neurons = h.Get("Cf-Ai-Neurons")
	if res.StatusCode < 200 || res.StatusCode > 299 {
		body := p.readFailure(c, res.Body)
		if m := c.charge.Meter(); m != nil {
			m.Write(body)
		}
		return p.failures.ofAnswer(c, res, body)
	}
	c.attempt.answered = true
	if f := p.look(c, res); f != nil {
		return f
	}
	delete(h, "X-Neuronward-Neurons")
	if !c.attempt.cached { // the cache says nothing of the account
		c.charge.Accepted()
	}
	c.recovered = true
	p.failures.rates.limitHeaders(c, h)
	id := []string{c.requestID}
	h["X-Request-Id"], h["Request-Id"] = id, id
	c.attemptsHeader(h)
	if c.attempt.neurons != "" {
		h["X-Neuronward-Neurons"] = []string{c.attempt.neurons}
	}
	return nil
}

// observeHeaders takes what every answer of upstream's says beside itself: the
// time, unless it comes from a cache and the time is old, and whether it does.
func (p *inspector) observeHeaders(c *call, h http.Header) {
	if !p.guard.On() {
		return
	}
	c.attempt.cached = strings.EqualFold(h.Get("Cf-Aig-Cache-Status"), "HIT")
	if c.attempt.cached || h.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		p.guard.Observe(date)
	}
}

// look decides by the first bytes of a 2xx answer whether it is a success, and
// puts a body in place that gives these bytes back.
func (p *inspector) look(c *call, res *http.Response) *normalize.Failure {
	kind := mediaType(res.Header.Get("Content-Type"))
	body := &passing{call: c, src: res.Body}
	switch {
	case kind == "text/event-stream" && !encoded(res.Header):
		return p.lookAtStream(c, res)
	case opaque(kind) || kind == "text/event-stream" || res.StatusCode == http.StatusNoContent:
		c.watch.pass(true)
		res.Body = body
		return nil
	}
	buf := p.buffers.Get()
	n, err := p.lookAhead(c, res, kind, buf)
	if err != nil && err != io.EOF {
		p.buffers.Put(buf)
		return c.broken(err)
	}
	if normalize.IsFailure(decoded(res.Header, buf[:n])) {
		f := p.failures.ofAnswer(c, res, buf[:n])
		p.buffers.Put(buf)
		return f
	}
	c.watch.pass(err == nil)
	body.buffers, body.buf, body.ahead = p.buffers, buf, buf[:n]
	if m := c.charge.Meter(); m != nil && firstByte(buf[:n]) == '{' {
		body.meter = m
		m.Write(buf[:n])
	}
	if err == io.EOF {
		body.end = io.EOF
	}
	res.Body = body
	return nil
}

// lookAhead reads as much of an answer as tells whether it is a failure: JSON and
// pages as far as the buffer goes, since a failure is short; a text until it has
// shown how it begins.
func (p *inspector) lookAhead(c *call, res *http.Response, kind string, buf []byte) (n int, err error) {
	const beginning = 32 // bytes; longer than any word that upstream's texts begin with
	for err == nil && n < len(buf) {
		first := firstByte(buf[:n])
		json := first == '{' || first == '<' || encoded(res.Header)
		text := strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == ""
		if first != 0 && !json && (!text || n >= beginning) {
			break
		}
		var m int
		m, err = fill(c, res.Body, buf[n:])
		n += m
	}
	return n, err
}

// fill reads once, on the time of whoever sends: upstream, or the caller.
func fill(c *call, src io.Reader, buf []byte) (int, error) {
	c.lap()
	n, err := src.Read(buf)
	c.resume()
	return n, err
}

// failureLimit is how long the body of a failure may take: what came until then
// decides.
const failureLimit = 5 * time.Second

var errSlowFailure = errors.New("the body of a failure took too long")

// readFailure reads the body of a failure as far as it can matter. One that
// breaks off is judged by what came.
func (p *inspector) readFailure(c *call, src io.Reader) []byte {
	c.lap()
	slow := time.AfterFunc(failureLimit, func() { c.cancel(errSlowFailure) })
	body, err := io.ReadAll(io.LimitReader(src, normalize.MaxErrorBody))
	slow.Stop()
	c.resume()
	if err != nil {
		p.log.Debug("upstream's failure broke off", "request_id", c.requestID, "err", err)
	}
	return body
}

// mediaType returns the lower-case type of a Content-Type, without parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// opaque reports whether an answer of this type can't be a failure in disguise:
// images, speech and other raw bytes.
func opaque(kind string) bool {
	return strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/") ||
		kind == "application/octet-stream"
}

func encoded(h http.Header) bool {
	e := h.Get("Content-Encoding")
	return e != "" && !strings.EqualFold(e, "identity")
}

// decoded returns the beginning of an answer in the clear. Upstream is asked not
// to compress; what sits in front of it may do so all the same.
func decoded(h http.Header, b []byte) []byte {
	if !strings.EqualFold(h.Get("Content-Encoding"), "gzip") {
		return b
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	text, _ := io.ReadAll(io.LimitReader(r, bufferSize)) // it may well be cut short
	return text
}

// passing is the body of an answer on its way: what was looked at, then the rest
// as upstream sends it. It notes what ends it.
type passing struct {
	call    *call
	src     io.ReadCloser
	buffers *buffers
	buf     []byte       // the pooled buffer behind ahead
	ahead   []byte       // looked at, not yet passed on
	end     error        // what follows ahead; nil: more from src
	meter   *meter.Meter // of an answer that says what it cost; nil: of none
}

// Read implements io.Reader.
func (b *passing) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.call.watch.read(b.src, p)
	if b.meter != nil {
		b.meter.Write(p[:n])
	}
	if err != nil && err != io.EOF {
		b.call.fail(b.call.broken(err))
	}
	return n, err
}

// Close implements io.Closer.
func (b *passing) Close() error {
	if b.buf != nil {
		b.buffers.Put(b.buf)
		b.buf, b.ahead = nil, nil
	}
	return b.src.Close()
}

// withoutHops takes out what an answer's Connection header names: it was for this
// proxy alone (RFC 9110, section 7.6.1). It comes before ours are set, which it
// must not name.
func withoutHops(h http.Header) {
	for _, names := range h["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	delete(h, "Connection")
}
