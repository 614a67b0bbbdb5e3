package workersai_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

func TestFailuresByItself(t *testing.T) {
	s := start(t, workersai.Options{})
	chat := "/v1/chat/completions"
	for _, c := range []struct {
		name, path, body string
		status, code     int
		says             string
	}{
		{
			"no such model", "/run/@cf/meta/nope", prompted, 400, 5007,
			"AiError: AiError: No such model: No such model @cf/meta/nope or task (",
		},
		{
			"no such model in the body", chat, `{"model":"gpt-4","messages":` + hello + `}`, 400, 5007,
			"No such model gpt-4 or task",
		},
		{
			"deprecated", "/run/@cf/meta/llama-3-8b-instruct", prompted, 410, 5028,
			"Model has been deprecated: @cf/meta/llama-3-8b-instruct was deprecated on 2026-05-30",
		},
		{"no body", "/run/" + older, ``, 400, 3003, "Request is missing headers or body: body"},
		{"broken JSON", "/run/" + older, `{"prompt":`, 400, 5006, "Bad input: SyntaxError"},
		{"no object", chat, `["x"]`, 400, 5006, "Type mismatch of '/', 'array' not in 'object'"},
		{"no model", chat, `{"messages":` + hello + `}`, 400, 5006, "required properties at '/' are 'model'"},
		{
			"a model that is no text", chat, `{"model":7}`, 400, 5006,
			"Type mismatch of '/model', 'number' not in 'string'",
		},
		{
			"neither prompt nor messages", "/run/" + older, `{}`, 400, 5006,
			"Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', required " +
				"properties at '/' are 'messages' (",
		},
		{
			"no input", "/run/@cf/openai/gpt-oss-20b", `{}`, 400, 5006,
			"required properties at '/' are 'input', required properties at '/' are 'requests'",
		},
		{
			"no messages", chat, `{"model":"` + older + `","prompt":"x"}`, 400, 5006,
			"required properties at '/' are 'messages'",
		},
		{"empty messages", chat, `{"model":"` + older + `","messages":[]}`, 400, 5006, "must not be empty"},
		{
			"messages that are no list", chat, `{"model":"` + older + `","messages":"x"}`, 400, 5006,
			"Type mismatch of '/messages', 'string' not in 'array'",
		},
		{
			"a message that is none", chat, `{"model":"` + older + `","messages":[7]}`, 400, 5006,
			"Type mismatch of '/messages/0', 'number' not in 'object'",
		},
		{
			"a message without role", chat, `{"model":"` + older + `","messages":[{"content":"x"}]}`, 400, 5006,
			"required properties at '/messages/0' are 'role,content'",
		},
		{
			"content that is a number", chat, `{"model":"` + older + `","messages":[{"role":"user","content":7}]}`, 400,
			5006, "Type mismatch of '/messages/0/content', 'number' not in 'string','array'",
		},
		{
			"max_tokens as text", "/run/" + older, `{"prompt":"x","max_tokens":"9"}`, 400, 5006,
			"Type mismatch of '/max_tokens', 'string' not in 'integer'",
		},
		{
			"max_tokens below 1", "/run/" + older, `{"prompt":"x","max_tokens":-1}`, 400, 5006,
			"'/max_tokens' must be >= 1",
		},
		{
			"max_tokens beyond all numbers", "/run/" + older, `{"prompt":"x","max_tokens":1e99}`, 400, 5006,
			"Type mismatch of '/max_tokens'",
		},
		{
			"stream as text", "/run/" + older, `{"prompt":"x","stream":"yes"}`, 400, 5006,
			"Type mismatch of '/stream', 'string' not in 'boolean'",
		},
		{
			"beyond the context window", "/run/" + older, `{"prompt":"one two","max_tokens":32000}`, 413, 5021,
			"Ai: The estimated number of input and maximum output tokens (32002) exceeded this model context " +
				"window limit (32000).",
		},
		{
			"an embedding model asked to chat", chat, `{"model":"@cf/baai/bge-m3","messages":` + hello + `}`, 400, 5007,
			"or task",
		},
		{
			"a chat model asked to embed", "/v1/embeddings", `{"model":"` + older + `","input":"x"}`, 400, 5007,
			"or task",
		},
		{
			"no text to embed", "/run/@cf/baai/bge-m3", `{}`, 400, 5006,
			"required properties at '/' are 'text', required properties at '/' are 'requests'",
		},
		{
			"too many texts", "/v1/embeddings",
			`{"model":"@cf/baai/bge-m3","input":[` + strings.Repeat(`"x",`, 100) + `"x"]}`, 400, 5006,
			"'/input' must hold 1 to 100 items",
		},
		{
			"a path that does not exist", "/v1/completions", `{}`, 404, 7003,
			"Could not route to /client/v4/accounts/acct/ai/v1/completions, perhaps your object identifier is " +
				"invalid?",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post(c.path, c.body)
			refused(t, a, c.status, c.code, c.says)
			if hasID := a.header.Get("cf-ai-req-id") != ""; hasID != (c.code != 7003) || a.header.Get("cf-ray") == "" {
				t.Errorf("got cf-ai-req-id %q, cf-ray %q, want an id %t, some ray", a.header.Get("cf-ai-req-id"),
					a.header.Get("cf-ray"), c.code != 7003)
			}
		})
	}
	if s.Calls() != 0 || s.Billed() != 0 {
		t.Errorf("got %d calls, %v billed, want none", s.Calls(), s.Billed())
	}
}

