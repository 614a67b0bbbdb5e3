package headers

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
)

// Credentials are the operator's secrets. They replace the caller's on the way upstream, and no text that leaves this
// proxy may hold them. A secret may change while the proxy runs, and is "" when there is none.
type Credentials struct {
	Token        func() string
	GatewayToken func() string // of an AI Gateway
	ClientKeys   bool          // callers are identified by keys of a clients file

	bearer atomic.Pointer[bearer]
}

// bearer keeps the Authorization header of the present token, so that not every call builds one.
type bearer struct {
	token  string
	header []string
}

func (cr *Credentials) bearerOf(token string) []string {
	if b := cr.bearer.Load(); b != nil && b.token == token {
		return b.header
	}
	b := &bearer{token: token, header: []string{"Bearer " + token}}
	cr.bearer.Store(b)
	return b.header
}

// callerCredentials are the headers with which callers identify themselves to Cloudflare.
var callerCredentials = []string{"Authorization", "X-Api-Key", "X-Auth-Key", "X-Auth-Email", "X-Auth-User-Service-Key"}

// replace replaces the caller's credentials by ours and removes the keys of the clients file.
func (cr *Credentials) replace(h http.Header, token string, gateway bool) {
	if cr.ClientKeys {
		clients.RemoveKeys(h, token != "")
	}
	if token != "" {
		for _, name := range callerCredentials {
			delete(h, name)
		}
		h["Authorization"] = cr.bearerOf(token)
	}
	if token := cr.GatewayToken(); token != "" {
		delete(h, "Cf-Aig-Authorization")
		if gateway {
			h["Cf-Aig-Authorization"] = []string{"Bearer " + token}
		}
	}
}

// Authorization returns the Authorization of a request that this proxy makes by itself: our token's, else the caller's
// own; nil where there is neither.
func (cr *Credentials) Authorization(caller http.Header) []string {
	if token := cr.Token(); token != "" {
		return cr.bearerOf(token)
	}
	if own := caller.Get("Authorization"); own != "" {
		return []string{own}
	}
	return nil
}

// None reports whether there is no credential at all for Cloudflare: this proxy has no token, and the caller sent none.
func (cr *Credentials) None(caller http.Header) bool {
	for _, name := range callerCredentials {
		if caller.Get(name) != "" {
			return false
		}
	}
	return cr.Token() == ""
}

// Attribute marks a failure about credentials as the operator's if they were ours.
func (cr *Credentials) Attribute(f *normalize.Failure) {
	refused := cr.Token
	if f.Code == normalize.GatewayUnauthorized {
		refused = cr.GatewayToken
	}
	if refused() != "" {
		f.OursRefused()
	}
}

// minSecret is how long a secret must be, in bytes, to be looked for in other texts: a shorter one may be part
// of ordinary words.
const minSecret = 8

// Redact takes out of a text what nobody may read: keys of the clients file, our credentials, and those of the caller
// who sent the given headers, which upstream may echo.
func (cr *Credentials) Redact(text string, caller http.Header) string {
	return normalize.Redact(clients.RedactKeys(text), cr.Secrets(caller)...)
}

// RemoveFrom removes the headers of an answer that show a secret of ours, or of the caller who sent the given headers.
func (cr *Credentials) RemoveFrom(answer, caller http.Header) {
	secrets := cr.finder(make([]string, 0, fewSecrets), caller)
	for name, values := range answer {
		if slices.ContainsFunc(values, secrets.finds) {
			delete(answer, name)
		}
	}
}

// Secrets returns what no message to the sender of these headers may hold.
func (cr *Credentials) Secrets(caller http.Header) []string { return cr.appendSecrets(nil, caller) }

// fewSecrets is how many secrets nearly every call has at most.
const fewSecrets = 8

func (cr *Credentials) appendSecrets(secrets []string, caller http.Header) []string {
	secrets = append(secrets, cr.Token(), cr.GatewayToken())
	for _, name := range secretHeaders {
		for _, value := range caller[name] {
			value = strings.Trim(value, " \t")
			if i := strings.IndexAny(value, " \t"); i >= 0 {
				value = strings.Trim(value[i:], " \t")
			}
			if len(value) >= minSecret {
				secrets = append(secrets, value)
			}
		}
	}
	return secrets
}

// secretHeaders are the headers whose values are secrets of the caller.
var secretHeaders = []string{
	"Authorization", "X-Api-Key", "Cf-Aig-Authorization", "X-Auth-Key", "X-Auth-User-Service-Key",
}

// A finder finds secrets in texts that are to hold none.
type finder []string

// finder finds what no message to the sender of these headers may hold. into is memory for it.
func (cr *Credentials) finder(into []string, caller http.Header) finder {
	return slices.DeleteFunc(cr.appendSecrets(into, caller), func(s string) bool { return len(s) < minSecret })
}

// finds reports whether a text holds a key of ours or one of the secrets.
func (f finder) finds(text string) bool {
	return clients.HasKey(text) || slices.ContainsFunc(f, func(s string) bool { return strings.Contains(text, s) })
}
