package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What plan says that a call reserves is what the proxy reserves for it: that is what a call costs that may have run
// and of which nothing is known.
func TestPlanIsTheProxys(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusGatewayTimeout)
	}))
	t.Cleanup(upstream.Close)
	file := filepath.Join(t.TempDir(), "prompt")
	prompt := strings.Repeat("A prompt: \"quoted\",\n\t漢字 and 0123456789. ", 40)
	if err := os.WriteFile(file, []byte(prompt), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(prompt)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ model, estimate, limit string }{
		{"@cf/meta/llama-3.3-70b-instruct-fp8-fast", "tight", ""},
		{"@cf/zai-org/glm-4.7-flash", "tight", ""},
		{"@cf/zai-org/glm-4.7-flash", "bound", "77"},
		{"@cf/openai/gpt-oss-20b", "tight", "77"},
	} {
		name := c.model + " " + c.estimate + " " + c.limit
		environ := []string{
			"NEURONWARD_PRICES=embedded", "NEURONWARD_ESTIMATE=" + c.estimate,
			"NEURONWARD_DEFAULT_MAX_TOKENS=" + c.limit,
		}
		var out, errs bytes.Buffer
		args := []string{"plan", "--json", "--model", c.model, "--prompt-file", file}
		equal(t, name+": exit", run(t.Context(), args, environ, strings.NewReader(""), &out, &errs), exitDone)
		var planned struct{ Reserved json.Number }
		if err := json.Unmarshal(out.Bytes(), &planned); err != nil {
			t.Fatalf("%s: got %s %s, want JSON", name, out.String(), errs.String())
		}
		p := start(t, append(environ, "CLOUDFLARE_ACCOUNT_ID="+hexAccount, "CLOUDFLARE_API_TOKEN="+fakeToken,
			"NEURONWARD_UPSTREAM="+upstream.URL+"/client/v4", "NEURONWARD_STORE=memory:"))
		body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%s}]}`, c.model, text)
		res, err := http.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		line := p.await("call failed")
		equal(t, name+": because", line["because"], any("reservation"))
		equal(t, name+": reserved", planned.Reserved.String(), fmt.Sprint(line["neurons"]))
		p.signal()
	}
}
