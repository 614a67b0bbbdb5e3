package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
	"github.com/neuronward/neuronward/proxy/workersai"
)

const (
	callersTrace  = "0af7651916cd43dd8448eb211c80319c"
	callersParent = "00-" + callersTrace + "-b7ad6b7169203331-01"
)

// traced starts a demo that exports to a collector.
func traced(t *testing.T, environ ...string) (*process, *otlptest.Collector) {
	t.Helper()
	collector := otlptest.New(t)
	return start(t, append([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_BSP_SCHEDULE_DELAY=10",
	}, environ...), "demo"), collector
}

// send makes a call with headers, and returns its status and answer.
func (p *process) send(body string, headers ...string) (int, string) {
	p.t.Helper()
	return p.doWith(http.MethodPost, p.app+"/v1/chat/completions", body, headers...)
}

const hello = `{"model":"` + demoChat + `","messages":[{"role":"user","content":"What a secret is"}]}`

// Spans of the real binary, as the protocol's own types read them.
func TestSpansOfACallThatIsRepeated(t *testing.T) {
	t.Parallel()
	p, collector := traced(t)
	status, body := p.send(hello, "x-simulate", "session=a; 3040; times=2", "traceparent", callersParent,
		"tracestate", "vendor=1")
	isAnswer(t, "the call", status, body, http.StatusOK)
	spans := collector.Await(4)
	server, attempts := spans[0], spans[1:]
	equal(t, "trace", server.Trace, callersTrace)
	equal(t, "tracestate", server.State, "vendor=1")
	equal(t, "parent of the server span", server.Parent, "b7ad6b7169203331")
	equal(t, "kind", server.Kind, tracepb.Span_SPAN_KIND_SERVER)
	equal(t, "name", server.Name, "POST /v1/chat/completions")
	equal(t, "failed", server.Failed, false)
	equal(t, "conventions", server.Schema, "https://opentelemetry.io/schemas/1.41.0")
	has(t, server, map[string]any{
		"http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": int64(200),
		"url.path": "/v1/chat/completions", "url.scheme": "http", "network.protocol.version": "1.1",
		"neuronward.client": "anonymous", "neuronward.result": "ok", "neuronward.attempts": int64(3),
	})
	if n, _ := server.Attrs["neuronward.neurons"].(float64); n <= 0 {
		t.Errorf("neuronward.neurons: got %v, want more than 0", server.Attrs["neuronward.neurons"])
	}
	var sent []string
	for i, a := range attempts {
		equal(t, "trace of an attempt", a.Trace, callersTrace)
		equal(t, "parent of an attempt", a.Parent, server.ID)
		equal(t, "kind of an attempt", a.Kind, tracepb.Span_SPAN_KIND_CLIENT)
		equal(t, "name of an attempt", a.Name, "chat "+demoChat)
		has(t, a, map[string]any{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "cloudflare.workers_ai",
			"gen_ai.request.model": demoChat, "server.address": "127.0.0.1",
		})
		equal(t, "an attempt failed", a.Failed, i < 2)
		sent = append(sent, "00-"+callersTrace+"-"+a.ID+"-01")
	}
	has(t, attempts[1], map[string]any{"error.type": "out_of_capacity", "http.request.resend_count": int64(1)})
	has(t, attempts[2], map[string]any{"error.type": nil, "http.response.status_code": int64(200)})
	if n, _ := attempts[2].Attrs["gen_ai.usage.input_tokens"].(int64); n <= 0 {
		t.Errorf("input tokens: got %v, want more than 0", attempts[2].Attrs["gen_ai.usage.input_tokens"])
	}
	_, calls := p.get(p.app + "/__simulate/calls?session=a")
	var got struct {
		Calls []struct {
			Traceparent string `json:"traceparent"`
		} `json:"calls"`
	}
	if err := json.Unmarshal([]byte(calls), &got); err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, c := range got.Calls {
		there = append(there, c.Traceparent)
	}
	if !slices.Equal(there, sent) {
		t.Errorf("traceparents that Workers AI got: %q, want each attempt's own: %q", there, sent)
	}
	line := p.await("call")
	equal(t, "trace_id in the log", line["trace_id"], any(callersTrace))
}

