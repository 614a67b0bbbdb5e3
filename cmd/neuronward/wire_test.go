package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/neuronward/neuronward/normalize"
)

// A reply is what upstream says next, byte for byte.
type reply struct {
	status      int
	contentType string
	header      map[string]string
	body        string
}

// scripted is an upstream that gives the answer last set.
type scripted struct {
	next  atomic.Pointer[reply]
	calls atomic.Int64
	url   string
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		a := s.next.Load()
		// A nil value keeps net/http from guessing a type.
		w.Header()["Content-Type"] = nil
		if a.contentType != "" {
			w.Header().Set("Content-Type", a.contentType)
		}
		for k, v := range a.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// environ points a proxy at it. A spent allocation, once reported, would stop all that
// follows: tests that go through the codes turn the guard off.
func (s *scripted) environ(more ...string) []string {
	return append(
		[]string{
			"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_UPSTREAM=" + s.url + "/client/v4",
			"NEURONWARD_STORE=memory:", "NEURONWARD_RETRIES=0", "NEURONWARD_RATE_LIMITS=off",
		},
		more...,
	)
}

// delivered is an error answer as a caller gets it.
type delivered struct {
	status int
	header http.Header
	body   []byte
	Error  struct {
		Message, Type, Code, Name, Origin, Fault string
		Number, Status                           int
		Retryable                                bool
		MatchedBy                                string `json:"matched_by"`
	} `json:"error"`
}

func (p *process) call(path string) *delivered {
	p.t.Helper()
	const body = `{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","prompt":"Hello","messages":[{"role":"user",` +
		`"content":"Hello"}]}`
	r, err := http.NewRequest(http.MethodPost, p.app+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	d := &delivered{status: resp.StatusCode, header: resp.Header}
	if d.body, err = io.ReadAll(resp.Body); err != nil {
		p.t.Fatal(err)
	}
	return d
}

func envelopeSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile("../../normalize/envelope.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("envelope.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("envelope.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// check says what is wrong with an answer that must be the envelope of code.
func (d *delivered) check(schema *jsonschema.Schema, code normalize.Code) error {
	return d.checkStatus(schema, code, code.Entry().Status)
}

// checkStatus is check where the status is not the entry's.
func (d *delivered) checkStatus(schema *jsonschema.Schema, code normalize.Code, status int) error {
	if err := json.Unmarshal(d.body, d); err != nil {
		return fmt.Errorf("%d, no envelope: %w", d.status, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.body))
	if err != nil {
		return err
	}
	if err := schema.Validate(v); err != nil {
		return err
	}
	e := code.Entry()
	switch {
	case d.Error.Name != e.Slug:
		return fmt.Errorf("named %s (by %s)", d.Error.Name, d.Error.MatchedBy)
	case d.status != status || d.Error.Status != status:
		return fmt.Errorf("status %d, %d in the envelope", d.status, d.Error.Status)
	case d.Error.Origin != "upstream":
		return fmt.Errorf("origin %s", d.Error.Origin)
	case d.header.Get("Content-Type") != "application/json":
		return fmt.Errorf("Content-Type %q", d.header.Get("Content-Type"))
	case d.header.Get("X-Should-Retry") == "true" && !d.Error.Retryable:
		return fmt.Errorf("x-should-retry %q, retryable %v", d.header.Get("X-Should-Retry"), d.Error.Retryable)
	case d.header.Get("X-Request-Id") == "" || d.header.Get("X-Request-Id") != d.header.Get("Request-Id"):
		return fmt.Errorf("request ids %q and %q", d.header.Get("X-Request-Id"), d.header.Get("Request-Id"))
	case !bytes.HasPrefix(d.body, []byte(`{"error":{"message":"`)):
		return fmt.Errorf("error is not the first key")
	case d.Error.Message == "":
		return fmt.Errorf("no message")
	}
	return nil
}

// The failures that were captured or published, as served, through the binary.
func TestWireCorpus(t *testing.T) {
	t.Parallel()
	schema, upstream := envelopeSchema(t), newScripted(t)
	p := start(t, upstream.environ("NEURONWARD_QUOTA_MODE=off"))
	f, err := os.Open("../../normalize/testdata/upstream_errors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct {
			ID, Expect, Body, Surface string
			Status                    *int
			ContentType               *string `json:"content_type"`
			Headers                   map[string]string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases++
		code, ok := normalize.Lookup(c.Expect)
		if !ok {
			t.Fatalf("%s: got %s expected, want a slug of the catalog", c.ID, c.Expect)
		}
		var served []reply
		if c.Status != nil {
			a := reply{status: *c.Status, header: c.Headers, body: c.Body}
			if c.ContentType != nil {
				a.contentType = *c.ContentType
			}
			served = append(served, a)
		} else {
			// Text seen outside HTTP: as a Worker in between would relay it.
			served = append(served, reply{status: 500, contentType: "text/plain", header: c.Headers, body: c.Body})
			if json.Valid([]byte(c.Body)) {
				served = append(
					served,
					reply{
						status: code.Entry().Status, contentType: "application/json", header: c.Headers, body: c.Body,
					},
				)
			}
		}
		for _, a := range served {
			upstream.next.Store(&a)
			for _, path := range []string{
				"/v1/chat/completions", "/run/@cf/meta/llama-3.1-8b-instruct-fp8", "/v1/messages",
			} {
				status := code.Entry().Status
				if strings.HasPrefix(c.ID, "route-") && strings.HasPrefix(path, "/v1/") {
					status = 502 // a wrong upstream, and nothing of the caller's
				}
				if err := p.call(path).checkStatus(schema, code, status); err != nil {
					t.Errorf("%s as %d %q on %s: want %s: %v\n%s", c.ID, a.status, a.contentType, path, c.Expect, err,
						a.body)
				}
			}
		}
	}
	if cases < 96 {
		t.Errorf("got %d cases, want 96 at least", cases)
	}
}

// The codes that Cloudflare documents, in every shape, with statuses that lie
// and codes that are strings, on every form of path; each is counted once.
func TestWireDocumentedCodes(t *testing.T) {
	t.Parallel()
	schema, upstream := envelopeSchema(t), newScripted(t)
	p := start(t, upstream.environ("NEURONWARD_QUOTA_MODE=off"))
	texts := map[normalize.Code]string{
		normalize.NoSuchModel:            "No such model @cf/meta/llama-9 or task",
		normalize.InvalidData:            "Invalid data type for base64 input: Number",
		normalize.FinetuneMissingFiles:   "Finetune is missing required files (model.safetensors and config.json)",
		normalize.IncompleteRequest:      "Request is missing headers or body: body",
		normalize.AccountNotAllowed5018:  "The account is not allowed to access this model",
		normalize.ModelAgreementRequired: "User has not agreed to Llama3.2 model terms",
		normalize.AccountBlocked:         "Service unavailable for account",
		normalize.AccountNotAllowed3041:  "The account is not allowed to access this model",
		normalize.DeprecatedSDKVersion:   "Request trying to use deprecated SDK version",
		normalize.LoraUnsupported:        "The model @cf/meta/llama-9 does not support LoRa inference",
		normalize.InvalidModelID:         "The model name is invalid",
		normalize.RequestTooLarge:        "Request is too large",
		normalize.Timeout:                "Request timeout",
		normalize.Aborted:                "Request was aborted",
		normalize.AccountLimited: "You have used up your daily free allocation of 10,000 neurons. Please " +
			"upgrade to Cloudflare's Workers Paid plan if you would like to continue usage.",
		normalize.OutOfCapacity:    "No more data centers to forward the request to",
		normalize.PaidPlanRequired: "Model @cf/x/y is not available on the Workers Free plan",
	}
	const id = "51afe8c9-9139-446e-9284-928af8ee842d"
	shapes := map[string]func(code, text string, status int) reply{
		"v4": func(code, text string, status int) reply {
			return reply{
				status, "application/json", nil,
				fmt.Sprintf(`{"errors":[{"message":%q,"code":%s}],"success":false,"result":{},"messages":[]}`,
					"AiError: AiError: "+text+" ("+id+")", code),
			}
		},
		"flat": func(code, text string, status int) reply {
			return reply{
				status, "application/json", nil,
				fmt.Sprintf(`{"name":"AiError","httpCode":%d,"internalCode":%s,"message":%q,"description":%q,`+
					`"requestId":%q}`, status, code, "AiError: "+text, text, id),
			}
		},
		"gateway": func(code, text string, status int) reply {
			return reply{
				status, "application/json", nil,
				fmt.Sprintf(`{"success":false,"result":[],"messages":[],"error":[{"code":%s,"message":%q}],`+
					`"name":"AiGatewayError","httpCode":%d,"internalCode":%s,"message":%q}`,
					code, text, status, code, text),
			}
		},
		"text": func(code, text string, status int) reply {
			return reply{status, "text/plain", nil, "InferenceUpstreamError: " + strings.Trim(code, `"`) + ": " + text}
		},
		"200": func(code, text string, _ int) reply {
			return reply{
				200, "application/json", nil,
				fmt.Sprintf(`{"result":null,"success":false,"errors":[{"code":%s,"message":%q}],"messages":[]}`, code,
					"AiError: "+text),
			}
		},
	}
	before := p.errorCounts()
	want := map[string]int{}
	for code, text := range texts {
		e := code.Entry()
		for shape, serve := range shapes {
			for _, number := range []string{strconv.Itoa(e.Number), strconv.Quote(strconv.Itoa(e.Number))} {
				for _, status := range []int{e.Status, 500, 400} {
					a := serve(number, text, status)
					upstream.next.Store(&a)
					for _, path := range []string{
						"/run/@cf/meta/llama-3.1-8b-instruct-fp8", "/v1/chat/completions",
						"/client/v4/accounts/" + hexAccount + "/ai/v1/chat/completions",
					} {
						want[e.Slug]++
						if err := p.call(path).check(schema, code); err != nil {
							t.Errorf("want %s, %s, code %s, status %d, %s: %v\n%s",
								e.Slug, shape, number, status, path, err, a.body)
						}
					}
				}
			}
		}
	}
	after := p.errorCounts()
	for slug, n := range want {
		if got := after[slug+" upstream"] - before[slug+" upstream"]; got != n {
			t.Errorf("neuronward_errors_total of %s with origin upstream grew by %d, want %d", slug, got, n)
		}
	}
}

var errorSeries = regexp.MustCompile(`(?m)^neuronward_errors_total\{code="(\d+)",fault="(\w+)",name="(\w+)",` +
	`origin="(\w+)"\} (\d+)$`)

// errorCounts reads neuronward_errors_total by name and origin.
func (p *process) errorCounts() map[string]int {
	p.t.Helper()
	_, body := p.get(p.admin + "/metrics")
	counts := map[string]int{}
	for _, m := range errorSeries.FindAllStringSubmatch(body, -1) {
		n, err := strconv.Atoi(m[5])
		if err != nil {
			p.t.Fatal(err)
		}
		counts[m[3]+" "+m[4]] += n
	}
	return counts
}

func TestMetricsListEveryCodeBeforeTheFirstCall(t *testing.T) {
	t.Parallel()
	p := start(t, newScripted(t).environ())
	counts := p.errorCounts()
	for _, e := range normalize.Catalog() {
		for _, origin := range e.Origins {
			if n, ok := counts[e.Slug+" "+string(origin)]; !ok || n != 0 {
				t.Errorf("%s, origin %s: got a series: %v, at %d; want one at 0", e.Slug, origin, ok, n)
			}
		}
	}
	if len(counts) < len(normalize.Catalog()) {
		t.Errorf("got %d series, want %d at least", len(counts), len(normalize.Catalog()))
	}
}

// A token must appear in nothing that leaves the process, whatever upstream
// echoes and however it fails.
func TestTokensNeverLeave(t *testing.T) {
	t.Parallel()
	const (
		canary        = "canary0123456789abcdefghijklmnopqrstuvwx"
		gatewayCanary = "gatewaycanary0123456789abcdefghijklmnopq"
		callers       = "callerscanary0123456789abcdefghijklmnopq"
	)
	upstream := newScripted(t)
	p := start(
		t,
		upstream.environ("CLOUDFLARE_API_TOKEN="+canary, "CF_AIG_TOKEN="+gatewayCanary, "NEURONWARD_LOG_LEVEL=debug",
			"NEURONWARD_PPROF=true"),
	)
	var left bytes.Buffer
	for _, a := range []reply{
		{
			400, "application/json", nil,
			`{"errors":[{"message":"AiError: Bad input: Bearer ` + canary + ` is odd","code":5006}],"success":false}`,
		},
		{
			404, "application/json", nil,
			`{"errors":[{"message":"Could not route to /accounts/` + canary + `/ai/` + callers +
				`, perhaps","code":7003}],"success":false}`,
		},
		{
			403, "application/json",
			map[string]string{"Cf-Ray": canary, "Cf-Ai-Req-Id": gatewayCanary},
			`{"errors":[{"message":"Authentication error for ` + gatewayCanary + `","code":"` + canary +
				`"}],"success":false}`,
		},
		{500, "text/plain", nil, "you sent " + canary + " and " + callers},
		{418, "text/html", nil, "<html>" + canary},
		{302, "text/html", map[string]string{"Location": "https://elsewhere.example/?" + canary}, ""},
		{
			200, "text/event-stream", nil,
			"data: {\"response\":\"a\"}\n\ndata: {\"errors\":[{\"message\":\"AiError: " + canary + " " + callers +
				"\",\"code\":3040}],\"success\":false}\n\n",
		},
		{599, "application/json", nil, `{"errors":[{"message":"` + callers + `","code":9999}]}`},
	} {
		upstream.next.Store(&a)
		r, err := http.NewRequest(http.MethodPost, p.app+"/v1/chat/completions", strings.NewReader(streamCall))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+callers)
		r.Header.Set("X-Request-Id", callers)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		// The caller chose its own request id; that it comes back is no leak.
		resp.Header.Del("X-Request-Id")
		resp.Header.Del("Request-Id")
		_ = resp.Header.Write(&left)
		body, _ := io.ReadAll(resp.Body) // a cut stream is an error, too
		resp.Body.Close()
		left.Write(bytes.ReplaceAll(body, []byte(`"request_id":"`+callers+`"}`), nil))
	}
	for _, path := range []string{
		"/", "/metrics", "/livez", "/readyz", "/status",
		"/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline",
	} {
		_, body := p.get(p.admin + path)
		left.WriteString(body)
	}
	p.signal()
	p.ends(exitDone)
	left.WriteString(p.log.String())
	left.Write(p.out.Bytes())
	for _, secret := range []string{canary, gatewayCanary} {
		if i := strings.Index(left.String(), secret); i >= 0 {
			t.Errorf("got %s in …%s…, want it nowhere", secret, left.String()[max(0, i-200):min(left.Len(), i+100)])
		}
	}
	requestIDs := regexp.MustCompile(`"request_id": ?"` + callers + `"|data-key="` + callers + ` |<code>` + callers +
		`</code>`)
	sent := requestIDs.ReplaceAllString(left.String(), "")
	if i := strings.Index(sent, callers); i >= 0 {
		t.Errorf("got the caller's key in …%s…, want it nowhere", sent[max(0, i-200):min(len(sent), i+100)])
	}
	if left.Len() < 5000 {
		t.Errorf("got %d bytes to look at, want 5000 at least", left.Len())
	}
}
