package workersai_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/workersai"
)

const (
	prompted = `{"prompt":"What is a neuron?"}`
	streamed = `{"prompt":"What is a neuron?","stream":true}`
)

func TestSimulatedFailures(t *testing.T) {
	const (
		capacity = "Capacity temporarily exceeded, please try again."
		v4       = `{"errors":[{"message":"AiError: AiError: ` + capacity +
			` (UUID)","code":3040}],"success":false,"result":{},"messages":[]}`
		json = "application/json"
		text = "text/plain; charset=UTF-8"
		html = "text/html; charset=UTF-8"
	)
	for _, c := range []struct {
		header string
		status int
		kind   string
		body   string
	}{
		{"3040", 429, json, v4},
		{" Out_Of_Capacity ; ", 429, json, v4},
		{"out_of_capacity; shape=v4; status=503", 503, json, v4},
		{"3040; shape=edge", 429, json, `{"result":null,"success":false,"errors":[{"message":"` + capacity +
			`","code":3040}],"messages":[]}`},
		{"3040; shape=flat", 429, json, `{"name":"AiError","internalCode":3040,"httpCode":429,"message":"AiError: ` +
			capacity + ` (UUID)","description":"` + capacity + `","requestId":"UUID"}`},
		{
			"3040; shape=gateway; code=string", 429, json,
			`{"success":false,"result":[],"messages":[],"error":[{"message":"AiError: AiError: ` + capacity +
				` (UUID)","code":"3040"}],"name":"AiError","httpCode":429,"internalCode":"3040",` +
				`"message":"AiError: AiError: ` + capacity + ` (UUID)","description":"` + capacity + `"}`,
		},
		{"3040; shape=text", 429, text, "AiError: 3040: " + capacity},
		{"3040; shape=text; code=none", 429, text, "AiError: " + capacity},
		{
			"3040; shape=json-in-message", 429, json,
			`{"errors":[{"message":"AiError: AiError: {\"object\":\"error\",\"message\":\"` + capacity +
				`\",\"type\":\"BadRequestError\",\"param\":null,\"code\":429} ` +
				`(UUID)","code":3040}],"success":false,"result":{},"messages":[]}`,
		},
		{"3040; shape=ok-false", 200, json, v4},
		{
			"3040; shape=openai", 429, json,
			`{"error":{"code":"invalid_prompt","message":"AiError: AiError: ` + capacity + ` (UUID)"}}`,
		},
		{
			"3040; shape=openai; code=number", 429, json,
			`{"error":{"code":3040,"message":"AiError: AiError: ` + capacity + ` (UUID)"}}`,
		},
		{
			"3040; shape=anthropic", 429, json,
			`{"type":"error","error":{"type":"rate_limit_error","message":"AiError: AiError: ` + capacity +
				` (UUID)"},"request_id":"UUID"}`,
		},
		{"3040; shape=nested", 429, json, `{"error":` + v4 + `}`},
		{
			"3040; shape=sglang", 429, json,
			`{"error":{"object":"error","message":"` + capacity +
				`","type":"SERVICE_UNAVAILABLE","param":null,"code":429}}`,
		},
		{"3040; code=string", 429, json, strings.Replace(v4, "3040", `"3040"`, 1)},
		{"3040; code=text", 429, json, `{"errors":[{"message":"AiError: AiError: 3040: ` + capacity +
			` (UUID)"}],"success":false,"result":{},"messages":[]}`},
		{"3040; code=none", 429, json, strings.Replace(v4, `,"code":3040`, "", 1)},
		{"account_limited", 429, json, `{"errors":[{"message":"AiError: AiError: you have used up your daily free ` +
			`allocation of 10,000 neurons, please upgrade to Cloudflare's Workers Paid plan if you would like to ` +
			`continue usage. (UUID)","code":4006}],"success":false,"result":{},"messages":[]}`},
		{"3036", 429, json, `{"errors":[{"message":"AiError: AiError: You have used up your daily free allocation ` +
			`of 10,000 neurons. Please upgrade to Cloudflare's Workers Paid plan if you would like to continue ` +
			`usage. (UUID)","code":3036}],"success":false,"result":{},"messages":[]}`},
		{"timeout", 408, json, `{"errors":[{"message":"AiError: AiError: Request timeout ` +
			`(UUID)","code":3046}],"success":false,"result":{},"messages":[]}`},
		{"5007", 400, json, `{"errors":[{"message":"AiError: AiError: No such model: No such model ` + older +
			` or task (UUID)","code":5007}],"success":false,"result":{},"messages":[]}`},
		{
			"authentication_failed", 401, json,
			`{"result":null,"success":false,"errors":[{"message":"Authentication error","code":10000}],"messages":[]}`,
		},
		{"no_such_route", 404, json, `{"result":null,"success":false,"errors":[{"message":"Could not route to ` +
			`/client/v4/accounts/acct/ai/run/` + older +
			`, perhaps your object identifier is invalid?","code":7003}],"messages":[]}`},
		{"2009", 401, json, `{"success":false,"result":[],"messages":[],"error":[{"message":"Unauthorized",` +
			`"code":2009}],"name":"AiGatewayError","httpCode":401,"internalCode":2009,"message":"Unauthorized",` +
			`"description":"Unauthorized"}`},
		{"1015", 429, text, "error code: 1015"},
		{
			"upstream_unclassified", 501, json,
			`{"errors":[{"message":"AiError: AiError: Something that no catalog knows yet ` +
				`(UUID)","code":5999}],"success":false,"result":{},"messages":[]}`,
		},
		{"ok-false", 200, json, `{"errors":[{"message":"AiError: AiError: Internal server error ` +
			`(UUID)","code":3043}],"success":false,"result":{},"messages":[]}`},
		{"html-502", 502, html, "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>502: Bad " +
			"Gateway</title></head>\n<body>\n<h1><span class=\"cf-error-type\">Error</span> <span " +
			"class=\"cf-error-code\">502</span> <small class=\"heading-ray-id\">Ray ID: RAY</small></h1>\n<h2 " +
			"class=\"cf-subheadline\">Upstream service unavailable</h2>\n</body>\n</html>\n"},
		{"empty", 200, "", ""},
		{"empty-stream", 200, "text/event-stream", ""},
	} {
		t.Run(c.header, func(t *testing.T) {
			s := start(t, workersai.Options{})
			a := s.post("/run/"+older, prompted, "x-simulate", c.header)
			if a.err != nil {
				t.Errorf("got error %v, want none", a.err)
			}
			wantHead(t, a, c.status, c.kind)
			if got := strings.ReplaceAll(plain(a.body), a.header.Get("cf-ray"), "RAY"); got != c.body {
				t.Errorf("got\n%s\nwant\n%s", got, c.body)
			}
			s.wantCounts(0, 1, 0)
			if strings.Contains(a.body, "(UUID)") && !strings.Contains(a.body, a.header.Get("cf-ai-req-id")) {
				t.Errorf("got %s, want the cf-ai-req-id %q in it", a.body, a.header.Get("cf-ai-req-id"))
			}
		})
	}
	s := start(t, workersai.Options{})
	if a := s.post("/run/"+older, prompted, "x-simulate", "html-200"); a.status != 200 ||
		!strings.HasPrefix(a.body, "<!DOCTYPE html>") {
		t.Errorf("html-200: got %d %s, want 200 %s", a.status, a.body, "<!DOCTYPE html>")
	}
	if a := s.post("/run/"+older, prompted, "x-simulate", "3021; retry-after=7"); a.status != 429 ||
		a.header.Get("Retry-After") != "7" {
		t.Errorf("retry-after=7: got %d, Retry-After %q, want 429, %q", a.status, a.header.Get("Retry-After"), "7")
	}
	if a := s.get("/models/search"); a.status != 200 {
		t.Errorf("a read: got %d, want 200", a.status)
	}
	if a := s.do("GET", s.ai+"/models/search", "", "x-simulate", "9109"); a.status != 403 {
		t.Errorf("a read with x-simulate: got %d, want 403", a.status)
	}
}

