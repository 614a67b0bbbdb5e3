package proxy

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/websocket"
)

// An inspector looks at what upstream answers before the caller gets any of it.
type inspector struct {
	failures   *failures
	guard      *guard.Guard
	buffers    *buffers
	unrepaired bool // Config.Unrepaired
	log        *slog.Logger
	dates      dates

	sessions       *websocket.Sessions
	sessionTimeout time.Duration
}

// inspect is where an upstream failure becomes ours, before the status is sent. A successful answer is streamed
// unchanged; only its first bytes are looked at, since Workers AI also fails with HTTP 200.
func (in *inspector) inspect(c *call, res *http.Response) *normalize.Failure {
	h := res.Header
	headers.FilterAnswer(h)
	c.attempt.upstream = upstreamIDs{request: headers.First(h, "Cf-Ai-Req-Id"), ray: headers.First(h, "Cf-Ray")}
	c.attempt.payment = headers.First(h, "Payment-Required")
	in.observeHeaders(c, h)
	c.attempt.neurons = headers.First(h, "Cf-Ai-Neurons")
	c.attempt.ranModel = cmp.Or(headers.First(h, "Cf-Aig-Model"), headers.First(h, "Cf-Aig-Routed-Model"))
	if c.session != nil && res.StatusCode < 300 {
		return in.switched(c, res)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		body := in.readFailure(c, res.Body)
		if m := c.charge.Meter(); m != nil {
			m.Write(body)
		}
		return in.failures.ofAnswer(c, res, body)
	}
	c.attempt.answered = true
	if f := in.inspectBody(c, res); f != nil {
		return f
	}
	in.accepted(c, h)
	return nil
}

// accepted completes the headers of an answer that is a success.
func (in *inspector) accepted(c *call, h http.Header) {
	c.attempt.answered = true
	c.credentials.RemoveFrom(h, c.inbound.Header)
	delete(h, "X-Neuronward-Neurons")
	if !c.attempt.cached { // the cache says nothing of the account
		c.charge.Accepted()
	}
	c.recovered = true
	in.failures.rates.limitHeaders(c, h)
	own := &c.writer.own
	own.Set("X-Request-Id", c.requestID)
	own.Set("Request-Id", c.requestID)
	c.ownHeaders()
	if c.attempt.neurons != "" {
		own.Set("X-Neuronward-Neurons", c.attempt.neurons)
	}
}

// observeHeaders reads what every answer of upstream's says beside itself: whether it comes from a cache, and the time,
// unless a cache made that old.
func (in *inspector) observeHeaders(c *call, h http.Header) {
	if !in.guard.On() {
		return
	}
	c.attempt.cached = strings.EqualFold(headers.First(h, "Cf-Aig-Cache-Status"), "HIT")
	if c.attempt.cached || headers.First(h, "Age") != "" {
		return
	}
	if date, ok := in.dates.parse(headers.First(h, "Date")); ok {
		in.guard.Observe(date)
	}
}

// inspectBody decides by the first bytes of a 2xx answer whether it is a success, and replaces the body by one that
// begins with these bytes.
func (in *inspector) inspectBody(c *call, res *http.Response) *normalize.Failure {
	kind := mediaType(headers.First(res.Header, "Content-Type"))
	c.answer = meteredBody{call: c, src: res.Body}
	body := &c.answer
	switch {
	case kind == "text/event-stream" && !encoded(res.Header):
		return in.inspectStream(c, res)
	case opaque(kind) || kind == "text/event-stream" || res.StatusCode == http.StatusNoContent:
		c.watch.Begin(true)
		res.Body = body
		if kind == "text/event-stream" {
			res.ContentLength = -1 // each piece is passed at once
		}
		return nil
	}
	buf := in.buffers.Get()
	n, err := in.lookAhead(c, res, kind, buf)
	if err != nil && err != io.EOF {
		in.buffers.Put(buf)
		return c.broken(err)
	}
	if normalize.IsFailure(decoded(res.Header, buf[:n])) {
		f := in.failures.ofAnswer(c, res, buf[:n])
		in.buffers.Put(buf)
		return f
	}
	c.watch.Begin(err == nil)
	body.buffers, body.buf, body.ahead = in.buffers, buf, buf[:n]
	first, _ := jsonscan.FirstByte(buf[:n])
	if m := c.charge.Meter(); m != nil && first == '{' {
		body.meter = m
		m.Write(buf[:n])
	}
	if err == io.EOF {
		body.end = io.EOF
	}
	res.Body = body
	return nil
}

// lookAhead reads as much of an answer as it takes to know whether it is a failure: JSON and pages as far as the buffer
// goes, since a failure is short; a text only as far as its first words.
func (in *inspector) lookAhead(c *call, res *http.Response, kind string, buf []byte) (n int, err error) {
	const firstWords = 32 // bytes; longer than what upstream's texts begin with
	for err == nil && n < len(buf) {
		first, begun := jsonscan.FirstByte(buf[:n])
		json := first == '{' || first == '<' || encoded(res.Header)
		text := strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == ""
		if begun && !json && (!text || n >= firstWords) {
			break
		}
		var m int
		m, err = c.fill(res.Body, buf[n:])
		n += m
	}
	return n, err
}

// failureLimit is how long the body of a failure may take: what came until then decides.
const failureLimit = 5 * time.Second

var errSlowFailure = errors.New("the body of a failure took too long")

// readFailure reads the body of a failure as far as it can matter. One that ends early is judged by what came.
func (in *inspector) readFailure(c *call, src io.Reader) []byte {
	c.own.stop()
	slow := time.AfterFunc(failureLimit, func() { c.cancel(errSlowFailure) })
	body, err := io.ReadAll(io.LimitReader(src, normalize.MaxErrorBody))
	slow.Stop()
	c.own.start()
	if err != nil {
		in.log.Debug("the body of upstream's failure ended early", "request_id", c.requestID, "err", err)
	}
	return body
}
