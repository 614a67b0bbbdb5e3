package sdk

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// TestSDKs puts every SDK into every scenario, with a demo of its own so that the counts are its own, and
// checks what its user sees and how many requests it took.
func TestSDKs(t *testing.T) {
	t.Parallel()
	bin := build(t)
	answer := simulatedAnswer(t)
	seen := make([][]sight, len(clients))
	t.Run("clients", func(t *testing.T) {
		for i, c := range clients {
			t.Run(strings.ReplaceAll(c.name+" "+c.api, " ", "-"), func(t *testing.T) {
				t.Parallel()
				seen[i] = c.observe(t, bin)
				for j, sc := range scenarios {
					c.check(t, sc, seen[i][j], answer)
				}
			})
		}
	})
	ran := !slices.ContainsFunc(seen, func(s []sight) bool { return s == nil }) // -run may have chosen some
	if ran && !t.Failed() {
		checkPage(t, seen)
	}
}

// observe returns what c saw, in the order of the scenarios.
func (c *client) observe(t *testing.T, bin string) []sight {
	t.Helper()
	demo := start(t, bin, "demo")
	upstream := httptest.NewServer(workersai.New(workersai.Options{Account: account, Token: "right-token"}))
	defer upstream.Close()
	tokenless := start(t, bin, "serve", "CLOUDFLARE_ACCOUNT_ID="+account,
		"NEURONWARD_UPSTREAM="+upstream.URL+"/client/v4")

	errands := make([]errand, len(scenarios))
	for i, sc := range scenarios {
		e := errand{
			Scenario: sc.name, URL: demo.url, Key: "any-key", Stream: sc.stream,
			Header: map[string]string{"x-request-id": sc.name},
		}
		if sc.simulate != "" {
			e.Header["x-simulate"] = sc.simulate
		}
		if sc.wrongKey {
			e.URL, e.Key = tokenless.url, "wrong-token"
		}
		errands[i] = e
	}
	saw := make(map[string]sight)
	for _, s := range c.run(t, errands) {
		saw[s.Scenario] = s
	}

	counts := demo.stop()
	maps.Copy(counts, tokenless.stop())
	ordered := make([]sight, len(scenarios))
	for i, sc := range scenarios {
		s, ok := saw[sc.name]
		if !ok {
			t.Fatalf("scenarios that were run = %v, want %s among them", saw, sc.name)
		}
		s.requests = counts[sc.name]
		delete(counts, sc.name)
		ordered[i] = s
	}
	if len(counts) > 0 {
		t.Errorf("requests that belong to no scenario, by request id = %v, want none", counts)
	}
	return ordered
}

// check compares what was seen with what ought to be.
func (c *client) check(t *testing.T, sc scenario, s sight, answer string) {
	t.Helper()
	w := c.wants(sc)
	differ := func(what string, got, want any) {
		if got != want {
			t.Errorf("%s: %s = %q, want %q", sc.name, what, got, want)
		}
	}
	got := nothing
	switch {
	case s.Text == answer:
		got = whole
	case s.Text != "" && strings.HasPrefix(answer, s.Text):
		got = beginning
	case s.Text != "":
		t.Errorf("%s: the text = %q, want %q or the beginning of it", sc.name, s.Text, answer)
	}
	differ("the part of the answer", got, w.text)
	if w.failed() {
		differ("the finish of a failed answer", s.Finish, "")
	} else {
		differ("the finish", s.Finish, c.finish(sc))
	}
	if s.requests != w.requests {
		t.Errorf("%s: %d requests reached the proxy, want %d", sc.name, s.requests, w.requests)
	}
	differ("the class", s.Class, w.class)
	if s.Status != w.status {
		t.Errorf("%s: the status is %d, want %d", sc.name, s.Status, w.status)
	}
	differ("the code", s.Code, w.code)
	id := ""
	if w.failed() && w.withID {
		id = sc.name
	}
	differ("the request id", s.RequestID, id)
	if w.withBody && w.status != 0 {
		if !strings.Contains(s.Message, w.message) {
			t.Errorf("%s: the message is %q, want one with %q", sc.name, s.Message, w.message)
		}
		return
	}
	differ("the message", s.Message, w.message)
}

// simulatedAnswer is what the simulated model says to the question.
func simulatedAnswer(t *testing.T) string {
	t.Helper()
	body := `{"messages":[{"role":"user","content":"` + question + `"}]}`
	r := httptest.NewRequest(http.MethodPost, "/client/v4/accounts/"+account+"/ai/run/"+model, strings.NewReader(body))
	w := httptest.NewRecorder()
	workersai.New(workersai.Options{}).ServeHTTP(w, r)
	var answer struct {
		Result struct {
			Response string `json:"response"`
		} `json:"result"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Result.Response) < 50 {
		t.Fatalf("answer of the simulator = %q, error %v, want 50 bytes of text at least", w.Body, err)
	}
	return answer.Result.Response
}
