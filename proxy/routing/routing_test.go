package routing

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

// code is that of a failure, 0 for none.
func code(f *normalize.Failure) normalize.Code {
	if f == nil {
		return 0
	}
	return f.Code
}

func TestResolve(t *testing.T) {
	const no = normalize.RouteNotProxied
	for _, c := range []struct {
		method, path string
		code         normalize.Code
		name         string // of the route
		account      string
		rest         string
		model        string
		allow        string
	}{
		{method: "POST", path: "/run/@cf/meta/x", name: "run/{model}", rest: "run/@cf/meta/x", model: "@cf/meta/x"},
		{method: "POST", path: "/run", name: "run", rest: "run"},
		{method: "POST", path: "/client/v4/accounts/a/ai/run", name: "run", account: "a", rest: "run"},
		{method: "POST", path: "/client/v4/accounts//ai/run", code: no},
		{method: "POST", path: "/client/v4/accounts", code: no},
		{method: "POST", path: "/ai/run/./x", code: no},
		{method: "POST", path: "/ai/run/../x", code: no},
		{method: "POST", path: "/ai/run/a%2e", code: no},
		{method: "POST", path: "", code: no},
		{
			method: "POST", path: "/ai/finetunes/1/finetune-assets", name: "finetunes/{id}/finetune-assets",
			rest: "finetunes/1/finetune-assets",
		},
		{method: "POST", path: "/ai/finetunes/1/2/finetune-assets", code: no},
		{method: "GET", path: "/errors", name: "errors"},
		{method: "GET", path: "/errors/3040", name: "errors", rest: "3040"},
		{method: "POST", path: "/errors", code: normalize.MethodNotAllowed, name: "errors", allow: "GET, HEAD"},
		{method: "POST", path: "/livez", code: normalize.MethodNotAllowed, allow: "GET, HEAD"},
		{method: "POST", path: "/readyz", code: normalize.MethodNotAllowed, allow: "GET, HEAD"},
	} {
		d, failure := Resolve(c.method, c.path)
		name := ""
		if d.Route != nil {
			name = d.Route.Name
		}
		got := []any{code(failure), name, d.Account, d.Rest, d.Model, d.Allow}
		for i, want := range []any{c.code, c.name, c.account, c.rest, c.model, c.allow} {
			if got[i] != want {
				t.Errorf("%s %s: got %v, want %v", c.method, c.path, got[i], want)
			}
		}
	}
	if Plain("") {
		t.Error("the empty path is plain, want it not to be")
	}
	if _, f := Resolve(strings.Repeat("X", 5000), "/run"); len(f.Message) > 100 {
		t.Errorf("got a message of %d bytes, want a method of any length to be cut", len(f.Message))
	}
}

func TestLocateSessions(t *testing.T) {
	const no, wrong = normalize.RouteNotProxied, normalize.InvalidModelID
	for _, c := range []struct {
		target string
		change func(r *http.Request)
		code   normalize.Code
	}{
		{target: "/run/@cf/m"},
		{target: "/workers-ai?model=@cf/m"},
		{target: "/v1/a/g/workers-ai?model=@cf/m"},
		{target: "/v1/a;b/g/workers-ai?model=@cf/m", code: no},
		{target: "/workers-ai?model=@cf/m&model=@cf/n", code: wrong},
		{target: "/workers-ai", code: wrong},
		{target: "/workers-ai?model=@cf/../m", code: wrong},
		{target: "/v1/chat/completions", code: no},
		{target: "/ai/finetunes", code: no},
		{target: "/run/@cf/m", change: func(r *http.Request) { r.ProtoMinor = 0 }, code: no},
		{target: "/run/@cf/m", change: func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, code: no},
		{target: "/run/@cf/m", change: func(r *http.Request) { r.Method = "POST" }, code: no},
		{target: "/run/@cf/m", change: func(r *http.Request) { r.Header.Del("Connection") }, code: normalize.BadInput},
	} {
		r := httptest.NewRequest(http.MethodGet, c.target, http.NoBody)
		r.Header.Set("Upgrade", "WebSocket")
		r.Header.Set("Connection", "keep-alive, Upgrade")
		if c.change != nil {
			c.change(r)
		}
		d, failure := Locate(r)
		if code(failure) != c.code || failure == nil && (d.Model != "@cf/m" || !d.Route.Session) {
			t.Errorf("%s: got %v, failure %v, want code %v", c.target, d, failure, c.code)
		}
		if d.HasFinetunes() { // else one without the upgrade would be tried
			t.Errorf("%s: got routes of finetunes, want none", c.target)
		}
	}
}

