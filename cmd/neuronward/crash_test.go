package main

import (
	"encoding/json"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// crashes is how often the binary is killed: go test ./cmd/neuronward -crashes 50
var crashes = flag.Int("crashes", 5, "how often the binary is killed")

// TestProcessKilled kills the binary with -9 at random moments under load, again
// and again on the same state file. What was billed is never more than what is
// counted, and what is counted above it is bounded: 1 % of the limit and the
// calls in flight, for each kill.
func TestProcessKilled(t *testing.T) {
	const (
		limit   = 100_000
		callers = 16
		call    = `{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","max_tokens":100,"messages":[{"role":"user",` +
			`"content":"Hello"}]}`
		estimate = 6.0 // neurons that this call may cost at most, by the table
	)
	random := rand.New(rand.NewPCG(1, uint64(*crashes)))

	answered := make(chan struct{}, 1<<16)
	simulator := workersai.New(workersai.Options{
		Account: hexAccount, Token: fakeToken, OnCall: func(workersai.Call) { answered <- struct{}{} },
	})
	var running sync.WaitGroup
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		simulator.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	environ := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
		"NEURONWARD_STORE=file:" + filepath.Join(t.TempDir(), "neurons"),
		"NEURONWARD_DAILY_NEURONS=" + strconv.Itoa(limit),
		"NEURONWARD_RATE_LIMITS=off",
	}
	counted := func(p *process) float64 {
		_, body := p.get(p.admin + "/status")
		var s struct{ Used, Reserved, Lost float64 }
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatalf("got %v, want the status as JSON: %s", err, body)
		}
		return s.Used + s.Reserved + s.Lost
	}
	for crash := range *crashes {
		p := start(t, environ)
		var calls sync.WaitGroup
		for range callers {
			calls.Go(func() {
				for {
					resp, err := http.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(call))
					if err != nil {
						return // the proxy is dead
					}
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if err != nil {
						return
					}
				}
			})
		}
		for range 1 + random.IntN(300) {
			<-answered
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit()
		calls.Wait()
		running.Wait() // what was at Workers AI when the proxy died is billed as well
		for len(answered) > 0 {
			<-answered
		}

		again := start(t, environ)
		got, billed := counted(again), simulator.Billed().Float()
		above := float64(crash+1) * (limit/100 + callers*estimate)
		if got < billed {
			t.Errorf("kill %d: got %.3f neurons counted, want the %.3f that were billed at least", crash+1, got, billed)
		}
		if got > billed+above {
			t.Errorf("kill %d: got %.3f neurons counted, want %.0f more than the %.3f billed at most",
				crash+1, got, above, billed)
		}
		t.Logf("kill %d: counted %.2f, billed %.2f, above by %.2f", crash+1, got, billed, got-billed)
		again.signal()
		equal(t, "exit", again.exit(), exitDone)
	}
}
