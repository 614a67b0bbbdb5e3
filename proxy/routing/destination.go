package routing

import (
	"slices"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/modelname"
)

// A Destination is what a path names: a route, an account ("" is ours), and a model.
type Destination struct {
	Route   *Route
	Account string
	Rest    string // path below …/ai/, canonical
	Model   string
	Listed  string // the model of /v1/models/{id}, by its canonical name
	Allow   string // methods that the path takes, where the call's is none of them

	// OfGateway says that the path is that of an AI Gateway's WebSocket, whose query names the model.
	OfGateway bool

	candidates []Route // of the path
}

// Resolve finds the destination of a method and a decoded path. The path that goes upstream is built from what was
// understood here, so that no spelling of it can mean one thing here and another there.
func Resolve(method, path string) (Destination, *normalize.Failure) {
	if topic, ok := belowErrors(path); ok {
		return choose(method, referenceRoutes, Destination{Rest: topic})
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // one slash at the end changes nothing
	}
	if path == "/livez" || path == "/readyz" { // these two methods are answered before they come here
		d := Destination{Allow: "GET, HEAD"}
		return d, d.notAllowed(method)
	}
	account, rest, ok := belowAI(path)
	if !ok || !Plain(path) {
		return Destination{}, notProxied()
	}
	key, model := rest, ""
	if m, found := strings.CutPrefix(rest, "run/"); found {
		key, model = "run/", modelname.Canonical(m)
		rest = key + model
	}
	if id, found := strings.CutPrefix(rest, "finetunes/"); found {
		if id, found = strings.CutSuffix(id, "/finetune-assets"); found && !strings.Contains(id, "/") {
			key = "finetunes/{id}/finetune-assets"
		}
	}
	listed := ""
	if id, found := strings.CutPrefix(rest, "v1/models/"); found {
		key, listed = "v1/models/{id}", modelname.Canonical(id)
	}
	candidates := routes[key]
	if len(candidates) == 0 {
		return Destination{}, notProxied()
	}
	return choose(method, candidates, Destination{Account: account, Rest: rest, Model: model, Listed: listed})
}

// choose completes a Destination with the route that takes the method.
func choose(method string, candidates []Route, d Destination) (Destination, *normalize.Failure) {
	d.candidates = candidates
	for i := range candidates {
		if candidates[i].Method == method {
			d.Route = &candidates[i]
			return d, nil
		}
	}
	d.Route, d.Allow = &candidates[0], allowed(candidates)
	return d, d.notAllowed(method)
}

func (d *Destination) notAllowed(method string) *normalize.Failure {
	return refuse(normalize.MethodNotAllowed, "This path takes "+d.Allow+", not "+method[:min(len(method), 32)]+".", "")
}

// HasFinetunes reports whether a route of the path is only for clients that may make and change finetunes.
func (d *Destination) HasFinetunes() bool { return slices.ContainsFunc(d.candidates, forFinetunes) }

func forFinetunes(r Route) bool { return r.Finetunes }

// WithoutFinetunes is the Destination for callers who may not make finetunes: for them, these routes do not exist.
func (d *Destination) WithoutFinetunes(method string) (Destination, *normalize.Failure) {
	others := slices.DeleteFunc(slices.Clone(d.candidates), forFinetunes)
	if len(others) == 0 {
		return Destination{}, notProxied()
	}
	return choose(method, others, *d)
}

func notProxied() *normalize.Failure {
	return refuse(normalize.RouteNotProxied, "", "")
}

// belowErrors returns what follows /errors/ in a path, and whether the path is one of the reference.
func belowErrors(path string) (topic string, ok bool) {
	if path == "/errors" {
		return "", true
	}
	return strings.CutPrefix(path, "/errors/")
}

// belowAI splits a path into the account that it names and what follows "…/ai/", for each of the forms in which apps
// may call.
func belowAI(path string) (account, rest string, ok bool) {
	if below, found := strings.CutPrefix(path, "/client/v4/accounts/"); found {
		account, below, found = strings.Cut(below, "/")
		if !found {
			return "", "", false
		}
		rest, found = strings.CutPrefix(below, "ai/")
		return account, rest, found
	}
	if below, found := strings.CutPrefix(path, "/ai/"); found {
		return "", below, true
	}
	if path == "/run" || strings.HasPrefix(path, "/run/") || strings.HasPrefix(path, "/v1/") {
		return "", path[1:], true
	}
	return "", "", false
}

// Plain reports whether a decoded path holds only the characters of account ids, model names and our routes, and no
// empty or dotted segment. The others (a percent sign that survived decoding, backslash, semicolon, control characters,
// …) are what path tricks are made of.
func Plain(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	start := 1 // of the present segment
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if !pathByte[path[i]] {
				return false
			}
			continue
		}
		switch path[start:i] {
		case "", ".", "..":
			return false
		}
		start = i + 1
	}
	return true
}

// pathByte marks the bytes that a path segment may hold.
var pathByte = func() (ok [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._:~+-") {
		ok[c] = true
	}
	return ok
}()

// allowed lists the methods of a path, for the Allow header.
func allowed(candidates []Route) string {
	methods := make([]string, len(candidates))
	for i := range candidates {
		methods[i] = candidates[i].Method
	}
	return strings.Join(methods, ", ")
}

// refuse returns a failure of a call that is not let through. message "" is the catalog's.
func refuse(code normalize.Code, message, param string) *normalize.Failure {
	return &normalize.Failure{
		Code: code, Message: message, Param: param, Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest,
	}
}