// Failures take the form of the path unless another is asked for.
func TestShapeOfThePath(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, c := range []struct{ path, code, want string }{
		{"/client/v4/accounts/acct/ai/v1/chat/completions", "3040", `{"errors":[{"message":"AiError: AiError: Cap`},
		{"/v1/acct/gw/workers-ai/v1/chat/completions", "3040", `{"name":"AiError","internalCode":3040,`},
		{
			"/client/v4/accounts/acct/ai/v1/responses", "3040",
			`{"error":{"code":"invalid_prompt","message":"AiError: AiError: Cap`,
		},
		{"/client/v4/accounts/acct/ai/v1/messages", "3040", `{"type":"error","error":{"type":"rate_limit_error",`},
		{
			"/client/v4/accounts/acct/ai/v1/messages", "10000",
			`{"result":null,"success":false,"errors":[{"message":"Authentication error"`,
		},
	} {
		a := s.do("POST", s.root+c.path, `{"model":"`+older+`"}`, "x-simulate", c.code)
		if !strings.HasPrefix(a.body, c.want) {
			t.Errorf("%s: got\n%s\nwant at the start\n%s", c.path, a.body, c.want)
		}
	}
	if a := s.post("/v1/responses", `{"model":"`+older+`"}`, "x-simulate", "timeout"); a.status != 400 {
		t.Errorf("a timeout on v1/responses: got %d, want the captured 400", a.status)
	}
}

