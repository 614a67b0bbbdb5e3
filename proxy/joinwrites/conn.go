package joinwrites

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// maxWaiting is how many bytes wait at most while others are being written.
	maxWaiting = 128 << 10

	// maxKept is how much memory a connection keeps for them.
	maxKept = 32 << 10

	// closeWait is how long the end of a connection waits for what is to be written.
	closeWait = time.Second
)

// A conn has a goroutine that writes, once join was called. What others write meanwhile waits for that together.
type conn struct {
	net.Conn

	mu      sync.Mutex
	changed sync.Cond // waiting, busy or err
	began   bool      // something was written
	joins   bool      // there is the goroutine
	held    []byte    // headers of HTTP/1 that wait for their body, in a block; nil: there are none
	first   bool      // they are the first bytes on the connection
	waiting []byte
	spare   []byte // memory
	busy    bool   // there is a write
	blocked int    // writes that wait for room
	late    bool   // the deadline of further writes is over
	closing bool
	err     error         // why nothing can be written any longer
	wake    chan struct{} // full: something waits; closed with the connection
}

func newConn(c net.Conn) *conn {
	joined := &conn{Conn: c, wake: make(chan struct{}, 1)}
	joined.changed.L = &joined.mu
	return joined
}

// join joins all further writes. Nobody may be writing.
func (c *conn) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joins && !c.closing {
		c.joins = true
		go c.writeAll()
	}
}

// Write implements net.Conn. Where writes are joined, an error is that of an earlier one.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	fresh := !c.began
	c.began = true
	if !c.joins {
		held, holds := c.held, c.hold(p, fresh)
		if !holds {
			c.held = nil
		}
		c.mu.Unlock()
		if holds {
			return len(p), nil
		}
		return c.writeAlone(held, p)
	}
	defer c.mu.Unlock()
	for len(c.waiting) >= maxWaiting && c.err == nil && !c.closing && !c.late {
		c.blocked++
		c.changed.Wait()
		c.blocked--
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closing:
		return 0, net.ErrClosed
	case c.late:
		return 0, os.ErrDeadlineExceeded
	}
	c.add(p)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// writeAll writes what waits until the connection is closed.
func (c *conn) writeAll() {
	for range c.wake {
		runtime.Gosched() // others may be about to write
		c.mu.Lock()
		text := c.waiting
		if len(text) == 0 { // the last write took what this one was to write
			c.mu.Unlock()
			continue
		}
		c.waiting, c.spare, c.busy = c.spare[:0], nil, true
		c.changed.Broadcast()
		c.mu.Unlock()
		_, err := c.Conn.Write(text)
		c.mu.Lock()
		c.busy, c.err = false, err
		if cap(text) <= maxKept {
			c.spare = text
		}
		freeBlock(text)
		c.changed.Broadcast()
		c.mu.Unlock()
		if err != nil {
			// What has come stays to be read: it may be the answer. Then whoever reads hears of the error.
			_ = c.SetReadDeadline(time.Now().Add(closeWait))
			return
		}
	}
}

// Read implements net.Conn. Its error is that of a write, where that came first.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			err = c.err
		}
	}
	return n, err
}

// SetWriteDeadline implements net.Conn. One that is over ends the writes that have not begun: crypto/tls sets it behind
// its last record, and what it has written until then goes out.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = c.joins && !t.IsZero() && !t.After(time.Now())
	if c.late {
		c.changed.Broadcast()
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close writes what waits, within a second, and closes the connection. It does not wait where a write waits for room,
// which it is to end, nor where it is called again.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.joins && !c.closing {
		c.closing = true
		_ = c.Conn.SetWriteDeadline(time.Now().Add(closeWait)) // one that is closed already has no write
		for c.err == nil && c.blocked == 0 && (len(c.waiting) > 0 || c.busy) {
			c.changed.Wait()
		}
		close(c.wake)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}
