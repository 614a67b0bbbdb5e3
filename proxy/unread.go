package proxy

import (
	"io"
	"net/http"
)

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

// onceOnly reports whether nothing may be read from the connection after a
// request. One in chunks may have had a Content-Length as well, and one of
// HTTP/1.0 a Transfer-Encoding: net/http takes either away without a word, while
// what stands in front of this proxy may have gone by it, and sees another
// request begin where this one goes on (RFC 9112, section 6.1).
func onceOnly(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}
