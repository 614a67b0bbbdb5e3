package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const chatAnswer = `{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",` +
	`"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,` +
	`"neurons":0.1}}`

func TestEachPathFormReachesUpstream(t *testing.T) {
	var got *http.Request
	var gotBody []byte
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		gotBody, _ = io.ReadAll(r.Body)
		answerJSON(200, chatAnswer)(w, r)
	}))
	ai := "/client/v4/accounts/" + testAccount + "/ai/"
	for _, c := range []struct{ path, want, route, body string }{
		{"/v1/chat/completions", ai + "v1/chat/completions", "v1/chat/completions", chat},
		{"/ai/v1/chat/completions", ai + "v1/chat/completions", "v1/chat/completions", chat},
		{ai + "v1/chat/completions", ai + "v1/chat/completions", "v1/chat/completions", chat},
		{"/v1/embeddings", ai + "v1/embeddings", "v1/embeddings", chat},
		{"/v1/responses", ai + "v1/responses", "v1/responses", chat},
		{"/v1/messages", ai + "v1/messages", "v1/messages", chat},
		{"/run/" + testModel, ai + "run/" + testModel, "run/{model}", `{"prompt":"Hello"}`},
		{"/run/@cf%2Fmeta%2Fllama-3.1-8b-instruct-fp8", ai + "run/" + testModel, "run/{model}", `{"prompt":"Hello"}`},
		{ai + "run/%40cf/meta/llama-3.1-8b-instruct-fp8", ai + "run/" + testModel, "run/{model}", `{"prompt":"Hello"}`},
		{
			"/run/" + testModel + "?queueRequest=true", ai + "run/" + testModel + "?queueRequest=true", "run/{model}",
			`{"requests":[]}`,
		},
		{"/run", ai + "run", "run", chat},
	} {
		before := b.value("neuronward_requests_total", "route", c.route, "model", testModel, "result", "ok", "client",
			"anonymous")
		res, body := b.do("POST", c.path, c.body, "Authorization", "Bearer the-caller's-own", "X-Api-Key", "k",
			"Cookie", "a=b",
			"X-Simulate", "3040", "X-Forwarded-For", "10.0.0.1", "X-Session-Affinity", "ses-1", "Cf-Aig-Metadata", "{}",
			"Accept-Encoding", "gzip, br")
		if res.StatusCode != 200 || string(body) != chatAnswer {
			t.Errorf("%s: got %d %.200s, want 200 %s", c.path, res.StatusCode, body, chatAnswer)
			continue
		}
		if got.RequestURI != c.want || string(gotBody) != c.body {
			t.Errorf("%s: got upstream %s with %q, want %s with %q", c.path, got.RequestURI, gotBody, c.want, c.body)
		}
		if got.ContentLength != int64(len(c.body)) || len(got.TransferEncoding) > 0 {
			t.Errorf("%s: got upstream the length %d and transfer encoding %v, want %d and none", c.path,
				got.ContentLength, got.TransferEncoding, len(c.body))
		}
		for name, want := range map[string]string{
			"Authorization": "Bearer " + testToken, "X-Api-Key": "", "Cookie": "", "X-Simulate": "",
			"X-Forwarded-For":    "",
			"X-Session-Affinity": "ses-1", "Cf-Aig-Metadata": "{}", "Accept-Encoding": "identity",
		} {
			if v := strings.Join(got.Header[name], "|"); v != want {
				t.Errorf("%s: got upstream %s: %q, want %q", c.path, name, v, want)
			}
		}
		if got.Host != strings.TrimPrefix(b.upstream.URL, "http://") {
			t.Errorf("%s: got upstream the Host %q, want %q", c.path, got.Host,
				strings.TrimPrefix(b.upstream.URL, "http://"))
		}
		if n := b.value("neuronward_requests_total", "route", c.route, "model", testModel, "result", "ok", "client",
			"anonymous"); n != before+1 {
			t.Errorf("%s: got requests_total %v, want %v", c.path, n, before+1)
		}
	}
}

