package conns

import (
	"bytes"
	"errors"
)

// maxLines is how many lines the headers of HTTP/1 may have. net/http keeps each of them with an overhead that is many
// times the size of a short one. Over HTTP/2 an overhead of 32 bytes counts for each.
const maxLines = 256

var errManyLines = errors.New("the headers have too many lines")

// A lineCounter counts the lines of one request's headers as they come.
type lineCounter struct {
	lines int
	blank bool // nothing but \r has come of this line, which is not the first
	ended bool // a blank line ends the headers
}

// count takes what comes next and returns how much of it is within maxLines.
func (c *lineCounter) count(b []byte) int {
	rest := b
	for !c.ended {
		line, behind, found := bytes.Cut(rest, []byte{'\n'})
		empty := len(bytes.TrimSuffix(line, []byte{'\r'})) == 0
		if !found {
			c.blank = c.blank && empty
			break
		}
		if c.lines++; c.lines > maxLines {
			return len(b) - len(rest)
		}
		c.ended = c.blank && empty
		c.blank = true
		rest = behind
	}
	return len(b)
}
