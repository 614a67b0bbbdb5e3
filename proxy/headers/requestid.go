package headers

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// maxRequestID bounds the request id that a caller may choose.
const maxRequestID = 128

// RequestID returns the caller's own x-request-id if it is safe, else a new one of 128 bits. It stands in headers, logs
// and exemplars, so it must hold nothing that has a meaning there, and no secret.
func (cr *Credentials) RequestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) == 1 && isSafe(ids[0]) && !cr.finder(nil, h).finds(ids[0]) {
		return ids[0]
	}
	var id [16]byte
	a, b := rand.Uint64(), rand.Uint64() //nolint:gosec // an id, not a secret; the generator is seeded by the system
	for i := range 8 {
		id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	return hex.EncodeToString(id[:])
}

func isSafe(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c-'0' < 10, c-'a' < 26, c-'A' < 26:
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}
