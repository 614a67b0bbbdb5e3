package routing

import (
	"net/url"
	"strings"

	"github.com/neuronward/neuronward/normalize"
)

// DefaultAPI is Cloudflare's API. It is called for what an AI Gateway does not answer.
const DefaultAPI = "https://api.cloudflare.com/client/v4"

// An Upstream is where calls go: Cloudflare's API, or an AI Gateway in front of it. A gateway has paths of its own for
// inference and none for the catalog; calls of that go to the API.
type Upstream struct {
	base    url.URL
	Gateway bool
	API     url.URL
}

// NewUpstream finds out what kind of upstream a URL names. api is nil for the default.
func NewUpstream(base, api *url.URL) Upstream {
	u := Upstream{base: *base, Gateway: isGateway(base)}
	if u.Gateway {
		u.base.Path = strings.TrimSuffix(u.base.Path, "/workers-ai")
	}
	switch {
	case api != nil:
		u.API = *api
	case strings.HasSuffix(base.Path, "/client/v4"):
		u.API = *base
	default:
		parsed, err := url.Parse(DefaultAPI)
		if err != nil {
			panic(err) // a constant
		}
		u.API = *parsed
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
	GatewayNone = ""         // not at all
	GatewayAPI  = "api"      // it isn't: the API is called instead
	GatewayRun  = "/{model}" // below the provider's name, by the model alone
)

// Locate returns the base URL of a destination, of which scheme and host count, and the path.
func (u *Upstream) Locate(d *Destination) (base *url.URL, path string, err error) {
	if !u.Gateway || d.Route.Gateway == GatewayAPI {
		base = &u.base
		if u.Gateway {
			base = &u.API
		}
		return base, base.Path + "/accounts/" + d.Account + "/ai/" + d.Rest, nil
	}
	switch d.Route.Gateway {
	case GatewayNone:
		return nil, "", refuse(normalize.RouteNotProxied, "An AI Gateway has no path for "+d.Route.Name+
			". Use v1/chat/completions or run/{model}, or point {UPSTREAM} at "+DefaultAPI+".", "")
	case GatewayRun:
		return &u.base, u.base.Path + "/workers-ai/" + d.Model, nil
	}
	return &u.base, u.base.Path + d.Route.Gateway, nil
}
