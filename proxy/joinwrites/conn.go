package joinwrites

import (
	"net"
	"sync"
)

// A conn is a connection below TLS, or one without it.
type conn struct {
	net.Conn

	mu     sync.Mutex
	began  bool   // something was written
	held   []byte // headers of HTTP/1 that wait for their body, in a block; nil: there are none
	first  bool   // they are the first bytes on the connection
	corked []byte // what waits for uncork, in a block; nil: nothing does
}

func newConn(c net.Conn) *conn { return &conn{Conn: c} }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := !c.began
	c.began = true
	if c.corked != nil {
		c.corked = append(c.corked, p...)
		return len(p), nil
	}
	if c.hold(p, fresh) {
		return len(p), nil
	}
	held := c.held
	c.held = nil
	return c.writeAlone(held, p)
}

// cork keeps what is written until uncork is called: TLS makes a record of every 16 KiB, and of less at first, each of
// which would be a system call.
func (c *conn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = newBlock()
}

// uncork writes what cork has kept. What is written meanwhile waits behind it.
func (c *conn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.corked
	c.corked = nil
	defer freeBlock(text)
	_, err := c.Conn.Write(text)
	return err
}