func TestTimes(t *testing.T) {
	s := start(t, workersai.Options{})
	try := func(model, header string) int { return s.post("/run/"+model, prompted, "x-simulate", header).status }
	const header = "out_of_capacity; shape=gateway; times=2"
	for i, want := range []int{429, 429, 200, 429, 429, 200} {
		if got := try(older, header); got != want {
			t.Errorf("call %d: got %d, want %d", i+1, got, want)
		}
	}
	_, _ = try(older, header), try(older, header)
	if got := try(newer, header); got != 429 {
		t.Errorf("another model: got %d, want 429", got)
	}
	if got := try(older, "3040; times=1"); got != 429 {
		t.Errorf("another header: got %d, want 429", got)
	}
	if got := try(older, "3040; times=1"); got != 200 {
		t.Errorf("times=1 the second time: got %d, want 200", got)
	}
	for _, want := range []string{"3040", "[DONE]"} {
		if a := s.post("/run/"+older, streamed, "x-simulate", "midstream=3040; times=1"); !strings.Contains(a.body,
			want) {
			t.Errorf("midstream=3040; times=1: got\n%s\nwant %s in it", a.body, want)
		}
	}
}

func TestMidstream(t *testing.T) {
	const (
		failed = `{"errors":[{"message":"AiError: AiError: Capacity temporarily exceeded, please try again. ` +
			`(UUID)","code":3040}],"success":false,"result":{},"messages":[]}`
		first = "data: {\"response\":\"This\",\"p\":\"PAD\"}\n\n"
		three = first + "data: {\"response\":\" is\",\"p\":\"PAD\"}\n\ndata: {\"response\":\" " +
			"simulated\",\"p\":\"PAD\"}\n\n"
	)
	for _, c := range []struct {
		header string
		want   string
		broken bool
		output int64 // tokens billed
	}{
		{"midstream=3040", three + "data: " + failed + "\n\n", false, 4},
		{"midstream=3040; after=1", first + "data: " + failed + "\n\n", false, 2},
		{
			"midstream=3040; after=1; shape=flat",
			first + `data: {"name":"AiError","internalCode":3040,"httpCode":429,"message":"AiError: Capacity ` +
				`temporarily exceeded, please try again. (UUID)","description":"Capacity temporarily exceeded, ` +
				`please try again.","requestId":"UUID"}` + "\n\n", false, 2,
		},
		{
			"midstream=3040; after=1; shape=nested", first + `data: {"error":` + failed + "}\n\ndata: [DONE]\n\n",
			false,
			2,
		},
		{
			"midstream=timeout; after=1; shape=sglang",
			first + `data: {"error":{"object":"error","message":"Request ` +
				`timeout","type":"SERVICE_UNAVAILABLE","param":null,"code":408}}` + "\n\n", false, 2,
		},
		{"first=out_of_capacity", "data: " + failed + "\n\n", false, 0},
		{"midstream=cut; after=3", three, true, 4},
		{"midstream=half; after=1", first + `data: {"response":`, true, 2},
		{"midstream=end; after=1", first, false, 2},
		{"midstream=cut; after=0", "", true, 1},
	} {
		t.Run(c.header, func(t *testing.T) {
			var calls record
			s := start(t, workersai.Options{OnCall: calls.add})
			a := s.post("/run/"+older, streamed, "x-simulate", c.header)
			got := plain(a.body)
			if c.header == "midstream=half; after=1" { // where it breaks depends on the padding
				if strings.HasSuffix(got, "\n\n") {
					t.Errorf("got a whole last event, want it cut off:\n%s", got)
				}
				got = got[:min(len(got), len(c.want))]
			}
			wantHead(t, a, 200, "text/event-stream")
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if broken := errors.Is(a.err, io.ErrUnexpectedEOF); broken != c.broken {
				t.Errorf("cut: got %t (error %v), want %t", broken, a.err, c.broken)
			}
			call := calls.last()
			s.wantCounts(1, s.Requests(), call.Neurons)
			if call.Output != c.output || !call.Stream {
				t.Errorf("got %d output tokens, stream %t, want %d, true", call.Output, call.Stream, c.output)
			}
		})
	}
}