// has fails the test if a span has other attributes than these; nil: none of that name.
func has(t *testing.T, s otlptest.Span, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if s.Attrs[name] != value {
			t.Errorf("%s of %s: got %v, want %v", name, s.Name, s.Attrs[name], value)
		}
	}
}

// A refused call has a server span alone.
func TestSpanOfARefusedCall(t *testing.T) {
	t.Parallel()
	p, collector := traced(t)
	status, _ := p.send(strings.Replace(hello, demoChat, demoCostly+`","max_tokens":30000,"x":"`, 1))
	equal(t, "status", status, http.StatusTooManyRequests)
	status, _ = p.do(http.MethodPost, p.app+"/v2/nothing", "{}")
	equal(t, "status of an unknown path", status, http.StatusNotFound)
	spans := collector.Await(2)
	equal(t, "spans", len(spans), 2)
	has(t, spans[0], map[string]any{
		"error.type": "account_limited", "neuronward.result": "account_limited", "neuronward.attempts": int64(0),
		"http.response.status_code": int64(429),
	})
	equal(t, "failed", spans[0].Failed, false)
	equal(t, "name of an unknown path", spans[1].Name, "POST")
	has(t, spans[1], map[string]any{"error.type": "route_not_proxied", "http.route": nil, "url.path": "/v2/nothing"})
}

// The span of a stream ends with the stream and has its usage.
func TestSpansOfAStream(t *testing.T) {
	t.Parallel()
	p, collector := traced(t)
	status, body := p.send(strings.Replace(hello, `"messages"`, `"stream":true,"messages"`, 1))
	isAnswer(t, "the stream", status, body, http.StatusOK, "[DONE]")
	spans := collector.Await(2)
	a := spans[1]
	has(t, a, map[string]any{"gen_ai.request.stream": true, "error.type": nil})
	if len(a.Events) != 1 || a.Events[0].Name != "neuronward.first_token" || !a.Events[0].Time.Before(a.End) {
		t.Errorf("events: got %v, want the first token before the end, %v", a.Events, a.End)
	}
	for _, name := range []string{"gen_ai.usage.output_tokens", "gen_ai.response.time_to_first_chunk"} {
		if a.Attrs[name] == nil {
			t.Errorf("%s: got none, want some", name)
		}
	}
	// A stream that is cut is a failure, although its status is 200.
	r, err := http.NewRequest(http.MethodPost, p.app+"/v1/chat/completions", strings.NewReader(streamCall))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Simulate", "midstream=cut")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	spans = collector.Await(4)
	for _, s := range spans[2:] {
		equal(t, s.Name+" failed", s.Failed, true)
		if s.Attrs["error.type"] == nil {
			t.Errorf("%s: got no error.type, want one", s.Name)
		}
	}
}

// Without an exporter a caller's traceparent passes unchanged, and its trace is in the log line.
func TestTraceparentWithoutAnExporter(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo")
	status, _ := p.send(hello, "x-simulate", "session=a", "traceparent", callersParent)
	equal(t, "status", status, http.StatusOK)
	equal(t, "trace_id in the log", p.await("call")["trace_id"], any(callersTrace))
	_, calls := p.get(p.app + "/__simulate/calls?session=a")
	contains(t, "what Workers AI got", calls, `"traceparent":"`+callersParent+`"`)
	p.send(hello)
	if got := p.await("call")["trace_id"]; got != nil {
		t.Errorf("trace_id without a traceparent: got %v, want none", got)
	}
}

// A session over a WebSocket is one span of each kind, to its end.
func TestSpansOfASession(t *testing.T) {
	t.Parallel()
	collector := otlptest.New(t)
	p := serveSessions(t, workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken}),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=10")
	conn := p.session("/run/" + nova + pcm16)
	hear(t, conn, 2)
	equal(t, "spans of an open session", len(collector.Spans()), 0)
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	s := collector.Await(2)
	equal(t, "name", s[0].Name, "GET /run/{model}")
	has(t, s[0], map[string]any{
		"http.response.status_code": int64(101), "error.type": nil, "neuronward.result": "ok",
	})
	if n, _ := s[0].Attrs["neuronward.neurons"].(float64); n < 2*novaSecond-0.001 {
		t.Errorf("neuronward.neurons: got %v, want %v at least", n, 2*novaSecond)
	}
	equal(t, "parent of the client span", s[1].Parent, s[0].ID)
	equal(t, "name of the client span", s[1].Name, "automatic-speech-recognition "+nova)
	has(t, s[1], map[string]any{"http.response.status_code": int64(101), "error.type": nil})
}

