package headers

import (
	"net/http"
	"strings"
)

// FilterAnswer removes from the headers of an answer what is not for the caller: what its Connection header names,
// which was for this proxy alone (RFC 9110, section 7.6.1), and what would let web pages in. It must come before our
// own headers are set, or upstream could name them.
func FilterAnswer(h http.Header) {
	for _, names := range h["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	delete(h, "Connection")
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
}
