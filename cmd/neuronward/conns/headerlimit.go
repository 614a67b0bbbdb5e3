package conns

import (
	"bytes"
	"errors"
)

// maxLines is how many lines the headers of HTTP/1 may have. net/http keeps each of them with an overhead that is many
// times the size of a short one. Over HTTP/2 an overhead of 32 bytes counts for each.
const maxLines = 256

var errOverHeader = errors.New("the headers have too many lines or bytes")

// A headerCounter counts the lines and bytes of one request's headers as they come.
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
