package proxy

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/clients"
)

// A Secret returns a credential, which may change while the proxy runs, or "" when there is none. It is called on every
// request and must not block.
type Secret func() string

func noSecret() string { return "" }

// credentials are the operator's secrets. They replace the caller's on the way upstream, and no text that leaves this
// proxy may hold them.
type credentials struct {
	token        Secret
	gatewayToken Secret // of an AI Gateway
	clientKeys   bool   // callers are identified by keys of a clients file

	bearer atomic.Pointer[bearer]
}

// bearer keeps the Authorization header of the present token, so that not every call builds one.
type bearer struct {
	token  string
	header []string
}

func (cr *credentials) bearerOf(token string) []string {
	if b := cr.bearer.Load(); b != nil && b.token == token {
		return b.header
	}
	b := &bearer{token: token, header: []string{"Bearer " + token}}
	cr.bearer.Store(b)
	return b.header
}

// callerCredentials are the headers with which callers identify themselves to Cloudflare.
var callerCredentials = []string{"Authorization", "X-Api-Key", "X-Auth-Key", "X-Auth-Email", "X-Auth-User-Service-Key"}

// replace replaces the caller's credentials by ours and removes the keys of the clients file. toGateway says that the
// call goes to an AI Gateway.
func (cr *credentials) replace(h http.Header, toGateway bool) {
	token := cr.token()
	if cr.clientKeys {
		clients.RemoveKeys(h, token != "")
	}
	if token != "" {
		for _, name := range callerCredentials {
			delete(h, name)
		}
		h["Authorization"] = cr.bearerOf(token)
	}
	if token := cr.gatewayToken(); token != "" {
		delete(h, "Cf-Aig-Authorization")
		if toGateway {
			h["Cf-Aig-Authorization"] = []string{"Bearer " + token}
		}
	}
}

// authorization returns the Authorization of a request that this proxy makes by itself: our token's, else the caller's
// own; nil where there is neither.
func (cr *credentials) authorization(caller http.Header) []string {
	if token := cr.token(); token != "" {
		return cr.bearerOf(token)
	}
	if own := caller.Get("Authorization"); own != "" {
		return []string{own}
	}
	return nil
}

// attribute marks a failure about credentials as the operator's if they were ours.
func (cr *credentials) attribute(f *normalize.Failure) {
	refused := cr.token
	if f.Code == normalize.GatewayUnauthorized {
		refused = cr.gatewayToken
	}
	if refused() != "" {
		f.OursRefused()
	}
}

// minSecret is how long a secret must be, in bytes, to be looked for in other texts: a shorter one may be part
// of ordinary words.
const minSecret = 8

// secrets returns what no message to the caller of r may hold: our credentials, and the caller's own, which upstream
// may echo.
func (cr *credentials) secrets(r *http.Request) []string {
	secrets := []string{cr.token(), cr.gatewayToken()}
	for _, name := range []string{"Authorization", "X-Api-Key", "Cf-Aig-Authorization", "X-Auth-Key"} {
		value := strings.Trim(r.Header.Get(name), " \t")
		if i := strings.IndexAny(value, " \t"); i >= 0 {
			value = strings.Trim(value[i:], " \t")
		}
		if len(value) >= minSecret {
			secrets = append(secrets, value)
		}
	}
	return secrets
}