// What a process still holds is sent when it ends.
func TestSpansAreSentAtTheEnd(t *testing.T) {
	t.Parallel()
	p, collector := traced(t, "OTEL_BSP_SCHEDULE_DELAY=3600000", "OTEL_METRICS_EXPORTER=otlp",
		"OTEL_METRIC_EXPORT_INTERVAL=3600000")
	status, _ := p.send(hello)
	equal(t, "status", status, http.StatusOK)
	p.signal()
	p.ends(exitDone)
	equal(t, "spans", len(collector.Spans()), 2)
	var names []string
	for _, m := range collector.Metrics() {
		names = append(names, m.GetName())
	}
	for _, name := range []string{"gen_ai.client.token.usage", "gen_ai.client.operation.duration"} {
		if !slices.Contains(names, name) {
			t.Errorf("metrics: got %q, want %s among them", names, name)
		}
	}
}

// A collector that is not there costs callers nothing, and does not keep the process at its end.
func TestWithoutACollector(t *testing.T) {
	t.Parallel()
	const gone = "http://127.0.0.1:1" // where nobody listens
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	for _, endpoint := range []string{gone, hangs.URL} {
		p := start(t, []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_BSP_MAX_QUEUE_SIZE=10",
			"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1", "OTEL_EXPORTER_OTLP_TIMEOUT=3600000", "OTEL_BSP_EXPORT_TIMEOUT=3600000",
			"NEURONWARD_RATE_LIMITS=off",
		}, "demo")
		for range 10 {
			status, _ := p.send(hello)
			equal(t, "status", status, http.StatusOK)
		}
		p.await("spans were dropped")
		_, series := p.get(p.admin + "/metrics")
		contains(t, "series", series, "\nneuronward_spans_dropped_total ")
		lacks(t, "series", series, "\nneuronward_spans_dropped_total 0\n")
		p.signal()
		p.ends(exitDone)
	}
}

// Nothing of a prompt, of an answer or of a credential is exported, wherever a caller puts it.
func TestSpansHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const key, word = "callers-key-0123456789abcdefgh", "confidential"
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cf-Ray", fakeToken)
		w.Header().Set("Cf-Aig-Model", fakeToken)
		if r.Header.Get("X-Fail") != "" {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"errors":[{"message":"`+fakeToken+` `+word+`","code":5006}],"success":false}`)
			return
		}
		io.WriteString(w, `{"result":{"response":"`+word+`"},"success":true,"errors":[],"messages":[]}`)
	}))
	t.Cleanup(upstream.Close)
	collector := otlptest.New(t)
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_MODELS=*",
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_BSP_SCHEDULE_DELAY=10",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20collectors-token", "NEURONWARD_LOG_LEVEL=debug",
	})
	body := `{"prompt":"` + word + `","messages":[{"role":"user","content":"` + word + `"}],"model":"`
	for _, model := range []string{demoChat, fakeToken, key, "openai/" + key} {
		for _, path := range []string{
			"/run/" + model, "/v1/chat/completions?key=" + key, "/run/@cf/" + key + "?q=" + word,
			"/nothing/" + fakeToken,
		} {
			p.doWith(http.MethodPost, p.app+path, body+model+`"}`, "authorization", "Bearer "+key,
				"x-fail", strings.Repeat("1", len(path)%2), "traceparent", callersParent,
				"tracestate", "a="+fakeToken+",b="+key, "baggage", "c="+key, "user-agent", key, "cookie", word)
		}
	}
	collector.Await(16)
	p.signal()
	p.ends(exitDone)
	for _, secret := range []string{fakeToken, key, word, "collectors-token"} {
		if raw := string(collector.Raw()); strings.Contains(raw, secret) {
			at := strings.Index(raw, secret)
			t.Errorf("exported: got %q, want no %q", raw[max(0, at-100):at+len(secret)], secret)
		}
		if secret != word {
			lacks(t, "log", p.log.String(), secret)
		}
	}
	for _, h := range collector.Headers() {
		equal(t, "the collector's credentials", h.Get("Authorization"), "Bearer collectors-token")
	}
}
