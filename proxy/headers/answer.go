package headers

import (
	"net/http"
	"strings"
)

// ofOneConnection are headers that say something of a connection alone.
var ofOneConnection = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// FilterAnswer removes from the headers of an answer what is not for the caller: what was for this proxy alone (RFC
// 9110, section 7.6.1), whether its Connection header names it or not, and what would let web pages in. It must come
// before our own headers are set, or upstream could name them.
func FilterAnswer(h http.Header) {
	for _, names := range h["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range ofOneConnection {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
}