func TestCallerTokenPassesWithoutOurs(t *testing.T) {
	var got http.Header
	var path string
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.URL.Path
		answerJSON(401,
			`{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],`+
				`"messages":[],"result":null}`)(w, r)
	}), func(c *Config) { c.Token = nil })
	res, body := b.do("POST", "/client/v4/accounts/another/ai/run/"+testModel, `{"prompt":"x"}`, "Authorization",
		"Bearer theirs-and-long-enough")
	e := b.envelope(body)
	if got.Get("Authorization") != "Bearer theirs-and-long-enough" ||
		path != "/client/v4/accounts/another/ai/run/"+testModel {
		t.Errorf("got upstream %q on %s, want %q on %s", got.Get("Authorization"), path,
			"Bearer theirs-and-long-enough", "/client/v4/accounts/another/ai/run/"+testModel)
	}
	wantEqual(t, "the caller's own bad token: status", res.StatusCode, 401)
	wantEqual(t, "the caller's own bad token: fault", e.Error.Fault, "caller")
	wantEqual(t, "the caller's own bad token: code", e.Error.Code, "invalid_api_key")
}

func TestOurRefusedTokenIsTheOperators(t *testing.T) {
	b := newBench(t, answerJSON(403, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`))
	res, body := b.do("POST", "/v1/chat/completions", chat)
	e := b.envelope(body)
	wantEqual(t, "status", res.StatusCode, 502)
	wantEqual(t, "fault", e.Error.Fault, "operator")
	wantEqual(t, "name", e.Error.Name, "authentication_failed")
	wantEqual(t, "number", e.Error.Number, 10000)
	b.ended()
	if !strings.Contains(b.log.String(), `"level":"ERROR","msg":"call failed"`) {
		t.Errorf("got the log %s, want in it an error, \"call failed\", for what the operator must fix", b.log)
	}
	if n := b.value("neuronward_errors_total", "code", "10000", "fault", "operator", "origin", "upstream"); n != 1 {
		t.Errorf("got errors_total %v of the operator, want 1", n)
	}
}

func TestSuccessPassesByteForByte(t *testing.T) {
	image := make([]byte, 10<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range image {
		image[i] = byte(random.Uint32())
	}
	sse := "data: {\"response\":\"He\",\"p\":\"abc\"}\n\n: a comment\n\ndata: {\"response\":\"llo\"}\r\n\r\nid: 7\n" +
		"data: {\"response\":\"\",\"usage\":{\"neurons\":0.5}}\n\ndata: [DONE]\n\n"
	for _, c := range []struct {
		name, kind string
		body       []byte
		chunked    bool
	}{
		{"JSON", "application/json", []byte(chatAnswer), false},
		{"JSON, chunked", "application/json", []byte(chatAnswer), true},
		{
			"JSON beyond what is looked at", "application/json",
			[]byte(`{"result":{"image":"` + strings.Repeat("A", 5<<20) + `"},"success":true}`), false,
		},
		{
			"JSON whose text speaks of failures", "application/json",
			[]byte(`{"result":{"response":"{\"success\":false,\"errors\":[{\"code\":4006}]}"},"success":true,` +
				`"errors":[],"messages":[]}`), false,
		},
		{
			"an empty result", "application/json", []byte(`{"result":{},"success":true,"errors":[],"messages":[]}`),
			false,
		},
		{"10 MB image", "image/png", image, false},
		{"10 MB of anything", "", image, false},
		{"audio, chunked", "audio/mpeg", image[:1<<20], true},
		{"events", "text/event-stream", []byte(sse), true},
		{"events with a charset", "text/event-stream; charset=utf-8", []byte(sse), false},
		{"plain text", "text/plain", []byte("just text"), false},
		{"a JSON array", "application/json", []byte(`[1,2,3]`), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{c.kind}
				w.Header().Set("Cf-Ray", "ray-1")
				w.Header().Set("Cf-Ai-Neurons", "1.25")
				w.Header().Set("X-Custom", "kept")
				if c.chunked {
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				} else {
					w.Header().Set("Content-Length", fmt.Sprint(len(c.body)))
				}
				_, _ = w.Write(c.body)
			}))
			res, body := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`)
			if res.StatusCode != 200 || sha256.Sum256(body) != sha256.Sum256(c.body) {
				t.Fatalf("got %d, %d bytes: %.200q, want 200 and the %d bytes that upstream sent", res.StatusCode,
					len(body), body, len(c.body))
			}
			want := int64(len(c.body))
			if c.chunked {
				want = -1
			}
			if !strings.HasPrefix(c.kind, "text/event-stream") && res.ContentLength != want {
				t.Errorf("got Content-Length %d, want %d", res.ContentLength, want)
			}
			for name, want := range map[string]string{
				"Cf-Ray": "ray-1", "X-Custom": "kept",
				"X-Neuronward-Neurons": "1.25", "Content-Type": c.kind,
			} {
				if v := res.Header.Get(name); v != want {
					t.Errorf("%s: got %q, want %q", name, v, want)
				}
			}
			if res.Header.Get("X-Request-Id") == "" || res.Header.Get("X-Request-Id") != res.Header.Get("Request-Id") {
				t.Errorf("got the request ids %q and %q, want one, twice", res.Header.Get("X-Request-Id"),
					res.Header.Get("Request-Id"))
			}
		})
	}
}

