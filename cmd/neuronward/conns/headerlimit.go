package conns

import (
	"bytes"
	"errors"
	"net/http"
)

// maxLines is how many lines the headers may have. net/http keeps each of them with an overhead that is many times the
// size of a short one.
const maxLines = 256

var errOverHeader = errors.New("the headers have too many lines or bytes")

// A headerCounter counts the lines and bytes of one request's headers while they arrive.
type headerCounter struct {
	lines int
	size  int  // the request line included
	blank bool // nothing but \r has come of this line, which is not the first
	ended bool // a blank line ends the headers
}

// count takes what comes next and returns how much of it is within maxLines and MaxHeader, and how it is refused if
// that is not all.
func (c *headerCounter) count(b []byte) (within int, over *refusal) {
	rest := b
	for !c.ended {
		line, behind, found := bytes.Cut(rest, []byte{'\n'})
		if c.size += len(rest) - len(behind); c.size > MaxHeader {
			return len(b) - len(rest), &headersLarge
		}
		empty := len(bytes.TrimSuffix(line, []byte{'\r'})) == 0
		if !found {
			c.blank = c.blank && empty
			break
		}
		if c.lines++; c.lines > maxLines {
			return len(b) - len(rest), &headersMany
		}
		c.ended = c.blank && empty
		c.blank = true
		rest = behind
	}
	return len(b), nil
}

// overHeader returns how a request of HTTP/2 is refused that has too many lines or bytes of headers, as they would be
// in HTTP/1; nil if it has not.
func overHeader(r *http.Request) *refusal {
	if r.ProtoMajor != 2 {
		return nil
	}
	const line = len(": \r\n")
	size := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1\r\n") + len("Host") + len(r.Host) + line + len("\r\n")
	lines := 3 // of the request, of Host, and the blank one
	for name, values := range r.Header {
		lines += len(values)
		for _, value := range values {
			size += len(name) + len(value) + line
		}
	}
	switch {
	case size > MaxHeader:
		return &headersLarge
	case lines > maxLines:
		return &headersMany
	}
	return nil
}