func TestUpstreams(t *testing.T) {
	for _, c := range []struct {
		base    string
		gateway bool
		api     string
		run     string // where a model is run
		search  string // where the catalog is
	}{
		{
			base: "http://api/client/v4", api: "http://api/client/v4",
			run:    "http://api /client/v4/accounts/a/ai/run/m",
			search: "http://api /client/v4/accounts/a/ai/models/search",
		},
		{
			base: "http://api/other", api: DefaultAPI,
			run: "http://api /other/accounts/a/ai/run/m", search: "http://api /other/accounts/a/ai/models/search",
		},
		{
			base: "http://gw/v1/a/g/openai", api: DefaultAPI,
			run:    "http://gw /v1/a/g/openai/accounts/a/ai/run/m",
			search: "http://gw /v1/a/g/openai/accounts/a/ai/models/search",
		},
		{
			base: "http://gw/v1/a/g/workers-ai", gateway: true, api: DefaultAPI,
			run:    "http://gw /v1/a/g/workers-ai/m",
			search: "https://api.cloudflare.com /client/v4/accounts/a/ai/models/search",
		},
	} {
		base, err := url.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		u := NewUpstream(base, nil)
		if u.Gateway != c.gateway || u.API.String() != c.api {
			t.Errorf("%s: got gateway %v and API %s, want %v, %s", c.base, u.Gateway, u.API.String(), c.gateway, c.api)
		}
		for path, want := range map[string]string{"POST /ai/run/m": c.run, "GET /ai/models/search": c.search} {
			method, path, _ := strings.Cut(path, " ")
			d, _ := Resolve(method, path)
			d.Account = "a"
			at, path, err := u.Locate(&d)
			if err != nil || at.Scheme+"://"+at.Host+" "+path != want {
				t.Errorf("%s: got %v %s, %v; want %s", c.base, at, path, err, want)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/v1//chat/completions", "/v1/chat/completions"},
		{"POST", "//v1/chat/completions", "/v1/chat/completions"},
		{"POST", "/v1/v1/chat/completions", "/v1/chat/completions"},
		{"POST", "/chat/completions", "/v1/chat/completions"},
		{"POST", "/embeddings", "/v1/embeddings"},
		{"GET", "/models", "/v1/models"},
		{"POST", "/openai/v1/chat/completions", "/v1/chat/completions"},
		{"POST", "/V1/Chat/Completions", "/v1/chat/completions"},
		{"POST", "/client/v4/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8", "/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8"},
		{"POST", "/v1/audio/transcriptions", ""},
		{"GET", "/client/v4/zones", ""},
		{"POST", "/", ""},
		{"POST", "/v1/chat/completions/../../tokens", ""},
		{"PUT", "/chat/completions", "/v1/chat/completions"},
		{"POST", "/finetunes", ""}, // only for clients whose entry says so
		{"POST", "/x/client/v4/accounts/a/ai/run/@cf/m", "/ai/run/@cf/m"},
	} {
		if got := Suggest(c.method, c.path); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

func TestOneSlashAtTheEndOfAPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1/chat/completions/": true, "/v1/chat/completions//": false, "/ai/run/@cf/meta/x/": true,
		"/v1/models/": false, "/": false,
	} {
		d, failure := Resolve(http.MethodPost, path)
		if got := failure == nil; got != want {
			t.Errorf("%s: got %v (%v), want %v", path, got, d.Rest, want)
		}
	}
}
