package conns

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/lograte"
)

const (
	// idleFor is how long a connection must have been idle to be closed for one that waits.
	idleFor = 5 * time.Second

	// lookAgain is how often to look for such a connection.
	lookAgain = time.Second

	// quietFor is how long a Listener does not repeat what it has logged of its limits.
	quietFor = time.Minute

	// maxLogLines is how many of the failures that anybody can cause are logged a second by themselves.
	maxLogLines = 10
)

// A Listener limits the connections of another one. Beyond the limit a connection waits unaccepted until another one
// ends; the one that has been idle for longest is closed for it. One address beyond loopback may have half of all: what
// it opens beyond that is closed at once.
type Listener struct {
	net.Listener
	log   *slog.Logger
	slots chan struct{} // one for each open connection
	share int           // of one address

	handshakeLines, refusalLines *lograte.Limiter // of the log
	refused                      atomic.Pointer[func(*normalize.Failure)]

	unread  atomic.Int32 // error answers over HTTP/2 that are being written, on all connections
	looking atomic.Bool  // for the connection with the most of them

	mu       sync.Mutex
	expiry   *time.Timer // calls expire while there are connections
	open     map[*conn]struct{}
	counts   map[netip.Prefix]int // open connections by address
	stopped  chan struct{}        // closed: nobody waits for room any longer
	reason   error                // of that
	fullAt   time.Time            // when it was logged that all connections are in use
	sharesAt time.Time            // when it was logged that an address has its share
	unreadAt time.Time            // when it was logged that a connection was closed because of unread answers
}

// Limit returns a listener of at most limit connections at once.
func Limit(ln net.Listener, limit int, log *slog.Logger) *Listener {
	return &Listener{
		Listener: ln, log: log, slots: make(chan struct{}, limit), share: max(limit/2, 1),
		open: map[*conn]struct{}{}, counts: map[netip.Prefix]int{}, stopped: make(chan struct{}),
		handshakeLines: lograte.New(maxLogLines, func(more int) {
			log.Warn("more TLS handshakes failed than are logged one by one", "count", more)
		}),
		refusalLines: lograte.New(maxLogLines, func(more int) {
			log.Info("more requests are not valid HTTP than are logged one by one", "count", more)
		}),
	}
}

// Accept waits for a connection, and before that for room for one.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		if err := l.acquire(); err != nil {
			return nil, err
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		if conn := l.admit(c); conn != nil {
			return conn, nil
		}
	}
}

// acquire takes a slot as soon as there is one.
func (l *Listener) acquire() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	l.mu.Lock()
	stopped := l.stopped
	l.mu.Unlock()
	look := time.NewTimer(0)
	defer look.Stop()
	for waited := false; ; waited = true {
		select {
		case l.slots <- struct{}{}:
			return nil
		case <-stopped:
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.reason
		case <-look.C:
		}
		if waited {
			l.warn(&l.fullAt, "all connections are in use: further ones wait until one ends", "limit", cap(l.slots))
		}
		l.closeIdle(idleFor, false, netip.Prefix{})
		look.Reset(lookAgain)
	}
}

// closeIdle closes the connection that has been idle for longest, if that is long. One on which a request has succeeded
// is closed only where there is no other one, and not at all if unproven is set. If of is valid, it closes none but one
// of that address.
func (l *Listener) closeIdle(long time.Duration, unproven bool, of netip.Prefix) {
	var oldest *conn
	latest := time.Now().Add(-long).UnixNano()
	since := latest
	l.mu.Lock()
	for c := range l.open {
		at, proven := c.idle.Load(), c.proven.Load()
		if at == 0 || at > latest || unproven && c.unproven.Load() == nil || of.IsValid() && c.address != of {
			continue
		}
		if proven && oldest != nil && !oldest.proven.Load() {
			continue
		}
		if at <= since || !proven && oldest.proven.Load() {
			oldest, since = c, at
		}
	}
	l.mu.Unlock()
	if oldest != nil {
		oldest.Close() //nolint:errcheck // nothing is lost with it
	}
}

// admit returns c as a connection of l, nil if its address has its share.
func (l *Listener) admit(c net.Conn) *conn {
	address := addressOf(c.RemoteAddr())
	conn := &conn{Conn: c, from: l, address: address}
	l.mu.Lock()
	over := address.IsValid() && l.counts[address] >= l.share
	if !over {
		l.open[conn] = struct{}{}
		if l.expiry == nil {
			l.expiry = time.AfterFunc(expireEvery, l.expire)
		}
		if address.IsValid() {
			l.counts[address]++
		}
	}
	l.mu.Unlock()
	if !over {
		return conn
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it must not remain half closed
	}
	c.Close() //nolint:errcheck // nothing was sent on it
	<-l.slots
	l.warn(&l.sharesAt, "an address has its share of the connections: further ones of it are closed",
		"address", address.String(), "share", l.share)
	return nil
}

// forget gives back what a connection held.
func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	delete(l.open, c)
	if c.address.IsValid() {
		if l.counts[c.address]--; l.counts[c.address] == 0 {
			delete(l.counts, c.address)
		}
	}
	l.mu.Unlock()
	<-l.slots
}

// warn logs, unless it did so lately; last is guarded by l.mu.
func (l *Listener) warn(last *time.Time, msg string, args ...any) {
	now := time.Now()
	l.mu.Lock()
	due := last.IsZero() || now.Sub(*last) >= quietFor
	if due {
		*last = now
	}
	l.mu.Unlock()
	if due {
		l.log.Warn(msg, args...)
	}
}

// SetDeadline makes Accept return at once if at has passed, as that of a TCP listener does.
func (l *Listener) SetDeadline(at time.Time) error {
	if !at.IsZero() && !at.After(time.Now()) {
		l.stop(os.ErrDeadlineExceeded)
	} else {
		l.mu.Lock()
		l.stopped, l.reason = make(chan struct{}), nil
		l.mu.Unlock()
	}
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(at)
	}
	return nil
}

// Close closes the listener and none of its connections.
func (l *Listener) Close() error {
	l.stop(net.ErrClosed)
	return l.Listener.Close()
}

// stop ends the wait for room.
func (l *Listener) stop(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		close(l.stopped)
	}
	l.reason = reason
}

// addressOf is what counts as one address: an IPv4 address or the /64 of an IPv6 one, which a host has to itself. It is
// invalid for loopback, and where there is none.
func addressOf(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if !ip.IsValid() || ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil { // there are that many
		return netip.Prefix{}
	}
	return prefix
}
