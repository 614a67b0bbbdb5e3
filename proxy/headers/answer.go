package headers

import (
	"net/http"
	"slices"
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
	removeNamed(h, h["Connection"])
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || slices.Contains(ofOneConnection, name) {
			delete(h, name)
		}
	}
}

// removeNamed removes the headers that a Connection header names.
func removeNamed(h http.Header, connection []string) {
	for _, names := range connection {
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// First returns the first value of a header, "" where there is none, as http.Header.Get does, for a name in canonical
// form.
func First(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
