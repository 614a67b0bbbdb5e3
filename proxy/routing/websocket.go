package routing

import (
	"net/http"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/headers"
	"github.com/neuronward/neuronward/proxy/modelname"
)

// sessionRoute is that of calls over a WebSocket. It is asked for by the method and the path of run/{model} or of an AI
// Gateway, and has no entry among the routes: without the upgrade, these do not exist.
var sessionRoute = Route{
	Name: "run/{model} websocket", Method: http.MethodGet, Model: ModelInPath, Gateway: "/workers-ai", Session: true,
}

// Upgrades reports whether a request asks for WebSocket.
func Upgrades(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }

// Locate finds the destination of a request.
func Locate(r *http.Request) (Destination, *normalize.Failure) {
	if !Upgrades(r) {
		return Resolve(r.Method, r.URL.Path)
	}
	d, failure := Resolve(http.MethodPost, r.URL.Path)
	if account, found := belowGateway(r.URL.Path); found {
		model := modelname.Canonical(r.URL.Query().Get("model"))
		d, failure = Destination{Account: account, Rest: "run/" + model, Model: model, OfGateway: true}, nil
		if len(r.URL.Query()["model"]) != 1 || !Plain("/"+model) {
			failure = refuse(normalize.InvalidModelID, "", "model")
		}
	} else if failure == nil && d.Model == "" {
		failure = notProxied()
	}
	d.Route, d.candidates = &sessionRoute, nil
	switch {
	case failure != nil && failure.Code == normalize.InvalidModelID:
	case failure != nil:
		d.Route = nil
		failure = refuse(normalize.RouteNotProxied, "This path does not take WebSocket connections. "+
			"GET run/{model} does, for models of real time.", "")
	case r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor == 0:
		failure = refuse(normalize.RouteNotProxied, "A WebSocket connection begins with GET over HTTP/1.1.", "")
	case !headers.HasToken(r.Header["Connection"], "upgrade"):
		failure = refuse(normalize.BadInput, "The header Upgrade needs Connection: Upgrade beside it.", "connection")
	}
	return d, failure
}

// belowGateway reports whether a path is that of an AI Gateway's WebSocket for Workers AI, and the account that it
// names.
func belowGateway(path string) (account string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) == 1 && parts[0] == "workers-ai":
		return "", true
	case len(parts) == 4 && parts[0] == "v1" && parts[3] == "workers-ai" && Plain(path):
		return parts[1], true
	}
	return "", false
}
