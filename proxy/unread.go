package proxy

import "io"

// skip reads the body of a call that needs none: net/http would wait for it before
// the answer, for as long as the caller likes.
func skip(c *call, body io.Reader) error {
	n := 0
	var err error
	for buf := make([]byte, 512); err == nil && n < smallPiece; {
		var m int
		m, err = fill(c, body, buf)
		n += m
	}
	switch {
	case err == nil:
		return tooLarge()
	case err != io.EOF:
		return unreadable(err)
	}
	return nil
}
