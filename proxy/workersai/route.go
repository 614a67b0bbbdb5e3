package workersai

import (
	"net/http"
	"net/url"
	"strings"
)

// surface is the protocol of an answer.
type surface uint8

const (
	surfaceNone      surface = iota // catalog reads and the like
	surfaceNative                   // the v4 envelope
	surfaceChat                     // OpenAI chat completions
	surfaceEmbedding                // OpenAI embeddings
	surfaceResponses                // OpenAI responses
	surfaceMessages                 // Anthropic messages
)

// route is where a request goes.
type route struct {
	account string
	gateway string // name of the AI Gateway; "" when called directly
	surface surface
	model   string // "" when the body names it
	compat  bool   // model in the body is workers-ai/@cf/…
	read    string // "models/search" and the like
	methods string // "GET" or "POST" or both with a space between

	everywhere bool // the path names no account
}

// findRoute returns the route of a request's path; false where there is none.
func findRoute(r *http.Request) (route, bool) {
	path := r.URL.EscapedPath()
	switch path {
	case "/client/v4/graphql":
		return route{read: "graphql", everywhere: true, methods: http.MethodPost}, true
	case "/client/v4/user/tokens/verify":
		return route{read: "tokens/verify", everywhere: true, methods: http.MethodGet}, true
	case "/client/v4/accounts":
		return route{read: "accounts", everywhere: true, methods: http.MethodGet}, true
	}
	if rest, ok := strings.CutPrefix(path, "/client/v4/accounts/"); ok {
		account, rest, _ := strings.Cut(rest, "/")
		if account != "" && rest == "tokens/verify" {
			return route{account: account, read: rest, methods: http.MethodGet}, true
		}
		rest, ok := strings.CutPrefix(rest, "ai/")
		if account == "" || !ok {
			return route{}, false
		}
		rt, ok := findInference(rest)
		rt.account = account
		return rt, ok
	}
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok {
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
			return route{}, false
		}
		rt, ok := findGateway(parts[2])
		rt.account, rt.gateway = parts[0], parts[1]
		return rt, ok
	}
	return route{}, false
}

// findInference returns the route of what follows …/ai/.
func findInference(rest string) (route, bool) {
	switch rest {
	case "run":
		return route{surface: surfaceNative, methods: http.MethodPost}, true
	case "v1/chat/completions":
		return route{surface: surfaceChat, methods: http.MethodPost}, true
	case "v1/embeddings":
		return route{surface: surfaceEmbedding, methods: http.MethodPost}, true
	case "v1/responses":
		return route{surface: surfaceResponses, methods: http.MethodPost}, true
	case "v1/messages":
		return route{surface: surfaceMessages, methods: http.MethodPost}, true
	case "v1/models": // Workers AI has none and says so with 405
		return route{methods: http.MethodPost}, true
	case "models/search", "models/schema", "tasks/search", "authors/search", "finetunes/public", "tomarkdown/supported":
		return route{read: rest, methods: http.MethodGet}, true
	case "finetunes":
		return route{read: rest, methods: "GET POST"}, true
	case "tomarkdown":
		return route{read: rest, methods: http.MethodPost}, true
	}
	if name, ok := strings.CutPrefix(rest, "run/"); ok {
		name, err := url.PathUnescape(name)
		if err != nil || name == "" {
			return route{}, false
		}
		return route{surface: surfaceNative, model: name, methods: http.MethodPost}, true
	}
	return route{}, false
}

// findGateway returns the route of what follows an AI Gateway's name.
func findGateway(rest string) (route, bool) {
	switch rest {
	case "compat/chat/completions":
		return route{surface: surfaceChat, compat: true, methods: http.MethodPost}, true
	case "workers-ai/v1/chat/completions":
		return route{surface: surfaceChat, methods: http.MethodPost}, true
	case "workers-ai/v1/embeddings":
		return route{surface: surfaceEmbedding, methods: http.MethodPost}, true
	}
	if name, ok := strings.CutPrefix(rest, "workers-ai/"); ok {
		name, err := url.PathUnescape(name)
		if err != nil || name == "" {
			return route{}, false
		}
		return route{surface: surfaceNative, model: name, methods: http.MethodPost}, true
	}
	return route{}, false
}

func (rt route) allows(method string) bool {
	for m := range strings.FieldsSeq(rt.methods) {
		if m == method {
			return true
		}
	}
	return false
}