func TestMidstreamInOtherProtocols(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, c := range []struct{ path, body, want string }{
		{
			"/v1/chat/completions", `{"model":"` + newer + `","stream":true,"messages":` + hello + `}`,
			`data: {"errors":[{"message":"AiError: AiError: Capacity temporarily exceeded, please try again. ` +
				`(UUID)","code":3040}],"success":false,"result":{},"messages":[]}`,
		},
		{
			"/v1/messages", `{"model":"` + newer + `","stream":true,"messages":` + hello + `}`,
			"event: error\n" + `data: {"type":"error","error":{"type":"rate_limit_error","message":"AiError: ` +
				`AiError: Capacity temporarily exceeded, please try again. (UUID)"},"request_id":"UUID"}`,
		},
		{
			"/v1/responses", `{"model":"` + newer + `","stream":true,"input":"x"}`,
			"event: error\n" + `data: {"type":"error","code":"3040","message":"AiError: AiError: Capacity ` +
				`temporarily exceeded, please try again. (UUID)","param":null,"sequence_number":3}`,
		},
	} {
		a := s.post(c.path, c.body, "x-simulate", "midstream=3040")
		if events := strings.Split(plain(a.body), "\n\n"); len(events) != 5 || events[3] != c.want {
			t.Errorf("%s: got %d events, %q, want 5, the fourth %q", c.path, len(events), events, c.want)
		}
	}
}

// A break that would come after the last event comes before it: no stream with a
// break looks complete.
func TestBreakComesBeforeTheLastEvent(t *testing.T) {
	s := start(t, workersai.Options{})
	for path, last := range map[string]string{
		"/run/" + older: "[DONE]", "/v1/messages": "message_stop",
		"/v1/responses": "response.completed", "/v1/chat/completions": "[DONE]",
	} {
		body := `{"model":"` + newer + `","stream":true,"messages":` + hello + `,"input":"x"}`
		a := s.post(path, body, "x-simulate", "midstream=3040; after=9999")
		if strings.Contains(a.body, last) || !strings.Contains(a.body, "3040") &&
			!strings.Contains(a.body, "rate_limit_error") {
			t.Errorf("%s: got\n%s\nwant no %s, and %s or %s", path, a.body, last, "3040", "rate_limit_error")
		}
	}
}

func TestWhatIsNotUnderstood(t *testing.T) {
	s := start(t, workersai.Options{})
	for header, says := range map[string]string{
		"foo":                         `x-simulate: "foo" is not understood. What is: a number or slug`,
		"4711":                        `"4711" is not understood`,
		"rate_limited":                "rate_limited is the proxy's own: Workers AI never sends it",
		"90009":                       "the proxy's own",
		"99999":                       "the proxy's own",
		"3040; shape=round":           "shape=round is none of [v4 edge flat",
		"3040; status=99":             "status=99 is no whole number from 200 to 599",
		"3040; times=0":               "times=0 is no whole number",
		"3040; times=many":            "times=many is no whole number",
		"3040; code=roman":            "code=roman is none of [number string text none]",
		"3040; retry-after=soon":      "retry-after=soon",
		"3040; colour=red":            `"colour" is not understood`,
		"3040; hang":                  "only one thing",
		"3040; midstream=3040":        "only one thing",
		"midstream=foo":               `"foo" is not understood`,
		"first=cut":                   `"cut" is not understood`,
		"3040; after=2":               "after= goes with midstream=",
		"hang; shape=flat":            "shape= goes with a code",
		"midstream=cut; code=string":  "code= goes with a code",
		"times=2":                     "without anything to happen",
		"slow=fast":                   "slow=fast is no duration",
		"slow=-1s":                    "no duration",
		"tokens=0":                    "tokens=0 is no whole number",
		"midstream=3040; after=-1":    "after=-1 is no whole number",
		"status=500; out_of_capacity": "",
	} {
		a := s.post("/run/"+older, prompted, "x-simulate", header)
		if says == "" { // the order of words does not matter
			refused(t, a, 500, 3040, "Capacity")
			continue
		}
		refused(t, a, 400, 5006, says)
	}
	if s.Calls() != 0 {
		t.Errorf("calls: got %d, want 0", s.Calls())
	}
}

// Every code that Workers AI sends can be simulated, by slug and by each number,
// and is recognized as what was asked for.
func TestEveryCodeOfTheCatalog(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, entry := range normalize.Catalog() {
		own := true
		for _, origin := range entry.Origins {
			own = own && origin != normalize.OriginUpstream
		}
		if own && entry.Number >= 90001 {
			refused(t, s.post("/run/"+older, prompted, "x-simulate", entry.Slug), 400, 5006, "proxy's own")
			continue
		}
		a := s.post("/run/"+older, prompted, "x-simulate", entry.Slug)
		if got := normalize.Classify(a.status, a.header, []byte(a.body)); got.Code != entry.Code ||
			strings.Contains(a.body, "x-simulate") {
			t.Errorf("%s: got code %v, want %v and no x-simulate in the answer: %d %s", entry.Slug, got.Code,
				entry.Code, a.status, a.body)
		}
	}
}
