package clients

import (
	"net/http"
	"strings"
	"time"
)

// A Refusal is why a call has no client. The zero value is none.
type Refusal uint8

// The refusals.
const (
	Accepted     Refusal = iota
	NoKey                // no header has one
	UnknownKey           // it is no client's
	KeysDiffer           // two headers have keys of different clients
	KeyRepeated          // one header was sent twice
	KeyMisplaced         // a key is in the header for the caller's own token for Cloudflare
	KeyExpired           // it was a client's until its time ended
)

// String returns the refusal as logs name it.
func (r Refusal) String() string {
	return [...]string{
		"accepted", "no_key", "unknown_key", "keys_differ", "key_repeated", "key_misplaced",
		"key_expired",
	}[r]
}

// Message returns the message for the caller, "" for Accepted. It is the same for every caller and repeats nothing of
// the call.
func (r Refusal) Message(ownToken bool) string {
	where := "as x-api-key or cf-aig-authorization; Authorization is for your own Cloudflare token."
	if ownToken {
		where = "as Authorization: Bearer, x-api-key or cf-aig-authorization."
	}
	switch r {
	case NoKey:
		return "This proxy asks for a key of its own, and this call carries none. Send it " + where
	case UnknownKey:
		return "The key of this call is not one of this proxy's. Check it, or ask whoever runs the proxy for one."
	case KeysDiffer:
		return "Two headers of this call hold keys of different clients. Send one key."
	case KeyRepeated:
		return "A header that may hold a key was sent twice. " +
			"Send each of Authorization, x-api-key and cf-aig-authorization once at most."
	case KeyExpired:
		return "The key of this call has expired. Use the one that replaced it, or ask whoever runs the proxy for it."
	case KeyMisplaced:
		return "A key of this proxy came in Authorization, which goes to Cloudflare. Send the key " + where
	}
	return ""
}

const authorization = "Authorization"

// keyHeaders are the headers that may have a key.
var keyHeaders = [...]string{authorization, "X-Api-Key", "Cf-Aig-Authorization"}

// Identify returns the client whose key is in h. With ownToken the proxy calls Cloudflare with a token of its own, and
// a key may be in Authorization, x-api-key or cf-aig-authorization, each with or without "Bearer". Without it
// Authorization is the caller's own and is sent on, so a key in it is refused: it must not reach Cloudflare.
//
// No header takes precedence. SDKs fill in one of them whether they have a key or not, so a value that is no key of
// ours is ignored where another header has one. Keys of two clients are refused, since it would be unclear who pays.
//
// A key that has expired at now is refused, unless another header has a valid one.
func (s *Set) Identify(h http.Header, ownToken bool, now time.Time) (*Client, Refusal) {
	var client *Client
	refusal := NoKey
	for _, name := range keyHeaders {
		values := h[name]
		if len(values) > 1 {
			return nil, KeyRepeated
		}
		if len(values) == 0 {
			continue
		}
		secret := bare(values[0])
		if secret == "" {
			continue
		}
		found := s.find(secret)
		switch {
		case name == authorization && !ownToken:
			if found != nil || strings.Contains(values[0], KeyPrefix) {
				return nil, KeyMisplaced
			}
		case found == nil:
			if refusal == NoKey {
				refusal = UnknownKey
			}
		case found.expired(now):
			refusal = KeyExpired
		case client != nil && client != found.client:
			return nil, KeysDiffer
		default:
			client = found.client
			found.note(now)
		}
	}
	if client == nil {
		return nil, refusal
	}
	return client, Accepted
}

// RemoveKeys deletes every header of h that Identify reads a key from, whatever its value. Keys are never sent on.
func RemoveKeys(h http.Header, ownToken bool) {
	for _, name := range keyHeaders {
		if name != authorization || ownToken {
			delete(h, name)
		}
	}
}

// bare returns a header's value without "Bearer" in front.
func bare(value string) string {
	const scheme = "Bearer"
	value = strings.Trim(value, " \t")
	if len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
		rest := value[len(scheme):]
		if rest == "" || rest[0] == ' ' || rest[0] == '\t' {
			return strings.Trim(rest, " \t")
		}
	}
	return value
}
