package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// The limit of the configuration, through the binary: in the body that is sent, on the log line, and in the answer.
func TestDefaultMaxTokens(t *testing.T) {
	t.Parallel()
	upstream := &taped{simulator: workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken})}
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + server.URL + "/client/v4", "NEURONWARD_STORE=memory:",
		"NEURONWARD_DEFAULT_MAX_TOKENS=33",
	})
	body := `{"model":"` + model + `","messages":[{"role":"user","content":"Hello"}]}`
	res, err := http.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	equal(t, "status", res.StatusCode, http.StatusOK)
	equal(t, "header", res.Header.Get("X-Neuronward-Max-Tokens-Set"), "33")
	equal(t, "log line", p.await("call")["max_tokens_set"], any(33.0))
	upstream.mu.Lock()
	defer upstream.mu.Unlock()
	equal(t, "body", string(upstream.request), strings.Replace(body, "{", `{"max_tokens":33,`, 1))
}
