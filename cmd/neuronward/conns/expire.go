package conns

import (
	"io"
	"time"
)

const (
	// firstRequest is how long a connection may take until its first request has come, with its TLS handshake.
	firstRequest = 10 * time.Second

	// maxIdle is how long a connection may be idle.
	maxIdle = 2 * time.Minute

	// goAwayTime is how long a caller of HTTP/2 has to learn that its connection will be closed.
	goAwayTime = 2 * time.Second

	expireEvery = time.Second
)

// expire closes connections whose time is over, once every expireEvery while there are any. net/http would have a timer
// for each. But the runtime keeps timers that were stopped, and what they refer to, until there are many of them or
// their time has come: under an attack 100 MiB of connections that had been closed.
func (l *Listener) expire() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.expire(now)
	}
	if len(l.open) > 0 {
		l.expiry = time.AfterFunc(expireEvery, l.expire)
	} else {
		l.expiry = nil
	}
}

// expire closes the connection if its time is over.
func (c *conn) expire(now time.Time) {
	idle := time.Duration(0)
	if at := c.idle.Load(); at != 0 {
		idle = now.Sub(time.Unix(0, at))
	}
	secure := c.http2.Load()
	first := c.firstBy.Load()
	switch {
	case first != 0 && now.UnixNano() >= first, idle >= maxIdle && secure == nil:
		c.Conn.Close() //nolint:errcheck // who reads it closes c
	case idle >= maxIdle && c.goneAway.IsZero():
		c.goneAway = now
		go io.WriteString(secure, goAway) //nolint:errcheck // the caller may have gone
	case idle >= goAwayTime && !c.goneAway.IsZero() && now.Sub(c.goneAway) >= goAwayTime:
		go secure.Close() //nolint:errcheck // who reads it closes c
	}
}

// goAway is a frame that lets callers of HTTP/2 begin no further request on a connection (RFC 9113, section 6.8). No
// other frame is being written on one that has been idle for long.
const goAway = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x7f\xff\xff\xff" + "\x00\x00\x00\x00"
