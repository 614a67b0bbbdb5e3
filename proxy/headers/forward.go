package headers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/proxy/clients"
)

// forwarded reports whether a header goes upstream, by its name alone. Those of Cloudflare's edge are refused or
// trusted by it when they come from outside. Upgrade is among those of one connection: Java offers h2c on every call,
// and a server may ignore that.
func forwarded(name string) bool {
	switch name {
	case "Content-Length", // net/http writes it
		"Expect", // what it asks for has happened
		"Cookie", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Ipcountry", "Cf-Ray",
		"Idempotency-Key", "X-Idempotency-Key", // net/http would send a call again that has run, by itself
		// An answer must be whole to be inspected.
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range",
		"Cf-Visitor", "Cf-Worker", "Cf-Ew-Via", "Cdn-Loop",
		// Our token is used only for the method and the path that were checked.
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
		// Where the caller runs is not Cloudflare's business.
		"Origin", "Referer", "Forwarded":
		return false
	}
	return !strings.HasPrefix(name, "X-Forwarded-") && !strings.HasPrefix(name, "Cf-Access-") &&
		!slices.Contains(ofOneConnection, name)
}

// payments are headers by which a caller pays for a call (x402). With our token the account would pay instead.
var payments = []string{"Payment-Signature", "Payment-Method", "X-Payment"}

// gatewayHeaders are the headers of AI Gateway that clients of the clients file may send. The others change who
// answers, who pays and how often a call is made.
var gatewayHeaders = []string{
	"Cf-Aig-Cache-Ttl", "Cf-Aig-Skip-Cache", "Cf-Aig-Request-Timeout", "Cf-Aig-Metadata", "Cf-Aig-Session-Id",
}

const (
	gatewayPrefix   = "Cf-Aig-"
	gatewayMetadata = "Cf-Aig-Metadata"
	gatewayCacheKey = "Cf-Aig-Cache-Key"
)

// Forward makes the headers of out from the caller's, without what is not for upstream and with our credentials where
// we have some, and takes secrets out of its query. client is the caller's entry in the clients file, nil where there
// is none. gateway says that the call goes to an AI Gateway.
func (cr *Credentials) Forward(out, caller *http.Request, client *clients.Client, gateway bool) {
	const ours = 2 // X-Request-Id and Authorization; nearly every caller sends Accept-Encoding
	h := make(http.Header, len(caller.Header)+ours)
	token := cr.Token()
	pass(h, caller.Header, client, token != "")
	out.Header = h
	cr.removeSecrets(out, caller.Header)
	cr.replace(h, token, gateway)
}

// pass puts into h what of a caller's headers goes upstream. ownToken says that the call is made with our token.
func pass(h, caller http.Header, client *clients.Client, ownToken bool) {
	for name, values := range caller {
		switch {
		case !forwarded(name):
		case client != nil && strings.HasPrefix(name, gatewayPrefix) && !mayGateway(client, name):
		case ownToken && slices.Contains(payments, name):
		default:
			h[name] = values
		}
	}
	removeNamed(h, caller["Connection"])
	if HasToken(caller["Te"], "trailers") {
		h["Te"] = []string{"trailers"}
	}
	if client != nil {
		h[gatewayMetadata] = []string{metadata(h.Get(gatewayMetadata), client.Name)}
		if keys := h[gatewayCacheKey]; len(keys) > 0 {
			h[gatewayCacheKey] = []string{client.Name + "/" + keys[0]} // no client reads what another one has cached
		}
	}
}

// mayGateway reports whether a client may send a header of AI Gateway.
func mayGateway(client *clients.Client, name string) bool {
	return slices.Contains(gatewayHeaders, name) || client.AllowsGatewayHeader(name)
}

// metadata returns the metadata of a call for AI Gateway's log: the caller's, if it is a JSON object, and the client.
func metadata(caller, client string) string {
	ours := `{"neuronward_client":"` + client + `"}` // a client's name needs no escapes
	if caller == "" {
		return ours
	}
	fields := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(caller), &fields) != nil || fields == nil {
		return ours
	}
	fields["neuronward_client"] = json.RawMessage(`"` + client + `"`)
	text, err := json.Marshal(fields)
	if err != nil {
		return ours
	}
	return string(text)
}

// removeSecrets removes what a caller put in the wrong place: a key of ours, one of our credentials, or one of its own
// in a header or a value of the query that is not made for it. They would reach Cloudflare's logs.
func (cr *Credentials) removeSecrets(out *http.Request, caller http.Header) {
	secrets := cr.finder(make([]string, 0, fewSecrets), caller)
	for name, values := range out.Header {
		if slices.Contains(callerCredentials, name) || name == "Cf-Aig-Authorization" {
			if slices.ContainsFunc(values, clients.HasKey) {
				delete(out.Header, name)
			}
			continue
		}
		if hasKeyInName(name) || slices.ContainsFunc(values, secrets.finds) {
			delete(out.Header, name)
		}
	}
	if query := out.URL.RawQuery; query != "" {
		plain, err := url.QueryUnescape(query)
		if err != nil || secrets.finds(query) || secrets.finds(plain) {
			out.URL.RawQuery = withoutSecrets(query, secrets)
		}
	}
}

// hasKeyInName reports whether the name of a header may hold a key, whatever its case.
func hasKeyInName(name string) bool {
	return strings.Contains(name, "_") && clients.HasKey(strings.ToLower(name)) // a key has one, few names do
}

// withoutSecrets returns what of a query holds no secret, unchanged. What cannot be read may be one.
func withoutSecrets(query string, secrets finder) string {
	return CutQuery(query, func(name, value string) bool {
		_, err := url.QueryUnescape(name + value)
		return err != nil || secrets.finds(name) || secrets.finds(value)
	})
}
