package workersai_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// The Go code that README.md shows is this function's body, and works.
func TestReadmeGo(t *testing.T) {
	sim := workersai.New(workersai.Options{})
	server := httptest.NewServer(sim)
	defer server.Close()
	// The app under test calls server.URL + "/client/v4/accounts/acct/ai/v1" as its OpenAI base URL.
	res, err := http.Post(server.URL+"/client/v4/accounts/acct/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8",
		"application/json", strings.NewReader(`{"prompt": "Hello", "max_tokens": 5}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || sim.Calls() != 1 {
		t.Errorf("got status %s and %d calls, want 200 and 1", res.Status, sim.Calls())
	}
	// That was all.

	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func TestReadmeGo(t *testing.T) {\n")
	body, _, _ = strings.Cut(body, "\t// That was all.")
	want := strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:]
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "```go\n")
	if shown, _, _ = strings.Cut(shown, "```"); shown != want {
		t.Errorf("got in README.md:\n%s\nwant:\n%s", shown, want)
	}
}
