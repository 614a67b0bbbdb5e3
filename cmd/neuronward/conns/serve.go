package conns

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/neuronward/neuronward/proxy/lograte"
)

const (
	// MaxHeader is how large a request line and its headers may be together, in bytes.
	MaxHeader = 16 << 10

	// maxHeaderRead is how much of them net/http reads, in bytes. What is larger over HTTP/2 it answers by itself, or
	// it ends the connection. It counts 32 bytes more for each line there.
	maxHeaderRead = 2 * MaxHeader

	// maxFrame bounds the frames of HTTP/2 that callers send, in bytes: each connection has a buffer for one.
	maxFrame = 16 << 10

	// maxStreams is how many requests may be under way on one connection of HTTP/2.
	maxStreams = 100
)

// NewServer returns a server for Serve. Its limits allow streams: an answer may take any time. Its handler limits how
// slowly a caller may send a body or read an answer.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           &handler{h},
		ReadHeaderTimeout: firstRequest,
		// IdleTimeout is none: expire closes idle connections.
		MaxHeaderBytes: maxHeaderRead,
		HTTP2: &http.HTTP2Config{
			WriteByteTimeout: time.Minute, // nothing at all can be written
			MaxReadFrameSize: maxFrame, MaxConcurrentStreams: maxStreams,
			MaxEncoderHeaderTableSize: 1, // none: a table of 4 KiB takes four times that on each connection
		},
		ErrorLog:    slog.NewLogLogger(limitedTo(log), slog.LevelWarn),
		ConnContext: withConn,
		ConnState:   noteState,
		// OPTIONS * is answered like any other request, with the envelope.
		DisableGeneralOptionsHandler: true,
	}
}

// Serve serves the connections of a Listener, over TLS if s is made for it. ln may stand for the Listener.
func Serve(s *http.Server, ln net.Listener) error {
	if s.TLSConfig != nil {
		return s.Serve(newHandshakes(ln, s.TLSConfig))
	}
	return s.Serve(plain{ln})
}

// plain is a listener of connections on which HTTP/1 is spoken without TLS.
type plain struct{ net.Listener }

// Accept implements net.Listener.
func (p plain) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	of := c.(*conn)
	return newHTTP1(of, of), nil
}

// A noter notes what happens on a connection.
type noter interface {
	begin()            // a request has come
	setIdle(idle bool) // no request is under way, or one may be
}

// noterOf returns that of a connection that net/http has, nil for one that is not of a Listener.
func noterOf(c net.Conn) noter {
	switch c := c.(type) {
	case noter: // HTTP/1
		return c
	case *tls.Conn: // HTTP/2
		if of, ok := c.NetConn().(*conn); ok {
			return of
		}
	}
	return nil
}

// connOf returns the connection below a noter, nil for none.
func connOf(n noter) *conn {
	switch n := n.(type) {
	case *conn:
		return n
	case *http1:
		return n.of
	case *https1:
		return n.of
	}
	return nil
}

type noterKey struct{}

// withConn is the ConnContext of a server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if n := noterOf(c); n != nil {
		return context.WithValue(ctx, noterKey{}, n)
	}
	return ctx
}

// noteState is the ConnState of a server.
func noteState(c net.Conn, state http.ConnState) {
	if n := noterOf(c); n != nil && (state == http.StateIdle || state == http.StateActive) {
		n.setIdle(state == http.StateIdle)
	}
}

// A handler notes that a request has come, before the next one answers it.
type handler struct{ next http.Handler }

// ServeHTTP implements http.Handler. Its frame is small: the stack of a stream that waits has room for all frames below
// it, and little more.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := r.Context().Value(noterKey{}).(noter)
	if n != nil {
		n.begin()
	}
	if r.ProtoMajor == 2 {
		h.serveHTTP2(w, r, n)
		return
	}
	h.next.ServeHTTP(w, r)
	if c := connOf(n); c != nil && !failed(w) {
		c.prove()
	}
}

func (h *handler) serveHTTP2(w http.ResponseWriter, r *http.Request, n noter) {
	if h1, ok := n.(*http1); ok { // how HTTP/2 begins, which net/http takes for a request
		h1.of.from.refuse(w, http2InTheClear)
		return
	}
	c := connOf(n)
	if c == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	if u := c.unproven.Load(); u != nil {
		defer u.begin()()
	}
	if over := overHeader(r); over != nil {
		c.from.refuse(w, *over)
	} else {
		h.next.ServeHTTP(w, r)
	}
	c.finish(w, failed(w))
}

// failed reports whether an answer is a failure: each of them has this header.
func failed(w http.ResponseWriter) bool { return w.Header().Get("X-Should-Retry") != "" }

// Prove notes that the request of a context became a call. Until then there are limits on what its connection may take.
func Prove(request context.Context) {
	n, _ := request.Value(noterKey{}).(noter)
	if c := connOf(n); c != nil {
		c.prove()
	}
}

// limited is a handler of log lines that others cause: it hands on so many a second.
type limited struct {
	slog.Handler
	lines *lograte.Limiter
}

// limitedTo returns a handler of what net/http has to say. Callers cause most of it.
func limitedTo(to *slog.Logger) slog.Handler {
	return limited{to.Handler(), lograte.New(maxLogLines, func(more int) {
		to.Warn("more failures of connections than are logged one by one", "count", more)
	})}
}

// Handle implements slog.Handler.
func (l limited) Handle(ctx context.Context, r slog.Record) error {
	if !l.lines.Allow() {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}