func TestRoutesThatAreNone(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, c := range []struct {
		method, path string
		status, code int
		allow        string
	}{
		{"GET", "/", 404, 7003, ""},
		{"POST", "/client/v4/accounts/acct/workers/scripts", 404, 7003, ""},
		{"POST", "/client/v4/accounts//ai/run", 404, 7003, ""},
		{"POST", "/client/v4/accounts/acct/ai/run/", 404, 7003, ""},
		{"POST", "/v1/acct", 404, 7003, ""},
		{"POST", "/v1/acct/gw/openai/chat/completions", 404, 7003, ""},
		{"POST", "/v1/acct/gw/workers-ai/", 404, 7003, ""},
		{"GET", "/client/v4/accounts/acct/ai/v1/models", 405, 7001, "POST"},
		{"GET", "/client/v4/accounts/acct/ai/run/" + older, 405, 7001, "POST"},
		{"DELETE", "/client/v4/accounts/acct/ai/finetunes", 405, 7001, "GET, POST"},
	} {
		a := s.do(c.method, s.root+c.path, "")
		refused(t, a, c.status, c.code, "")
		if a.header.Get("Allow") != c.allow {
			t.Errorf("%s: got Allow %q, want %q", c.path, a.header.Get("Allow"), c.allow)
		}
		if c.code == 7003 && !strings.Contains(a.body, "Could not route to "+c.path+",") || c.code == 7003 &&
			!strings.Contains(a.body, `"code":7000`) {
			t.Errorf("%s: got %s, want %q and %s in it", c.path, a.body, "Could not route to "+c.path+",",
				`"code":7000`)
		}
	}
}

