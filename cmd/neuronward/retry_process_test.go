package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// Failures that a retry recovers from, through the demo's binary: one success, counted as such.
func TestDemoRetriesTransientFailures(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo")
	for _, c := range []struct{ simulate, code string }{
		{"3040; times=2", "3040"},
		{"first=3040; times=1", "3040"},
		{"html-502; times=2", "7009"},
		{"3050; times=1", "3050"},
		{"3043; times=1", "3043"},
	} {
		call := fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":8,"messages":[{"role":"user","content":%q}]}`,
			model, strings.HasPrefix(c.simulate, "first"), c.simulate)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.app+"/v1/chat/completions",
			strings.NewReader(call))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Simulate", c.simulate)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		times := c.simulate[len(c.simulate)-1] - '0'
		if err != nil {
			t.Errorf("%s: got %v, want a whole answer", c.simulate, err)
		}
		isAnswer(t, c.simulate, res.StatusCode, string(body), http.StatusOK)
		equal(t, c.simulate+": attempts", res.Header.Get("X-Neuronward-Attempts"), fmt.Sprint(times+1))
	}
	for series, want := range map[string]string{
		`neuronward_retries_total{code="3040",outcome="recovered"}`:                                      "3",
		`neuronward_retries_total{code="7009",outcome="recovered"}`:                                      "2",
		`neuronward_retries_total{code="3050",outcome="recovered"}`:                                      "1",
		`neuronward_retries_total{code="3043",outcome="recovered"}`:                                      "1",
		`neuronward_retries_total{code="3040",outcome="failed"}`:                                         "0",
		`neuronward_errors_total{code="3040",fault="upstream",name="out_of_capacity",origin="upstream"}`: "0",
	} {
		if got := p.series(series); got != want {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
}

// Connections that upstream resets before it has read anything, and a server
// that comes up a moment later: real sockets.
func TestUpstreamThatComesBack(t *testing.T) {
	address := "127.0.0.1:" + freePort(t) // refused at first
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=http://" + address + "/client/v4",
		"NEURONWARD_STORE=memory:", "NEURONWARD_RETRY_BUDGET=1",
	})
	var calls atomic.Int64
	simulator := workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken})
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`)
	if status != http.StatusBadGateway || !bytes.Contains([]byte(body), []byte(`"name":"upstream_unreachable"`)) {
		t.Fatalf("got %d %s, want 502 upstream_unreachable", status, body)
	}
	if got := p.series(`neuronward_retries_total{code="90011",outcome="failed"}`); got != "2" {
		t.Errorf("got %s more attempts, want 2", got)
	}
	if s := p.status(); s.Used == nil || *s.Used != 0 {
		t.Errorf("got %v neurons for a call that was never sent, want 0", s.Used)
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		simulator.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	status, body = p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`)
	isAnswer(t, "a call once it is back", status, body, http.StatusOK)
	equal(t, "calls upstream", calls.Load(), 1)
}

// Refused ahead of Cloudflare's limit: the binary lets no more pass than the
// table says, and what it refuses never reaches upstream.
func TestBinaryKeepsRequestsPerMinute(t *testing.T) {
	t.Parallel()
	upstream := newScripted(t)
	upstream.next.Store(&reply{
		status: http.StatusOK, contentType: "application/json", body: `{"success":true,"result":{"response":"x"}}`,
	})
	p := start(t, upstream.environ("NEURONWARD_RATE_LIMITS=text-generation=40", "NEURONWARD_RATE_WAIT=0s"))
	passed, refused := 0, 0
	for began := time.Now(); refused < 10 && time.Since(began) < time.Minute; {
		switch status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`); {
		case strings.Contains(body, `"name":"rate_limited"`) && status == http.StatusTooManyRequests:
			refused++
		default:
			passed++
		}
	}
	if refused < 10 || passed < 4 || passed > 40 {
		t.Errorf("got %d calls through and %d refused within a minute, want 4 to 40, and 10", passed, refused)
	}
	got := p.series(`neuronward_preempted_total{client="anonymous",mode="enforce",reason="rate"}`)
	if got != fmt.Sprint(refused) {
		t.Errorf("got %s calls in the series, want the %d that were refused", got, refused)
	}
}
