package proxy

import (
	"slices"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/modelname"
)

// A destination is what a path names: a route, an account ("" is ours), and a model.
type destination struct {
	route   *route
	account string
	rest    string // path below …/ai/, canonical
	model   string
	listed  string // the model of /v1/models/{id}, by its canonical name
	allow   string // methods that the path takes, where the call's is none of them

	candidates []route // of the path
}

// resolve finds the destination of a method and a decoded path. The path that goes upstream is built from what was
// understood here, so that no spelling of it can mean one thing here and another there.
func resolve(method, path string) (destination, *normalize.Failure) {
	if topic, ok := belowErrors(path); ok {
		return choose(method, referenceRoutes, destination{rest: topic})
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // one slash at the end changes nothing
	}
	if path == "/livez" || path == "/readyz" { // these two methods are answered before they come here
		d := destination{allow: "GET, HEAD"}
		return d, d.notAllowed(method)
	}
	account, rest, ok := belowAI(path)
	if !ok || !plain(path) {
		return destination{}, notProxied()
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
		return destination{}, notProxied()
	}
	return choose(method, candidates, destination{account: account, rest: rest, model: model, listed: listed})
}

// choose completes a destination with the route that takes the method.
func choose(method string, candidates []route, d destination) (destination, *normalize.Failure) {
	d.candidates = candidates
	for i := range candidates {
		if candidates[i].method == method {
			d.route = &candidates[i]
			return d, nil
		}
	}
	d.route, d.allow = &candidates[0], allowed(candidates)
	return d, d.notAllowed(method)
}

func (d *destination) notAllowed(method string) *normalize.Failure {
	return refuse(normalize.MethodNotAllowed, "This path takes "+d.allow+", not "+clip(method, 32)+".", "")
}

// finetunes reports whether a route of the path is only for clients that may make and change finetunes.
func (d *destination) finetunes() bool { return slices.ContainsFunc(d.candidates, forFinetunes) }

func forFinetunes(r route) bool { return r.finetunes }

// withoutFinetunes is the destination for callers who may not make finetunes: for them, these routes do not exist.
func (d *destination) withoutFinetunes(method string) (destination, *normalize.Failure) {
	others := slices.DeleteFunc(slices.Clone(d.candidates), forFinetunes)
	if len(others) == 0 {
		return destination{}, notProxied()
	}
	return choose(method, others, *d)
}

func notProxied() *normalize.Failure {
	return refuse(normalize.RouteNotProxied, "", "")
}

// belowAI splits a path into the account that it names and what follows "…/ai/", for each of the forms in which apps
// may call.
func belowAI(path string) (account, rest string, ok bool) {
	if below, found := strings.CutPrefix(path, "/client/v4/accounts/"); found {
		account, below, found = strings.Cut(below, "/")
		if !found || account == "" {
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

// plain reports whether a decoded path holds only the characters of account ids, model names and our routes, and no
// empty or dotted segment. The others (a percent sign that survived decoding, backslash, semicolon, control characters,
// …) are what path tricks are made of.
func plain(path string) bool {
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
func allowed(candidates []route) string {
	methods := make([]string, len(candidates))
	for i := range candidates {
		methods[i] = candidates[i].method
	}
	return strings.Join(methods, ", ")
}
