package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// simulated makes a call through the demo with this x-simulate and returns its status and body.
func (p *process) simulated(what, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.app+"/v1/chat/completions",
		strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set(workersai.SimulateHeader, what)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// A test of an app sees its own calls alone, and begins a new day when it needs one: the simulator's, and the proxy's.
func TestDemoSessionsAndDays(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"NEURONWARD_DAILY_NEURONS=7"}, "demo")
	call := `{"model":"` + model + `","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	used := func() float64 {
		var s struct{ Used float64 }
		_, body := p.get(p.admin + "/status")
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		return s.Used
	}
	spend := "tokens=100"
	for i, c := range []struct {
		what string
		want int
	}{
		{spend, http.StatusOK},
		{spend, http.StatusOK},
		{spend, http.StatusTooManyRequests},
		{"reset-day; " + spend, http.StatusOK},
		{"session=a; " + spend, http.StatusOK},
		{"session=a; reset-day", http.StatusTooManyRequests}, // the proxy's day is everybody's
		{"reset-day", http.StatusOK},
	} {
		status, body := p.simulated(c.what, call)
		isAnswer(t, c.what, status, body, c.want)
		if t.Failed() {
			t.Fatalf("call %d of the day: %s; %v neurons used", i, body, used())
		}
	}
	if got := used(); got <= 0 || got > 3 {
		t.Errorf("used after a new day: got %v, want the last call alone", got)
	}
	status, body := p.get(p.app + workersai.CallsPath + "?session=a")
	isAnswer(t, "the log", status, body, http.StatusOK)
	if n := strings.Count(body, `"output_tokens":100`); n != 1 || strings.Count(body, `"model":`) != 2 {
		t.Errorf("calls of session a: got %s, want the one that came through, with its body", body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.app+workersai.CallsPath+"?session=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example.com"
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode == http.StatusOK {
		t.Error("the log to a name that leads here: got 200, want a refusal")
	}
}

// Only the demo has a log of calls.
func TestServeHasNoLogOfCalls(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_UPSTREAM=http://127.0.0.1:1/client/v4"})
	if status, body := p.get(p.app + workersai.CallsPath + "?session=a"); status != http.StatusNotFound {
		t.Errorf("got %d %s, want 404", status, body)
	}
}
