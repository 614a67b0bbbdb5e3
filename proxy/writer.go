package proxy

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/timelimit"
)

// A writer writes the answer to the caller and remembers what was sent.
type writer struct {
	http.ResponseWriter
	call *call // that it answers, and is part of

	hijacked func(caller net.Conn) // called when the connection has switched protocols

	passed http.Header // upstream's, for the answer; nil: it is not upstream's
	own    headers.Own // beside them, or in their place

	status    int  // 0 until the headers are sent
	interim   int  // 1xx answers so far
	failed    bool // the caller's connection broke
	written   int64
	firstByte time.Duration // after the call began
}

// WriteHeader notes the final status. Some 1xx answers may come before it.
func (w *writer) WriteHeader(status int) {
	if status < 200 {
		w.writeInterim(status)
		return
	}
	if w.status == 0 {
		w.status = status
		w.call.own.stop()
		h := w.Header()
		maps.Copy(h, w.passed)
		w.own.CopyTo(h)
		if mustClose(w.call.inbound) {
			h["Connection"] = []string{"close"}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// maxInterim is how many 1xx answers one call may have: net/http does not limit how many it reads.
const maxInterim = 5

var errInterim = errors.New("more 1xx answers than a call may have")

// writeInterim passes a 1xx answer on, but for callers of HTTP/1.0, which would take it for the answer (RFC 9110,
// section 15.2). Of its headers, which come before upstream's answer was looked at, it passes the links of a 103 alone.
func (w *writer) writeInterim(status int) {
	if w.interim++; w.interim > maxInterim {
		w.call.cancel(errInterim)
		return
	}
	h := w.Header()
	links := h["Link"]
	clear(h)
	if status == http.StatusEarlyHints {
		for _, link := range links {
			h.Add("Link", w.call.redact(link))
		}
	}
	if w.call.inbound.ProtoAtLeast(1, 1) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.written == 0 && len(b) > 0 {
		w.firstByte = time.Since(w.call.began)
	}
	n, err := w.call.watch.Write(b)
	w.written += int64(n)
	if err != nil && !errors.Is(err, http.ErrContentLength) && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = true
	}
	return n, err
}

// Unwrap lets http.ResponseController reach what this writer does not wrap: without it a stream would not flush.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlushError is what http.ResponseController calls.
func (w *writer) FlushError() error {
	err := w.call.watch.Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		w.failed = true
	}
	return err
}

// maxDrain is how long net/http may wait for the rest of a body that nobody will read. It takes up to 256 KiB of it
// before an answer goes out.
const maxDrain = 5 * time.Second

// limitDrain bounds how long a failed call waits for the rest of its body, be its caller slow or not. Over HTTP/2
// nothing waits for it.
func (w *writer) limitDrain() {
	body := w.call.inbound.Body
	if p, ok := body.(*timelimit.Body); body == nil || body == http.NoBody || ok && p.Over() {
		return
	}
	if w.call.inbound.ProtoMajor == 2 {
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Now().Add(maxDrain))
}

// flush ends the answer and reports whether the caller has it, as far as can be known here. What net/http still holds
// of a long answer is written now, while the watchdog runs: later nobody would notice that it can't be.
func (w *writer) flush(streaming bool) bool {
	if !streaming && w.written > bufferSize {
		_ = w.FlushError()
	}
	return !w.failed
}

// mustClose reports whether the connection must be closed after a request. A request in chunks may have had a
// Content-Length as well, and one of HTTP/1.0 a Transfer-Encoding. net/http drops either silently, but a server in
// front of this proxy may have obeyed it, and then sees another request begin where this one goes on (RFC 9112, section
// 6.1).
func mustClose(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}
