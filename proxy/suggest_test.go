package proxy

import (
	"net/http"
	"strings"
	"testing"
)

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
	} {
		if got := suggest(c.method, c.path); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

// A 404 says what came, what was probably meant, and the base URL to set, in the message and for the status page.
func TestNotProxiedSaysWhatWasMeant(t *testing.T) {
	b := newBench(t, answerJSON(200, chatAnswer))
	for path, want := range map[string][]string{
		"/v1//chat/completions":   {"/v1//chat/completions", "Did you mean /v1/chat/completions?", "http://"},
		"/chat/completions":       {"POST /chat/completions", "/v1/chat/completions"},
		"/ai/websearch":           {"dollars"},
		"/v1/" + testToken + "/x": {"POST /v1/"},
	} {
		res, body := b.do(http.MethodPost, path, `{}`)
		e := b.envelope(body)
		if res.StatusCode != http.StatusNotFound || e.Error.Name != "route_not_proxied" {
			t.Errorf("%s: got %d %s, want 404 route_not_proxied", path, res.StatusCode, e.Error.Name)
		}
		for _, w := range want {
			if !strings.Contains(e.Error.Message, w) {
				t.Errorf("%s: got %q, want it to contain %q", path, e.Error.Message, w)
			}
		}
		if strings.Contains(e.Error.Message, testToken) {
			t.Errorf("%s: got the token in %q, want it removed", path, e.Error.Message)
		}
	}
}

func TestOneSlashAtTheEndOfAPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1/chat/completions/": true, "/v1/chat/completions//": false, "/ai/run/@cf/meta/x/": true,
		"/v1/models/": false, "/": false,
	} {
		d, failure := resolve(http.MethodPost, path)
		if got := failure == nil; got != want {
			t.Errorf("%s: got %v (%v), want %v", path, got, d.rest, want)
		}
	}
}
