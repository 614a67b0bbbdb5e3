package headers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// keyProtocol begins a WebSocket subprotocol that is a credential: browsers can send it in no other way.
const keyProtocol = "cf-aig-authorization."

// keyFields are the names of the query under which a session may bring its credential.
var keyFields = []string{"cf-aig-authorization", "api_key"}

// TakeKeys returns r with the credentials that stand in its subprotocols and its query where all others stand, in
// cf-aig-authorization. The query keeps its order, and what else it has, byte for byte. Subprotocols stay: Protocols
// leaves the credentials out. r is not changed.
func TakeKeys(r *http.Request) *http.Request {
	var keys []string
	for protocol := range strings.SplitSeq(strings.Join(r.Header["Sec-Websocket-Protocol"], ","), ",") {
		if protocol = strings.TrimSpace(protocol); isKey(protocol) {
			keys = append(keys, protocol[len(keyProtocol):])
		}
	}
	query := CutQuery(r.URL.RawQuery, func(name, value string) bool {
		if !slices.Contains(keyFields, strings.ToLower(name)) {
			return false
		}
		keys = append(keys, value)
		return true
	})
	if len(keys) == 0 {
		return r
	}
	out := new(http.Request)
	*out = *r
	u := *r.URL
	u.RawQuery = query
	out.URL, out.Header, out.RequestURI = &u, r.Header.Clone(), u.RequestURI()
	for _, key := range keys {
		if strings.ContainsFunc(key, unicode.IsControl) { // it makes no header
			continue
		}
		if !slices.Contains(out.Header["Cf-Aig-Authorization"], "Bearer "+key) {
			out.Header.Add("Cf-Aig-Authorization", "Bearer "+key)
		}
	}
	return out
}

func isKey(protocol string) bool {
	return len(protocol) >= len(keyProtocol) && strings.EqualFold(protocol[:len(keyProtocol)], keyProtocol)
}

// Protocols returns the subprotocols of a WebSocket handshake that are no credentials, as one header.
func Protocols(values []string) string {
	var kept []string
	for protocol := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if protocol = strings.TrimSpace(protocol); protocol != "" && !isKey(protocol) {
			kept = append(kept, protocol)
		}
	}
	return strings.Join(kept, ", ")
}

// CutQuery returns a query without the fields that cut names. What is left stays unchanged, repeated names and their
// order included.
func CutQuery(query string, cut func(name, value string) bool) string {
	var kept []string
	for field := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(field, "=")
		plainName, err := url.QueryUnescape(name)
		if err != nil {
			plainName = name
		}
		plainValue, err := url.QueryUnescape(value)
		if err != nil {
			plainValue = value
		}
		if !cut(plainName, plainValue) {
			kept = append(kept, field)
		}
	}
	return strings.Join(kept, "&")
}

// HasToken reports whether a header that is a list has a token, in whatever case.
func HasToken(values []string, token string) bool {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}
