package routing

import (
	"net/http"
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
