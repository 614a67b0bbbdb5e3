package proxy

import (
	"net/http"
	"strings"
	"testing"
)

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
