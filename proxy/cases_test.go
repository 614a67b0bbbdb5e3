package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A publicCase is one public report: what Workers AI was asked and how it answered, and what a caller should get.
type publicCase struct {
	ID      string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
		BodyBase64   []byte `json:"body_base64"`
	}
	Env     map[string]string
	Status  int
	Headers map[string]string
	Body    string
	SSE     []string
	Repeat  int
	Expect  map[string]any
}

func publicCases(t *testing.T) (cases []*publicCase) {
	t.Helper()
	file, err := os.Open("../normalize/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		c := new(publicCase)
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// proxy returns a proxy in front of an upstream that answers as the case says, configured as the binary is by default.
func (c *publicCase) proxy(t *testing.T, calls *atomic.Int64) *guarded {
	limit := 10_000 * neuron
	if c.Env["NEURONWARD_DAILY_NEURONS"] == "100000" {
		limit *= 10
	}
	return newGuarded(t, quota.Options{Limit: limit}, workersai.Options{}, repeatedly, func(conf *Config) {
		conf.AllowedModels = modelname.List{"@cf/*", "@hf/*"}
		if c.Env["NEURONWARD_MODELS"] != "" {
			conf.AllowedModels = modelname.List{"*"}
		}
		if c.Env["NEURONWARD_UPSTREAM"] != "" {
			conf.Upstream = &url.URL{Scheme: "https", Host: "gateway.invalid", Path: "/v1/" + testAccount + "/gw1"}
		}
		if token := c.Env["CF_AIG_TOKEN"]; token != "" {
			conf.GatewayToken = func() string { return token }
		}
		conf.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			for k, v := range c.Headers {
				w.Header().Set(k, v)
			}
			w.WriteHeader(c.Status)
			_, _ = io.WriteString(w, c.Body+strings.Join(c.SSE, ""))
		})}
	})
}

// A caseForm is one request of a case: as it was sent, or the same by another protocol.
type caseForm struct{ name, path, body string }

// forms returns the forms of the case's request. A failure that answers a chat is sent by every protocol.
func (c *publicCase) forms(t *testing.T) []caseForm {
	t.Helper()
	body := string(c.Request.Body)
	switch {
	case c.Request.BodyBase64 != nil:
		body = string(c.Request.BodyBase64)
	case strings.HasPrefix(body, `"`):
		if err := json.Unmarshal(c.Request.Body, &body); err != nil {
			t.Fatal(err)
		}
	case body == "null":
		body = ""
	}
	forms := []caseForm{{"as sent", c.Request.Path, body}}
	if c.Request.Path != "/v1/chat/completions" || c.Status < 400 {
		return forms
	}
	var chat struct{ Model string }
	if err := json.Unmarshal(c.Request.Body, &chat); err != nil {
		t.Fatal(err)
	}
	forms = append(forms,
		caseForm{"messages", "/v1/messages", strings.Replace(body, "{", `{"max_tokens":16,`, 1)},
		caseForm{"responses", "/v1/responses", `{"model":"` + chat.Model + `","input":"hi"}`})
	if strings.Contains(body, "max_tokens") {
		forms[1].body = body
	}
	if modelname.WorkersAI(chat.Model) {
		forms = append(forms, caseForm{"native", "/run/" + chat.Model, `{"prompt":"hi"}`})
	}
	return forms
}

func (c *publicCase) send(g *guarded, f caseForm) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), c.Request.Method, "http://localhost"+f.path,
		strings.NewReader(f.body))
	for k, v := range c.Request.Headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	g.proxy.ServeHTTP(w, r)
	return w
}

// allows reports whether a case expects this under key: one value, or any of a list.
func (c *publicCase) allows(key string, got any) bool {
	want, ok := c.Expect[key]
	if !ok {
		return true
	}
	if list, ok := want.([]any); ok {
		return slices.Contains(list, got)
	}
	return want == got
}

// Each public report gets the answer that it should have got: status, envelope, the advice to SDKs, and how often
// Workers AI was called for it.
func TestPublicCasesAreAnswered(t *testing.T) {
	n := 0
	for _, c := range publicCases(t) {
		for _, form := range c.forms(t) {
			n++
			t.Run(c.ID+"/"+form.name, func(t *testing.T) {
				virtually(t, func(t *testing.T) { c.check(t, form) })
			})
		}
	}
	if want := 120; n < want {
		t.Errorf("got %d calls, want at least %d", n, want)
	}
}

func (c *publicCase) check(t *testing.T, form caseForm) {
	var calls atomic.Int64
	g := c.proxy(t, &calls)
	defer func() { _ = g.ledger.Close(context.Background()) }()
	for range max(c.Repeat, 1) {
		calls.Store(0)
		w := c.send(g, form)
		got := map[string]any{
			"status": float64(w.Code), "upstream_calls": float64(calls.Load()),
			"done": strings.Contains(w.Body.String(), "data: [DONE]"),
		}
		body, event := w.Body.String(), ""
		if i := strings.LastIndex(body, `data: {"error":{"message":`); w.Code == http.StatusOK && i >= 0 {
			body, event = strings.TrimPrefix(body[i:], "data: "), "event_"
		}
		var e envelope
		if err := json.NewDecoder(strings.NewReader(body)).Decode(&e); err == nil && e.Error.Name != "" {
			got[event+"name"], got[event+"number"] = e.Error.Name, float64(e.Error.Number)
			got[event+"fault"], got[event+"retryable"] = e.Error.Fault, e.Error.Retryable
		}
		if w.Code != http.StatusOK {
			got["x-should-retry"] = w.Header().Get("X-Should-Retry")
			got["retry-after"] = w.Header().Get("Retry-After")
		}
		for key := range c.Expect {
			if key != "neurons" && key != "message_has" && !c.allows(key, got[key]) {
				t.Errorf("%s: got %v, want %v\n%.600s", key, got[key], c.Expect[key], w.Body)
			}
		}
		if parts, ok := c.Expect["message_has"].([]any); ok {
			for _, part := range parts {
				wantHas(t, "message", e.Error.Message, part.(string))
			}
		}
		if w.Header().Get("X-Should-Retry") == "true" && !e.Error.Retryable {
			t.Errorf("X-Should-Retry: got true for what is not retryable, want false: %.600s", w.Body)
		}
	}
}

// Each public report that says what a call cost is counted so.
func TestPublicCasesAreCounted(t *testing.T) {
	n := 0
	for _, c := range publicCases(t) {
		least, most, ok := between(c.Expect["neurons"])
		if !ok || c.Request.Body[0] != '{' {
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := c.proxy(t, new(atomic.Int64))
				c.send(g, c.forms(t)[0])
				if used := g.close().Account.Used.Float(); used < least || used > most {
					t.Errorf("got %v neurons used, want %v to %v\n%s", used, least, most, g.log)
				}
			})
		})
	}
	if n < 30 {
		t.Errorf("got %d cases, want at least 30", n)
	}
}

// between reads what a case expects: a number, which cf-ai-neurons may round by half a hundredth, or two.
func between(neurons any) (least, most float64, ok bool) {
	const rounded = 0.0051
	switch v := neurons.(type) {
	case float64:
		if v == 0 {
			return 0, 0, true
		}
		return v - rounded, v + rounded, true
	case []any:
		return v[0].(float64), v[1].(float64), true
	}
	return 0, 0, false
}
