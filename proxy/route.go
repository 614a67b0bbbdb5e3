package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
)

// modelPlace says where a call names its model.
type modelPlace uint8

const (
	modelNone modelPlace = iota
	modelInPath
	modelInBody
)

// bodyKind says what a route's request body may be.
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyJSON          // a JSON object
	bodyAny           // a JSON object, else raw bytes or multipart that stream through
)

// An answerer says who answers the calls of a route.
type answerer uint8

const (
	answeredUpstream  answerer = iota
	answeredModels             // here, by OpenAI's list of models
	answeredReference          // here, by the error reference
)

// A route is one method and path pair that passes to Workers AI. Everything
// that is not in the table is refused: our token is for inference.
type route struct {
	name      string // metric label and log field; a path below …/ai/
	method    string
	model     modelPlace
	body      bodyKind
	nested    bool       // the parameters stand in the field "input" of the body
	task      quota.Task // of the models that no price is known of; "": any
	protocol  normalize.Protocol
	answer    answerer
	repaired  bool   // its streams are OpenAI chunks, and the native usage among them is made one
	finetunes bool   // only for a client whose entry says so
	gateway   string // path below an AI Gateway, or one of gatewayNone, gatewayAPI, gatewayRun
}

// metered reports whether a call of this route costs neurons that can be told.
// What tomarkdown costs is nowhere said, neither before nor after.
func (r *route) metered() bool { return r.model != modelNone }

// local reports whether a call costs next to nothing here and nothing elsewhere.
func (r *route) local() bool { return r.answer == answeredReference }

// Label of calls that no route takes.
const noRoute = "none"

// routes is keyed by the path below …/ai/. A model that follows "run/" is not
// part of the key.
var routes = map[string][]route{
	"run/": {{
		name: "run/{model}", method: http.MethodPost, model: modelInPath, body: bodyAny, gateway: gatewayRun,
	}},
	"run": {{
		name: "run", method: http.MethodPost, model: modelInBody, body: bodyJSON, nested: true, gateway: gatewayRun,
	}},

	"v1/chat/completions": {{
		name: "v1/chat/completions", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolOpenAI, repaired: true, gateway: "/workers-ai/v1/chat/completions",
	}},
	"v1/embeddings": {{
		name: "v1/embeddings", method: http.MethodPost, model: modelInBody, body: bodyJSON, task: quota.TextEmbeddings,
		protocol: normalize.ProtocolOpenAI, gateway: "/workers-ai/v1/embeddings",
	}},
	"v1/responses": {{
		name: "v1/responses", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolResponses,
	}},
	"v1/messages": {{
		name: "v1/messages", method: http.MethodPost, model: modelInBody, body: bodyJSON,
		protocol: normalize.ProtocolAnthropic,
	}},

	"v1/models": {{name: "v1/models", method: http.MethodGet, gateway: gatewayAPI, answer: answeredModels}},

	"models/search":  {{name: "models/search", method: http.MethodGet, gateway: gatewayAPI}},
	"models/schema":  {{name: "models/schema", method: http.MethodGet, gateway: gatewayAPI}},
	"tasks/search":   {{name: "tasks/search", method: http.MethodGet, gateway: gatewayAPI}},
	"authors/search": {{name: "authors/search", method: http.MethodGet, gateway: gatewayAPI}},

	"finetunes": {
		{name: "finetunes", method: http.MethodGet, gateway: gatewayAPI},
		{name: "finetunes", method: http.MethodPost, body: bodyJSON, finetunes: true, gateway: gatewayAPI},
	},
	"finetunes/{id}/finetune-assets": {{
		name: "finetunes/{id}/finetune-assets", method: http.MethodPost, body: bodyAny, finetunes: true,
		gateway: gatewayAPI,
	}},
	"finetunes/public":     {{name: "finetunes/public", method: http.MethodGet, gateway: gatewayAPI}},
	"tomarkdown":           {{name: "tomarkdown", method: http.MethodPost, body: bodyAny, gateway: gatewayAPI}},
	"tomarkdown/supported": {{name: "tomarkdown/supported", method: http.MethodGet, gateway: gatewayAPI}},
}

// referenceRoutes are those of the error reference: every doc_url of an envelope
// leads there.
var referenceRoutes = []route{
	{name: "errors", method: http.MethodGet, answer: answeredReference},
	{name: "errors", method: http.MethodHead, answer: answeredReference},
}

// A destination is where a call goes: its route, the account it names ("" is
// ours), and the model that its path names.
type destination struct {
	route   *route
	account string
	rest    string // path below …/ai/, canonical
	model   string
	allow   string // methods that the path takes, where the call's is none of them

	candidates []route // all routes of the path
}

// resolve finds the destination of a method and a decoded path. The path that
// goes upstream is rebuilt from what was understood here, so that a spelling
// this proxy reads in one way cannot be read in another way behind it.
func resolve(method, path string) (destination, *normalize.Failure) {
	if topic, ok := belowErrors(path); ok {
		return choose(method, referenceRoutes, destination{rest: topic})
	}
	account, rest, ok := belowAI(path)
	if !ok || !plain(path) {
		return destination{}, notProxied()
	}
	key, model := rest, ""
	if m, found := strings.CutPrefix(rest, "run/"); found {
		key, model = "run/", m
	}
	if id, found := strings.CutPrefix(rest, "finetunes/"); found {
		if id, found = strings.CutSuffix(id, "/finetune-assets"); found && !strings.Contains(id, "/") {
			key = "finetunes/{id}/finetune-assets"
		}
	}
	candidates := routes[key]
	if len(candidates) == 0 {
		return destination{}, notProxied()
	}
	return choose(method, candidates, destination{account: account, rest: rest, model: model})
}

// choose completes a destination with the one of a path's routes that takes the
// method.
func choose(method string, candidates []route, d destination) (destination, *normalize.Failure) {
	d.candidates = candidates
	for i := range candidates {
		if candidates[i].method == method {
			d.route = &candidates[i]
			return d, nil
		}
	}
	d.route, d.allow = &candidates[0], allowed(candidates)
	return d, refuse(normalize.MethodNotAllowed, "This path takes "+d.allow+", not "+clip(method, 32)+".", "")
}

// finetunes reports whether a route of the path is for clients that may make and
// change finetunes.
func (d *destination) finetunes() bool { return slices.ContainsFunc(d.candidates, forFinetunes) }

func forFinetunes(r route) bool { return r.finetunes }

// withoutFinetunes is the destination for callers who may not make finetunes: the
// path without those routes.
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

// belowAI splits a path into the account that it names and what follows
// "…/ai/", for each of the forms under which apps may call.
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

// plain reports whether a decoded path holds only the characters that account
// ids, model names and our routes are made of, and no empty or dotted segment.
// What is left out (a percent sign that survived decoding, backslash,
// semicolon, control characters, …) is what path tricks are made of.
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
