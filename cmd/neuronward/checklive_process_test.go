package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// The binary looks at a Workers AI that ends its streams in another way and repeats the token and the account in
// everything that it says: it exits with 1, names that point, and shows neither.
func TestProcessCheckLive(t *testing.T) {
	t.Parallel()
	sim := workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(workersai.SimulateHeader, "differ=order")
		w.Header().Set("X-Echo-"+fakeToken, r.URL.Path)
		if !strings.HasSuffix(r.URL.Path, "/v1/embeddings") {
			sim.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"success":false,"errors":[{"code":7000,"message":"no `+r.Header.Get("Authorization")+` at `+
			r.URL.Path+`"}]}`)
	}))
	t.Cleanup(server.Close)
	environ := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + server.URL + "/client/v4",
	}
	p := launch(t, environ, "check", "--live", "--json", "--wait", "0s")
	p.ends(exitFailed)
	var r liveReport
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
		t.Fatalf("got %v, want JSON\n%s", err, p.out.String())
	}
	var differ []string
	for _, point := range r.Points {
		if point.Result == "differs" {
			differ = append(differ, point.Name)
		}
	}
	equal(t, "points that differ", strings.Join(differ, " "), "stream.end embeddings.answer headers.ray")
	for _, secret := range []string{fakeToken, hexAccount} {
		lacks(t, "stdout", p.out.String(), secret)
		lacks(t, "stderr", p.log.String(), secret)
	}
	contains(t, "stderr", p.log.String(), "embeddings     400 text/plain, ")
}
