package conns

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A conn is an open connection of a Listener, as it comes from the network.
type conn struct {
	net.Conn
	from    *Listener
	address netip.Prefix
	idle    atomic.Int64             // when it became idle, in nanoseconds since 1970; 0: it is not
	firstBy atomic.Int64             // when a request must have come, in the same; 0: it has, or net/http looks
	proven  atomic.Bool              // one has succeeded, or became a call
	turn    *turn                    // to work on what has come; nil: at any time
	stuck   *pause                   // while its caller does not read; nil: HTTP/2 is not spoken on it
	http2   atomic.Pointer[tls.Conn] // HTTP/2 is spoken on that, above it; nil: it is not
	closing sync.Once

	unproven atomic.Pointer[unproven] // it counts among them; nil: no longer, or HTTP/2 is not spoken on it

	unread  atomic.Int32 // error answers over HTTP/2 that are being written
	dropped bool         // because of too many of them; guarded by from.mu

	goneAway time.Time // when its caller was told to begin no further request; guarded by from.mu
}

// begin notes that a request has come.
func (c *conn) begin() {
	if c.firstBy.Load() != 0 {
		c.firstBy.Store(0)
	}
}

// prove notes that a request has succeeded, or became a call.
func (c *conn) prove() {
	if !c.proven.Swap(true) {
		c.unlimit()
	}
}

// unlimit ends what limits a connection until it has proven itself.
func (c *conn) unlimit() {
	if c.turn != nil {
		c.turn.end()
	}
	if u := c.unproven.Swap(nil); u != nil {
		u.leave(c.address)
	}
}

// setIdle notes whether no request is under way.
func (c *conn) setIdle(idle bool) {
	if idle {
		c.idle.Store(time.Now().UnixNano())
	} else {
		c.idle.Store(0)
	}
}

// Close closes the connection and makes room for another one.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.unlimit()
	c.closing.Do(func() { c.from.forget(c) })
	return err
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if c.stuck == nil {
		return c.readInTurn(b)
	}
	c.turn.release() // before the wait, which takes as long as its caller likes
	c.stuck.wait()
	n, err := c.readInTurn(b)
	c.stuck.ahead.Add(int64(n))
	return n, err
}

func (c *conn) readInTurn(b []byte) (int, error) {
	if c.turn != nil {
		return c.turn.read(c.Conn, b)
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if c.stuck != nil {
		return c.stuck.write(c.Conn, b)
	}
	return c.Conn.Write(b)
}

// CloseWrite says that nothing more will be sent, where the network can say so.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// An http1 is a connection on which HTTP/1 is spoken, above TLS if there is any. What net/http writes on it outside of
// any request is an answer to one that it could not read: it is replaced by the envelope.
type http1 struct {
	net.Conn
	of      *conn
	between atomic.Bool             // no request is under way
	refused atomic.Bool             // by such an answer
	late    atomic.Bool             // what should have come did not come in time
	over    atomic.Pointer[refusal] // the headers have too many lines or bytes
	header  headerCounter           // whoever reads has it
}

func newHTTP1(c net.Conn, of *conn) *http1 {
	h := &http1{Conn: c, of: of}
	h.between.Store(true)
	return h
}

// begin notes that a request has come.
func (h *http1) begin() {
	h.between.Store(false)
	h.of.begin()
}

func (h *http1) setIdle(idle bool) {
	if idle {
		h.header = headerCounter{}
		h.between.Store(true)
	}
	h.of.setIdle(idle)
}

// Read implements net.Conn.
func (h *http1) Read(b []byte) (int, error) {
	if h.over.Load() != nil {
		return 0, errOverHeader
	}
	n, err := h.Conn.Read(b)
	if h.between.Load() {
		if within, over := h.header.count(b[:n]); over != nil {
			h.over.Store(over) // the next read says so: net/http does not answer where the first one of a request fails
			n = within
		}
	}
	if err != nil && h.between.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		h.late.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (h *http1) Write(b []byte) (int, error) {
	if !h.between.Load() {
		return h.Conn.Write(b)
	}
	r := refusalOf(b)
	if h.late.Load() { // for net/http the request is cut off
		r = headersLate
	}
	if over := h.over.Load(); over != nil {
		r = *over
	}
	if _, err := h.writeRefusal(r); err != nil {
		return 0, err
	}
	return len(b), nil
}

// CloseWrite says that nothing more will be sent.
func (h *http1) CloseWrite() error { return closeWrite(h.Conn) }

const (
	// lingerTime is how long, and lingerSize how many bytes, a caller that was refused may send until its connection is
	// closed: what arrives after that resets the connection, and the caller may lose the answer.
	lingerTime = 500 * time.Millisecond
	lingerSize = 256 << 10
)

// Close closes the connection, after a refusal once its caller has had time to read that.
func (h *http1) Close() error {
	if h.refused.Swap(false) && h.CloseWrite() == nil && h.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, h.Conn, lingerSize)
	}
	return h.Conn.Close()
}
