package joinwrites

import (
	"bytes"
	"io"
)

// A Ready body is all there: to read it does not wait.
type Ready interface {
	io.Reader
	Unsent() // nothing was written of what was read
}

// hold keeps the headers of a request of HTTP/1 until its body comes: net/http writes them by themselves, and passes
// the body to ReadFrom at once. It reports whether p is that. c.mu is held.
func (c *conn) hold(p []byte, fresh bool) bool {
	if c.held != nil || !awaitsBody(p) {
		return false
	}
	c.held, c.first = append(newBlock(), p...), fresh
	return true
}

// awaitsBody reports whether p is the headers of a request whose body has a length and follows at once.
func awaitsBody(p []byte) bool {
	const end, length = "\r\n\r\n", "\r\nContent-Length: "
	if len(p) > maxWaiting/2 || !bytes.HasSuffix(p, []byte(end)) || p[0] < 'A' || p[0] > 'Z' {
		return false
	}
	at := bytes.Index(p, []byte(length))
	return at >= 0 && p[at+len(length)] != '0' && bytes.Index(p, []byte(end)) == len(p)-len(end) &&
		!bytes.Contains(p, []byte("\r\nExpect: ")) // with it the server asks for the body
}

// takeHeld takes the headers that are held; nil: there are none.
func (c *conn) takeHeld() (held []byte, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, c.held = c.held, nil
	return held, c.first
}

// writeAlone writes headers that are held after all, and then p.
func (c *conn) writeAlone(held, p []byte) (int, error) {
	if held != nil {
		defer freeBlock(held)
		if _, err := c.Conn.Write(held); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// ReadFrom implements io.ReaderFrom, for the body of a request of HTTP/1. The headers that are held go out with the
// first part of a Ready one, and before any other is read.
//
// Where nothing of them could be written, the connection may have been idle for too long. ReadFrom then returns no
// error, but takes the headers back from the count of what was written. For net/http nothing of the request has gone
// out, and it uses another connection.
func (c *conn) ReadFrom(r io.Reader) (n int64, err error) {
	b, first := c.takeHeld()
	head := len(b)
	if b == nil {
		b = newBlock()
	}
	defer freeBlock(b)
	body := r
	if part, ok := r.(*io.LimitedReader); ok {
		body = part.R
	}
	ready, isReady := body.(Ready)
	for err == nil {
		for err == nil && len(b) < maxWaiting && (isReady || len(b) == 0) {
			var m int
			m, err = r.Read(b[len(b):maxWaiting])
			b = b[:len(b)+m]
		}
		if len(b) == 0 {
			break
		}
		m, failed := c.Conn.Write(b)
		n += int64(m - head)
		if failed != nil {
			if head == 0 || m > 0 || !isReady {
				return n, failed
			}
			ready.Unsent()
			if first { // another one would be no better
				return n, failed
			}
			return n, nil
		}
		head, b = 0, b[:0]
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
