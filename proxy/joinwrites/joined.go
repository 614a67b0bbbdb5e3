package joinwrites

import (
	"cmp"
	"crypto/tls"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// maxWaiting is how many bytes wait at most while others are being written.
	maxWaiting = 128 << 10

	// maxKept is how much memory a connection keeps for them.
	maxKept = 32 << 10

	// oneRecord is how many bytes certainly make one record of TLS.
	oneRecord = 1 << 10

	// readWait is how long what has come can still be read once nothing can be written.
	readWait = time.Second

	// closeWait is how long the end of a connection waits for what is to be written, as net/http does.
	closeWait = 250 * time.Millisecond
)

// A joined connection has a goroutine that writes. What others write meanwhile waits for that together. The goroutine
// also encrypts it: fewer records are made, on a stack that has grown to what that needs.
type joined struct {
	net.Conn       // speaks TLS
	below    *conn // of Conn

	mu      sync.Mutex
	changed sync.Cond // waiting, busy or err
	waiting []byte
	spare   []byte // memory
	busy    bool   // there is a write
	blocked int    // writes that wait for room
	closing bool
	err     error         // why nothing can be written any longer
	wake    chan struct{} // full: something waits; closed with the connection
}

// newJoined joins all further writes to over. Nobody may be writing.
func newJoined(over net.Conn, below *conn) *joined {
	c := &joined{Conn: over, below: below, wake: make(chan struct{}, 1)}
	c.changed.L = &c.mu
	go c.writeAll()
	return c
}

// Write implements net.Conn. Its error is that of an earlier write.
func (c *joined) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) >= maxWaiting && c.err == nil && !c.closing {
		c.blocked++
		c.changed.Wait()
		c.blocked--
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closing:
		return 0, net.ErrClosed
	}
	c.add(p)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// writeAll writes what waits until the connection is closed.
func (c *joined) writeAll() {
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
		err := c.writeAtOnce(text)
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
			_ = c.SetReadDeadline(time.Now().Add(readWait))
			return
		}
	}
}

// writeAtOnce makes one system call for all records of a text.
func (c *joined) writeAtOnce(text []byte) error {
	if len(text) <= oneRecord {
		_, err := c.Conn.Write(text)
		return err
	}
	c.below.cork()
	_, err := c.Conn.Write(text)
	return cmp.Or(err, c.below.uncork())
}

// Read implements net.Conn. Its error is that of a write, where that came first.
func (c *joined) Read(p []byte) (int, error) {
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

// Close writes what waits, and the end of TLS, within closeWait, and closes the connection. Where a write waits for
// room, which it is to end, or where it is called again, it does not wait for what waits.
func (c *joined) Close() error {
	defer time.AfterFunc(closeWait, func() { _ = c.below.Close() }).Stop()
	c.mu.Lock()
	if !c.closing {
		c.closing = true
		for c.err == nil && c.blocked == 0 && (len(c.waiting) > 0 || c.busy) {
			c.changed.Wait()
		}
		close(c.wake)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// ConnectionState is what net/http asks for the TLS of an answer.
func (c *joined) ConnectionState() tls.ConnectionState {
	return c.Conn.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState()
}