func TestFirstEventReachesTheCallerBeforeUpstreamSendsTheSecond(t *testing.T) {
	received := make(chan struct{})
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"response\":\"%d\"}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-received
		}
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	res, err := http.Post(b.url+"/run/"+testModel, "application/json",
		strings.NewReader(`{"prompt":"x","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := events.ReadString('\n')
		if want := fmt.Sprintf("data: {\"response\":\"%d\"}\n", i); line != want || err != nil {
			t.Fatalf("event %d: got %q, %v, want %q and no error", i, line, err, want)
		}
		if blank, _ := events.ReadString('\n'); blank != "\n" {
			t.Fatalf("event %d: got %q behind it, want a blank line", i, blank)
		}
		received <- struct{}{}
	}
	if rest, err := io.ReadAll(events); string(rest) != "data: [DONE]\n\n" || err != nil {
		t.Errorf("got the rest %q, %v, want %q and no error", rest, err, "data: [DONE]\n\n")
	}
	b.ended()
	if n := b.value("neuronward_time_to_first_byte_seconds"); n != 1 {
		t.Errorf("got %v first bytes observed, want 1", n)
	}
}

func TestTimeLimits(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	t.Run("no answer", func(t *testing.T) {
		b := newBench(t, http.HandlerFunc(hang), func(c *Config) { c.FirstByteTimeout = 20 * time.Millisecond })
		res, body := b.do("POST", "/v1/chat/completions", chat)
		e := b.envelope(body)
		wantEqual(t, "status", res.StatusCode, 408)
		wantEqual(t, "number", e.Error.Number, 3007)
		wantEqual(t, "origin", e.Error.Origin, "proxy")
		wantEqual(t, "matched by", e.Error.MatchedBy, "transport")
		b.ended()
		if n := b.value("neuronward_errors_total", "code", "3007", "origin", "proxy"); n != 1 {
			t.Errorf("got errors_total %v, want 1", n)
		}
	})
	t.Run("headers but no event", func(t *testing.T) {
		b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}), func(c *Config) { c.FirstByteTimeout = 20 * time.Millisecond })
		res, body := b.do("POST", "/v1/chat/completions", chat)
		if e := b.envelope(body); res.StatusCode != 408 || e.Error.Number != 3007 {
			t.Errorf("got %d %s, want 408 and the number 3007", res.StatusCode, body)
		}
	})
}

func TestCallerGoneIs3008(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", b.url+"/v1/chat/completions", strings.NewReader(chat))
	go func() {
		<-arrived
		leave()
	}()
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("got the error %v, want %v", err, context.Canceled)
	}
	<-left // upstream is told
	b.ended()
	if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
		t.Errorf("got %v requests that end as client_gone, want 1", n)
	}
	if !strings.Contains(b.log.String(), `"name":"aborted","number":3008`) {
		t.Errorf("got the log %s, want in it the name aborted with the number 3008", b.log)
	}
	if n := b.value("neuronward_requests_in_flight"); n != 0 {
		t.Errorf("got %v calls in flight, want 0", n)
	}
}

func TestBodies(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	exact := `{"prompt":"` + strings.Repeat("x", 1<<20-13) + `"}`
	chunked := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	for _, c := range []struct {
		name, path string
		body       io.Reader
		status     int
		slug       string
		reaches    bool
	}{
		{"as large as allowed", "/run/" + testModel, strings.NewReader(exact), 200, "", true},
		{"as large as allowed, chunked", "/run/" + testModel, chunked(exact), 200, "", true},
		{
			"declared too large", "/run/" + testModel, strings.NewReader(`{"prompt":"` + big + `"}`), 413,
			"request_too_large", false,
		},
		{
			"too large, chunked", "/run/" + testModel, chunked(`{"prompt":"` + big + `"}`), 413, "request_too_large",
			false,
		},
		{"raw bytes", "/run/" + testSpeechModel, strings.NewReader("RIFF" + big[:1000]), 200, "", true},
		{
			"raw bytes declared too large", "/run/" + testSpeechModel, strings.NewReader("RIFF" + big), 413,
			"request_too_large",
			false,
		},
		{"compressed", "/run/" + testModel, strings.NewReader("\x1f\x8b"), 400, "bad_input", false},
		{
			"raw bytes too large, chunked", "/run/" + testSpeechModel, chunked("RIFF" + big), 413, "request_too_large",
			true,
		},
		{"empty", "/run/" + testModel, strings.NewReader(""), 400, "incomplete_request", false},
		{"only spaces", "/v1/chat/completions", strings.NewReader("  \n "), 400, "incomplete_request", false},
		{"broken JSON", "/v1/chat/completions", strings.NewReader(`{"model":`), 400, "incomplete_request", false},
		{"no object", "/v1/chat/completions", strings.NewReader(`[1]`), 400, "incomplete_request", false},
		{
			"raw bytes where JSON is due", "/v1/chat/completions", strings.NewReader(`RIFF`), 400, "incomplete_request",
			false,
		},
		{"no model", "/v1/chat/completions", strings.NewReader(`{"messages":[]}`), 400, "incomplete_request", false},
		{
			"a field twice", "/v1/chat/completions", strings.NewReader(`{"model":"a","mod\u0065l":"b"}`), 400,
			"bad_input",
			false,
		},
	} {
		var calls atomic.Int64
		b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			n, err := io.Copy(io.Discard, r.Body)
			answerJSON(200, fmt.Sprintf(`{"result":{"bytes":%d,"err":"%v"},"success":true}`, n, err))(w, r)
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+c.path, c.body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.name == "compressed" {
			r.Header.Set("Content-Encoding", "gzip")
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("%s: got the error %v, want %d", c.name, err, c.status)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: got %d %.300s, want %d", c.name, res.StatusCode, body, c.status)
			continue
		}
		if c.slug != "" {
			e := b.envelope(body).Error
			wantEqual(t, c.name+": name", e.Name, c.slug)
			wantEqual(t, c.name+": origin", e.Origin, "guard")
			wantEqual(t, c.name+": fault", e.Fault, "caller")
		}
		// An upload that is cut may or may not have begun to arrive.
		if cut := c.name == "raw bytes too large, chunked"; !cut && (calls.Load() > 0) != c.reaches {
			t.Errorf("%s: got upstream reached: %t, want %t", c.name, calls.Load() > 0, c.reaches)
		}
	}
}

func TestHeldBodiesAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
		answerJSON(200, chatAnswer)(w, r)
	}), func(c *Config) { c.MaxHeld = 16 << 10 })
	first := make(chan int)
	go func() {
		res, _ := b.do("POST", "/v1/chat/completions", chat)
		first <- res.StatusCode
	}()
	<-arrived
	res, body := b.do("POST", "/v1/chat/completions", chat)
	wantEqual(t, "status", res.StatusCode, 503)
	wantEqual(t, "name", b.envelope(body).Error.Name, "overloaded")
	wantEqual(t, "Retry-After", res.Header.Get("Retry-After"), "1")
	if n := b.value("neuronward_preempted_total", "reason", "overload", "mode", "enforce"); n != 1 {
		t.Errorf("got %v preempted, want 1", n)
	}
	close(release)
	if status := <-first; status != 200 {
		t.Errorf("the first call: got %d, want 200", status)
	}
	go func() { <-arrived }()
	if res, body := b.do("POST", "/v1/chat/completions", chat); res.StatusCode != 200 {
		t.Errorf("after room was given back: got %d %s, want 200", res.StatusCode, body)
	}
}

func TestUnreachableUpstream(t *testing.T) {
	b := newBench(t, http.NotFoundHandler(),
		func(c *Config) { c.Upstream = &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/client/v4"} })
	res, body := b.do("POST", "/v1/chat/completions", chat)
	e := b.envelope(body).Error
	wantEqual(t, "status", res.StatusCode, 502)
	wantEqual(t, "name", e.Name, "upstream_unreachable")
	wantEqual(t, "retryable", e.Retryable, true)
	wantLacks(t, "body", string(body), "127.0.0.1")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Errorf("got a request for %s, want the redirect not followed", r.URL.Path)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	res, body := b.do("POST", "/v1/chat/completions", chat)
	wantEqual(t, "status", res.StatusCode, 502)
	wantEqual(t, "name", b.envelope(body).Error.Name, "upstream_unclassified")
	wantEqual(t, "Location", res.Header.Get("Location"), "")
}

func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"response\":\"a\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "data: {\"response\":\"b\"}\n\ndata: [DONE]\n\n")
	}))
	type outcome struct {
		body []byte
		err  error
	}
	open := make(chan outcome)
	go func() {
		res, err := http.Post(b.url+"/run/"+testModel, "application/json",
			strings.NewReader(`{"prompt":"x","stream":true}`))
		if err != nil {
			open <- outcome{nil, err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		open <- outcome{body, err}
	}()
	<-arrived
	b.proxy.Drain()
	res, body := b.do("POST", "/v1/chat/completions", chat)
	wantEqual(t, "a new call while draining: status", res.StatusCode, 503)
	wantEqual(t, "a new call while draining: name", b.envelope(body).Error.Name, "shutting_down")
	wantEqual(t, "a new call while draining: closes", res.Close, true)
	select {
	case <-b.proxy.Idle():
		t.Error("got idle while a stream is open, want it only once the stream has ended")
	default:
	}
	close(release)
	if o := <-open; o.err != nil || !bytes.HasSuffix(o.body, []byte("data: [DONE]\n\n")) {
		t.Errorf("the open stream: got %q, %v, want it in full up to [DONE] and no error", o.body, o.err)
	}
	<-b.proxy.Idle()
}

func TestAbortEndsStreamsWithATerminalEvent(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"response\":\"a\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	res, err := http.Post(b.url+"/run/"+testModel, "application/json",
		strings.NewReader(`{"prompt":"x","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewReader(res.Body)
	if line, err := events.ReadString('\n'); line != "data: {\"response\":\"a\"}\n" {
		t.Fatalf("got the event %q (%v), want %q", line, err, "data: {\"response\":\"a\"}\n")
	}
	b.proxy.Drain()
	b.proxy.Abort()
	rest, err := io.ReadAll(events)
	if !strings.HasPrefix(string(rest), "\ndata: {\"error\":{") {
		t.Errorf("got %q, want an event of an error", rest)
	}
	wantHas(t, "the event", string(rest), `"name":"shutting_down"`)
	wantEqual(t, "the stream is cut", err != nil, true)
	<-b.proxy.Idle()
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("secret: " + testToken) }

func TestPanicIsAnswered(t *testing.T) {
	b := newBench(t, http.NotFoundHandler(), func(c *Config) { c.Transport = panicking{} })
	res, body := b.do("POST", "/v1/chat/completions", chat)
	wantEqual(t, "status", res.StatusCode, 500)
	wantEqual(t, "name", b.envelope(body).Error.Name, "internal")
	wantLacks(t, "body", string(body), testToken)
	b.ended()
	if n := b.value("neuronward_requests_total", "result", "internal"); n != 1 {
		t.Errorf("got requests_total %v, want 1", n)
	}
}

func TestRequestIDs(t *testing.T) {
	b := newBench(t, answerJSON(200, chatAnswer))
	for id, kept := range map[string]bool{
		"req_1": true, "3a1983d7-1ddd-453a-ab75-c4358c91b582": true, "": false, "a b": false, `a"b`: false,
		"<script>":               false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		res, _ := b.do("POST", "/v1/chat/completions", chat, "X-Request-Id", id)
		if got := res.Header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("the caller sent %q: got %q in the answer, want some id, and the caller's own: %t", id, got, kept)
		}
	}
}
