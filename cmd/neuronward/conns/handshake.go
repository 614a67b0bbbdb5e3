package conns

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

// handshakes is a listener of connections whose TLS handshake is done. net/http would do the handshake by itself, but
// only on a *tls.Conn, and then what it writes to callers of HTTP/1 could not be seen. HTTP/2 needs a *tls.Conn.
type handshakes struct {
	net.Listener // of conns
	config       *tls.Config
	ready        chan net.Conn
	failed       chan error
	closed       chan struct{}
	once         sync.Once
	places       chan struct{} // for handshakes that have something to compute: half of the processors at most
	working      chan struct{} // for unproven connections of HTTP/2
	unproven     *unproven

	mu      sync.Mutex
	pending map[*conn]struct{} // whose handshake is not done
}

func newHandshakes(ln net.Listener, config *tls.Config) *handshakes {
	h := &handshakes{
		Listener: ln, config: config, ready: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}),
		pending: map[*conn]struct{}{}, places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		working: make(chan struct{}, runtime.GOMAXPROCS(0)), unproven: newUnproven(maxUnproven),
	}
	go h.run()
	return h
}

// run accepts connections until the listener is closed.
func (h *handshakes) run() {
	for {
		c, err := h.Listener.Accept()
		if err == nil {
			go h.handshake(c.(*conn))
			continue
		}
		select {
		case h.failed <- err: // net/http decides whether to go on
		case <-h.closed:
			return
		}
	}
}

// Accept implements net.Listener.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case c := <-h.ready:
		return c, nil
	case err := <-h.failed:
		return nil, err
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener and the connections that Accept has not returned.
func (h *handshakes) Close() error {
	h.once.Do(func() { close(h.closed) })
	h.mu.Lock()
	for c := range h.pending {
		c.Conn.Close() //nolint:errcheck // its handshake fails
	}
	h.mu.Unlock()
	return h.Listener.Close()
}

// handshake makes c ready for HTTP. It has firstRequest for that and for its first request.
func (h *handshakes) handshake(c *conn) {
	limit := time.Now().Add(firstRequest)
	c.firstBy.Store(limit.UnixNano())
	h.mu.Lock()
	h.pending[c] = struct{}{}
	c.turn = newTurn(h.places, func() {})
	h.mu.Unlock()
	secure := tls.Server(c, h.config)
	err := secure.HandshakeContext(context.Background()) // expire ends it
	c.turn.end()
	c.turn = nil
	http2 := secure.ConnectionState().NegotiatedProtocol == "h2"
	if http2 {
		c.turn = newTurn(h.working, h.unproven.wait) // until it has proven itself
		c.stuck = newPause()
		c.http2.Store(secure)
	}
	h.mu.Lock()
	delete(h.pending, c)
	h.mu.Unlock()
	if err != nil {
		c.handshakeFailed(err)
		return
	}
	if http2 && !h.unproven.admit(c, limit) {
		c.Close() //nolint:errcheck // nothing was asked on it
		return
	}
	var next net.Conn = secure
	if !http2 {
		next = &https1{newHTTP1(secure, c), secure}
	}
	select {
	case h.ready <- next:
	case <-h.closed:
		c.Close() //nolint:errcheck // nothing was asked on it
	}
}

// An https1 is an http1 above TLS. net/http asks it what was agreed in the handshake.
type https1 struct {
	*http1
	secure *tls.Conn
}

// ConnectionState returns what was agreed in the handshake.
func (h *https1) ConnectionState() tls.ConnectionState { return h.secure.ConnectionState() }

// handshakeFailed closes a connection. Who has spoken plain HTTP is told so.
func (c *conn) handshakeFailed(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if ok && record.Conn != nil && plainHTTP(record.RecordHeader) {
		err = errors.New("the caller speaks plain HTTP")
		plain := newHTTP1(c, c)
		_, _ = plain.writeRefusal(tlsExpected)
		plain.Close() //nolint:errcheck // the caller has gone
	}
	c.Close() //nolint:errcheck // nothing was asked on it
	// Probes that only connect are no failures, and who is too slow has its limit.
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && c.from.handshakeLines.Allow() {
		c.from.log.Warn("TLS handshake error", "address", c.RemoteAddr().String(), "reason", err.Error())
	}
}

// plainHTTP reports whether a request begins with these bytes.
func plainHTTP(begin [5]byte) bool {
	return slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"}, string(begin[:]))
}