func TestAccessToTheAccount(t *testing.T) {
	s := start(t, workersai.Options{Account: "acct", Token: "fake-token", GatewayToken: "fake-gateway-token"})
	run := s.ai + "/run/" + older
	refused(t, s.do("POST", run, prompted), 400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	refused(t, s.do("POST", run, prompted, "Authorization", "Basic eA=="), 400, 6003, "Invalid request headers")
	refused(t, s.do("POST", run, prompted, "Authorization", "Bearer wrong"), 401, 10000, "Authentication error")
	other := strings.Replace(run, "acct", "other", 1)
	refused(t, s.do("POST", other, prompted, "Authorization", "Bearer fake-token"), 403, 10000, "Authentication error")
	if a := s.do("POST", run, prompted, "Authorization", "bearer fake-token"); a.status != 200 {
		t.Errorf("with the token: got %d %s, want 200", a.status, a.body)
	}
	gateway := s.root + "/v1/acct/gw/workers-ai/" + older
	a := s.do("POST", gateway, prompted, "Authorization", "Bearer fake-token")
	if want := `{"success":false,"result":[],"messages":[],"error":[{"message":"Unauthorized","code":2009}],` +
		`"name":"AiGatewayError","httpCode":401,`; a.status != 401 || !strings.HasPrefix(a.body, want) {
		t.Errorf("with one token: got %d %s\nwant 401 %s", a.status, a.body, want)
	}
	if a := s.do("POST", gateway, prompted, "Authorization", "Bearer fake-token", "cf-aig-authorization",
		"Bearer fake-gateway-token"); a.status != 200 {
		t.Errorf("with both tokens: got %d %s, want 200", a.status, a.body)
	}
}

func TestPlan(t *testing.T) {
	const alias = "@cf/moonshotai/kimi-k2.5" // of kimi-k2.6, and past its end
	for _, model := range []string{paid, alias} {
		s := start(t, workersai.Options{Plan: workersai.PlanFree})
		refused(t, s.post("/run/"+model, prompted), 403, 5035,
			"Model @cf/moonshotai/kimi-k2.6 is not available on the Workers Free plan: Model "+
				"@cf/moonshotai/kimi-k2.6 is")
		if a := s.post("/run/"+older, prompted); a.status != 200 {
			t.Errorf("a free model: got %d %s, want 200", a.status, a.body)
		}
		var calls record
		s = start(t, workersai.Options{OnCall: calls.add})
		if a := s.post("/run/"+model, prompted); a.status != 200 || calls.last().Model != paid {
			t.Errorf("%s when paid: got %d by %q, want 200 by %q", model, a.status, calls.last().Model, paid)
		}
	}
}

func TestDailyAllocation(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)
	s := start(t, workersai.Options{DailyNeurons: 1, Now: func() time.Time { return now }})
	for s.Billed() < 1_000_000 {
		if a := s.post("/run/"+older, prompted); a.status != 200 {
			t.Fatalf("%v billed: got %d %s, want 200", s.Billed(), a.status, a.body)
		}
	}
	calls := s.Calls()
	a := s.post("/v1/chat/completions", `{"model":"`+newer+`","messages":`+hello+`}`)
	want := `{"errors":[{"message":"AiError: AiError: you have used up your daily free allocation of 10,000 ` +
		`neurons, please upgrade to Cloudflare's Workers Paid plan if you would like to continue usage. ` +
		`(UUID)","code":4006}],"success":false,"result":{},"messages":[]}`
	if after := a.header.Get("Retry-After"); a.status != 429 || after != "" {
		t.Errorf("got %d, Retry-After %q, want 429 and none", a.status, after)
	}
	if got := plain(a.body); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s.Calls() != calls {
		t.Errorf("calls after a refusal: got %d, want %d", s.Calls(), calls)
	}
	now = now.Add(time.Second)
	if a := s.post("/run/"+older, prompted); a.status != 200 {
		t.Errorf("the next day: got %d %s, want 200", a.status, a.body)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	now := noon
	s := start(t, workersai.Options{
		PerMinute: map[string]int{"text-generation": 2, newer: 1},
		Now:       func() time.Time { return now },
	})
	for i, want := range []int{200, 200, 429} {
		if a := s.post("/run/"+older, prompted); a.status != want {
			t.Errorf("call %d: got %d, want %d", i+1, a.status, want)
		}
	}
	refused(t, s.post("/run/"+older, prompted), 429, 3021,
		"AiError: AiError: rate limiting: inference request per min rate reached (")
	for i, want := range []int{200, 429} { // a limit of its own
		if a := s.post("/run/"+newer, prompted); a.status != want {
			t.Errorf("newer, call %d: got %d, want %d", i+1, a.status, want)
		}
	}
	if a := s.post("/run/@cf/baai/bge-m3", `{"text":"x"}`); a.status != 200 {
		t.Errorf("another task: got %d, want 200", a.status)
	}
	now = now.Add(time.Minute)
	if a := s.post("/run/"+older, prompted); a.status != 200 {
		t.Errorf("a minute later: got %d, want 200", a.status)
	}
	defer func() {
		if recover() == nil {
			t.Error("a limit for nothing: got no panic, want one")
		}
	}()
	workersai.New(workersai.Options{PerMinute: map[string]int{"text-generations": 1}})
}

func TestBodyThatIsTooLarge(t *testing.T) {
	s := start(t, workersai.Options{MaxBody: 1000})
	if a := s.post("/run/"+older, prompted+strings.Repeat(" ", 1000-len(prompted))); a.status != 200 {
		t.Errorf("a body just small enough: got %d %s, want 200", a.status, a.body)
	}
	refused(t, s.post("/run/"+older, strings.Repeat(" ", 1001)), 413, 3006, "Request is too large")
	// a chunked upload does not say how long it is
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ai+"/run/"+older,
		io.MultiReader(strings.NewReader(strings.Repeat(" ", 2000))))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, answer{status: res.StatusCode, header: res.Header, body: string(body)}, 413, 3006,
		"Request is too large")
}
