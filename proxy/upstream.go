package proxy

import (
	"net/url"
	"strings"

	"github.com/neuronward/neuronward/normalize"
)

// DefaultAPI is Cloudflare's API. It is called for what an AI Gateway does not answer.
const DefaultAPI = "https://api.cloudflare.com/client/v4"

// An upstream is where calls go: Cloudflare's API, or an AI Gateway in front of it. A gateway has paths of its own for
// inference and none for the catalog; calls of that go to the API.
type upstream struct {
	base    url.URL
	gateway bool
	api     url.URL
}

// newUpstream finds out what kind of upstream a URL names. api is nil for the default.
func newUpstream(base, api *url.URL) upstream {
	u := upstream{base: *base, gateway: isGateway(base)}
	if u.gateway {
		u.base.Path = strings.TrimSuffix(u.base.Path, "/workers-ai")
	}
	switch {
	case api != nil:
		u.api = *api
	case strings.HasSuffix(base.Path, "/client/v4"):
		u.api = *base
	default:
		parsed, err := url.Parse(DefaultAPI)
		if err != nil {
			panic(err) // a constant
		}
		u.api = *parsed
	}
	return u
}

// isGateway reports whether a base URL is an AI Gateway's, …/v1/{account}/{gateway}, with or without the provider's
// name behind it.
func isGateway(base *url.URL) bool {
	segments := strings.Split(strings.Trim(base.Path, "/"), "/")
	return segments[0] == "v1" && (len(segments) == 3 || len(segments) == 4 && segments[3] == "workers-ai")
}

// How a route is reached through an AI Gateway.
const (
	gatewayNone = ""         // not at all
	gatewayAPI  = "api"      // it isn't: the API is called instead
	gatewayRun  = "/{model}" // below the provider's name, by the model alone
)

// locate returns the base URL of a destination, of which scheme and host count, and the path.
func (u *upstream) locate(d *destination) (base *url.URL, path string, err error) {
	if !u.gateway || d.route.gateway == gatewayAPI {
		base = &u.base
		if u.gateway {
			base = &u.api
		}
		return base, base.Path + "/accounts/" + d.account + "/ai/" + d.rest, nil
	}
	switch d.route.gateway {
	case gatewayNone:
		return nil, "", refuse(normalize.RouteNotProxied, "An AI Gateway has no path for "+d.route.name+
			". Use v1/chat/completions or run/{model}, or point {UPSTREAM} at "+DefaultAPI+".", "")
	case gatewayRun:
		return &u.base, u.base.Path + "/workers-ai/" + d.model, nil
	}
	return &u.base, u.base.Path + d.route.gateway, nil
}
