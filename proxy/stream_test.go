package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/routing"
)

// streams answers with an event stream written by play, which may cut it.
func streams(play func(w http.ResponseWriter, r *http.Request, send func(string))) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		play(w, r, func(s string) {
			_, _ = io.WriteString(w, s)
			_ = http.NewResponseController(w).Flush()
		})
	}
}

// readAll reads a stream to its end or its cut.
func (b *bench) stream(path, body string) (res *http.Response, answer string, cut bool) {
	b.t.Helper()
	res, err := http.Post(b.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		b.t.Fatal(err)
	}
	return res, string(all), err != nil
}

const (
	event3040 = "data: {\"errors\":[{\"message\":\"AiError: Capacity temporarily exceeded, please try again.\"," +
		"\"code\":3040}],\"success\":false,\"result\":{},\"messages\":[]}\n\n"
	ordinary   = "data: {\"response\":\"Hello\",\"p\":\"abc\"}\n\n"
	chatPath   = "/v1/chat/completions"
	streamChat = `{"model":"` + testModel + `","messages":[{"role":"user","content":"Hello"}],"stream":true}`
	firstChunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0," +
		"\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
	lastChunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{}," +
		"\"finish_reason\":\"stop\"}]}\n\n"
	messageEnd  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	responseEnd = "event: response.completed\ndata: {\"type\":\"response.completed\"," +
		"\"response\":{\"status\":\"completed\"}}\n\n"
)

func TestStreamThatFailsAtOnceIsAnHTTPError(t *testing.T) {
	for _, c := range []struct {
		name, body, slug string
		status           int
	}{
		{"v4 error", event3040, "out_of_capacity", 429},
		{
			"wrapped error",
			"data: {\"error\":{\"errors\":[{\"message\":\"AiError: AiError: rate limiting: inference request per " +
				"min rate reached\",\"code\":3021}],\"success\":false}}\n\ndata: [DONE]\n\n",
			"requests_per_minute_exceeded", 429,
		},
		{
			"an engine's error",
			"data: {\"object\":\"error\",\"message\":\"Request waiting timeout reached.\"," +
				"\"type\":\"SERVICE_UNAVAILABLE\",\"code\":503}\n\n", "timeout", 408,
		},
		{"comments first", ": hello\n\n\n\n: again\n\n" + event3040, "out_of_capacity", 429},
		{"without its blank line", strings.TrimSuffix(event3040, "\n\n"), "out_of_capacity", 429},
		{"HTML", "<html><body>502 Bad Gateway</body></html>", "upstream_unavailable", 502},
		{
			"JSON that is no stream",
			`{"success":false,"errors":[{"code":5007,"message":"No such model @cf/x/y or task"}]}`, "no_such_model",
			400,
		},
		{"nothing", "", "upstream_unavailable", 502},
		{"only comments", ": ping\n\n: ping\n\n", "upstream_unavailable", 502},
	} {
		for _, path := range []string{chatPath, "/v1/responses", "/v1/messages", "/run/" + testModel} {
			t.Run(c.name+" "+path, func(t *testing.T) {
				b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request,
					send func(string),
				) {
					send(c.body)
				}))
				res, answer, _ := b.stream(path, streamChat)
				e := b.envelope([]byte(answer))
				wantEqual(t, "status", res.StatusCode, c.status)
				wantEqual(t, "name", e.Error.Name, c.slug)
				wantEqual(t, "Content-Type", res.Header.Get("Content-Type"), "application/json")
				wantEqual(t, "origin", e.Error.Origin, "upstream")
				b.ended()
				if n := b.value("neuronward_errors_total", "name", c.slug, "origin", "upstream"); n != 1 {
					t.Errorf("errors_total: got %v, want 1", n)
				}
			})
		}
	}
}

func TestStreamThatFailsMidway(t *testing.T) {
	for _, path := range []string{chatPath, "/v1/responses", "/v1/messages", "/run/" + testModel} {
		for _, c := range []struct {
			name, slug, origin string
			play               func(w http.ResponseWriter, r *http.Request, send func(string))
		}{
			{
				"an error event", "out_of_capacity", "upstream",
				func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
					send(event3040)
					send(ordinary)
				},
			},
			{
				"an error event cut into pieces", "out_of_capacity", "upstream",
				func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
					for piece := range strings.SplitSeq(event3040, ",") {
						if piece != strings.Split(event3040, ",")[0] {
							piece = "," + piece
						}
						send(piece)
					}
				},
			},
			{
				"cut off", "stream_interrupted", "proxy",
				func(http.ResponseWriter, *http.Request, func(string)) { panic(http.ErrAbortHandler) },
			},
			{
				"cut off in an event", "stream_interrupted", "proxy",
				func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
					send("data: {\"response\":\"half of")
					panic(http.ErrAbortHandler)
				},
			},
			{
				"silent", "timeout", "proxy",
				func(_ http.ResponseWriter, r *http.Request, _ func(string)) { <-r.Context().Done() },
			},
			{
				"ended before it was whole", "stream_interrupted", "proxy",
				func(http.ResponseWriter, *http.Request, func(string)) {},
			},
		} {
			t.Run(path+" "+c.name, func(t *testing.T) {
				b := newBench(t, streams(func(w http.ResponseWriter, r *http.Request, send func(string)) {
					send(ordinary)
					c.play(w, r, send)
				}), func(config *Config) {
					if c.slug == "timeout" {
						config.StreamIdleTimeout = 100 * time.Millisecond
					}
				})
				res, answer, cut := b.stream(path, streamChat)
				rest, ok := strings.CutPrefix(answer, ordinary)
				if res.StatusCode != 200 || !ok {
					t.Fatalf("got status %d, %s; want 200, %q at the beginning", res.StatusCode, answer, ordinary)
				}
				begin := map[string]string{
					"/v1/messages":  "event: error\n" + `data: {"error":{`,
					"/v1/responses": "event: response.failed\n" + `data: {"type":"response.failed",`,
				}[path]
				begin = cmp.Or(begin, `data: {"error":{`)
				wantEqual(t, "cut", cut, path != "/v1/responses")
				if !strings.HasPrefix(rest, begin) {
					t.Errorf("terminal event: got %q, want %q at its beginning", rest, begin)
				}
				_, data, _ := strings.Cut(rest, "data: ")
				wantEqual(t, "terminal event: blank lines", strings.Count(rest, "\n\n"), 1)
				wantLacks(t, "terminal event", rest, "half of")
				wantLacks(t, "terminal event", rest, "[DONE]")
				if e := b.envelope([]byte(data)); e.Error.Name != c.slug || e.Error.Origin != c.origin {
					t.Errorf("terminal event: got %q of %q, want %q of %q: %s", e.Error.Name, e.Error.Origin, c.slug,
						c.origin, data)
				}
				b.ended()
				if n := b.value("neuronward_requests_total", "result", c.slug); n != 1 {
					t.Errorf("requests_total: got %v, want 1", n)
				}
				if n := b.value("neuronward_errors_total", "name", c.slug, "origin", c.origin); n != 1 {
					t.Errorf("errors_total: got %v, want 1", n)
				}
			})
		}
	}
}

func TestStreamIsCompleteAfterItsEndMark(t *testing.T) {
	for name, c := range map[string]struct{ path, end string }{
		"[DONE]":               {chatPath, "data: [DONE]\n\n"},
		"[DONE], no blank":     {chatPath, "data: [DONE]"},
		"[DONE], CRLF":         {chatPath, "data: [DONE]\r\n\r\n"},
		"finish_reason":        {chatPath, lastChunk},
		"finish_reason spaced": {chatPath, "data: {\"choices\":[{\"finish_reason\" : \"length\"}]}\n\n"},
		"message_stop":         {"/v1/messages", messageEnd},
		"response.completed":   {"/v1/responses", responseEnd},
		"huge completed": {
			"/v1/responses",
			strings.Replace(responseEnd, `"completed"}`, `"completed","output":"`+strings.Repeat("x", 200<<10)+`"}`,
				1),
		},
		"native usage": {"/run/" + testModel, "data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":1}}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, broken := range []bool{false, true} {
				if broken && !strings.HasSuffix(c.end, "\n\n") && !strings.HasSuffix(c.end, "\r\n") {
					continue // without its blank line an event counts only at a clean end
				}
				b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
					send(firstChunk)
					send(c.end)
					if broken { // after the end mark a broken connection harms nobody
						panic(http.ErrAbortHandler)
					}
				}))
				_, answer, cut := b.stream(c.path, streamChat)
				if answer != firstChunk+c.end || cut {
					t.Errorf("upstream broken %v: got cut %v, %d bytes: %.300q; want false, %d bytes: %.300q", broken,
						cut, len(answer), answer, len(firstChunk+c.end), firstChunk+c.end)
				}
				b.ended()
				if n := b.value("neuronward_requests_total", "result", "ok"); n != 1 {
					t.Errorf("upstream broken %v: got ok %v, want 1", broken, n)
				}
			}
		})
	}
}

func TestStreamTextIsNoEndMarkAndNoFailure(t *testing.T) {
	text := `data: {"choices":[{"delta":{"content":"say \"finish_reason\":\"stop\" and [DONE] and \"message_stop\" ` +
		`{\"error\":{\"code\":4006}} \"success\":false"},"finish_reason":null}]}` + "\n\n"
	delta := func(text string) string {
		return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"," +
			"\"delta\":{\"type\":\"text_delta\",\"text\":\"" + text + "\"}}\n\n"
	}
	for path, text := range map[string]string{
		chatPath: text, "/v1/messages": delta("message_stop"),
		"/v1/responses": delta("response.completed"),
		"/v1/responses?created": "event: response.created\ndata: {\"type\":\"response.created\"," +
			"\"response\":{\"status\":\"in_progress\",\"usage\":null}}\n\n",
	} {
		b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) { send(text) }))
		_, answer, cut := b.stream(path, streamChat)
		rest, ok := strings.CutPrefix(answer, text)
		if !ok {
			t.Errorf("%s: got %.900q, want %q at the beginning", path, answer, text)
		}
		wantEqual(t, path+": cut", cut, !strings.HasPrefix(path, "/v1/responses"))
		wantHas(t, path+": the end", rest, `"name":"stream_interrupted"`)
	}
}

func TestOversizedEventPassesAsItComes(t *testing.T) {
	got := make(chan struct{})
	b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
		send("data: {\"x\":\"" + strings.Repeat("y", maxEventBuffer))
		<-got // the caller has the beginning of an event that has no end yet
		send("\"}\n\n" + ordinary + "data: [DONE]\n\n")
	}))
	res, err := http.Post(b.url+chatPath, "application/json", strings.NewReader(streamChat))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	begin := make([]byte, maxEventBuffer)
	if _, err := io.ReadFull(res.Body, begin); err != nil {
		t.Fatal(err)
	}
	close(got)
	rest, err := io.ReadAll(res.Body)
	if !strings.HasSuffix(string(rest), "\"}\n\n"+ordinary+"data: [DONE]\n\n") || err != nil {
		t.Errorf("got error %v, %.200q; want none, %q at the end", err, rest, "\"}\n\n"+ordinary+"data: [DONE]\n\n")
	}
}

// pieces gives a text out in pieces of the given sizes, over and over.
type pieces struct {
	text  string
	sizes []byte
	i     int
	err   error
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, p.err
	}
	size := 1
	if len(p.sizes) > 0 {
		size += int(p.sizes[p.i%len(p.sizes)])
		p.i++
	}
	n := copy(b[:min(size, len(b))], p.text)
	p.text = p.text[n:]
	return n, nil
}

func (p *pieces) Close() error { return nil }

// play runs a text through a stream, split into pieces.
func play(p *Proxy, path, text string, sizes []byte, end error) (out string, failure normalize.Code, err error) {
	w := httptest.NewRecorder()
	x := p.begin(w, requestFor(path))
	x.watch.Await()
	defer x.watch.Stop()
	x.requestID, x.began = "fixed", time.Unix(1790000000, 0)
	x.Destination, _ = routing.Resolve("POST", path)
	res := &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: &pieces{text: text, sizes: sizes, err: end},
	}
	if err := p.retries.inspector.inspectStream(x, res); err != nil {
		return "", err.Code, err
	}
	err = x.streaming.deliver()
	if x.failure != nil {
		failure = x.failure.Code
	}
	return w.Body.String(), failure, err
}

// FuzzStream: however the bytes are split across reads, the caller gets the same
// ones.
func FuzzStream(f *testing.F) {
	for _, text := range []string{
		firstChunk + ordinary + lastChunk + "data: [DONE]\n\n", ordinary + event3040 + ordinary, ": c\r\n\r\n" +
			ordinary + "data: [DO",
		event3040, firstChunk +
			"data: {\"response\":\"\",\"usage\":{\"neurons\":1}}\n\ndata: [DONE]\n\n", "\n\n\r\n\r\n",
		"data: x\n\r\ndata: y\r\n\n", "<html>",
		"data: " + strings.Repeat("z", maxEventBuffer+10) + "\n\n" + ordinary,
	} {
		f.Add(text, []byte{0}, true, true)
		f.Add(text, []byte{3, 200, 17}, false, true)
		f.Add(text, []byte{50, 1}, true, false)
	}
	b := newBench(f, http.NotFoundHandler())
	f.Fuzz(func(t *testing.T, text string, sizes []byte, clean, native bool) {
		path := chatPath
		if native {
			path = "/run/" + testModel
		}
		end := io.EOF
		if !clean {
			end = io.ErrUnexpectedEOF
		}
		whole, failure, err := play(b.proxy, path, text, []byte{255}, end)
		split, failure2, err2 := play(b.proxy, path, text, sizes, end)
		if len(text) >= maxEventBuffer {
			// How much of an oversized event is out when it breaks depends on the
			// reads; what is out must still be upstream's bytes, in order.
			if before, _, _ := strings.Cut(split, "data: {\"error\":"); failure2 != 0 &&
				!strings.HasPrefix(text, before) {
				t.Fatalf("got %q, want a beginning of what upstream sent, %.300q", before, text)
			}
			return
		}
		if whole != split {
			t.Fatalf("got in pieces: %q\nwant as at once: %q", split, whole)
		}
		if failure != failure2 || (err == nil) != (err2 == nil) {
			t.Fatalf("got in pieces: %v, %v\nwant as at once: %v, %v", failure2, err2, failure, err)
		}
		if err != nil && failure != 0 && native && whole != "" {
			// What passed is upstream's, to the end of an event; then ours, once.
			at := strings.LastIndex(whole, "data: {\"error\":{\"message\":")
			if at < 0 || !strings.HasSuffix(whole, "\n\n") {
				t.Fatalf("got a terminal event at %d of %q, want one at 0 or later, with a blank line at its end", at,
					whole)
			}
			before := whole[:at]
			if !strings.HasPrefix(text, before) {
				t.Fatalf("got %q before the terminal event, want a beginning of %q", before, text)
			}
			if at > 0 && !strings.HasSuffix(before, "\n\n") && !strings.HasSuffix(before, "\n\r\n") {
				t.Fatalf("got %q before the terminal event, want whole events", before)
			}
		}
		if err == nil && native && !strings.HasPrefix(text, whole) {
			// at most half an event is missing at its end
			t.Fatalf("ended well: got %q, want a beginning of %q", whole, text)
		}
	})
}

func requestFor(path string) *http.Request {
	r, err := http.NewRequest("POST", path, nil)
	if err != nil {
		panic(err)
	}
	return r
}

func BenchmarkStream(b *testing.B) {
	bench := newBench(b, http.NotFoundHandler())
	const (
		chunk = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"token %d"},"finish_reason":null}],` +
			`"usage":{"neurons":0.1},"p":"abc"}` + "\n\n"
		named = "event: content_block_delta\n" +
			`data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%d"}}` + "\n\n"
		events = 1000
	)
	for _, c := range []struct {
		name, path, event string
		metered           bool
	}{
		{"chunks", chatPath, chunk, false},
		{"chunks, metered", chatPath, chunk, true},
		{"Anthropic, metered", "/v1/messages", named, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			var text strings.Builder
			for i := range events {
				fmt.Fprintf(&text, c.event, i)
			}
			text.WriteString("data: [DONE]\n\n")
			b.ReportAllocs()
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				x := bench.proxy.begin(&discard{header: http.Header{}}, requestFor(c.path))
				x.watch.Await()
				x.Destination, _ = routing.Resolve("POST", c.path)
				if c.metered { // as a poll is, without a ledger
					var err error
					if x.charge, err = guard.New(guard.Options{}).Reserve(b.Context(),
						&guard.Call{Poll: "p"}); err != nil {
						b.Fatal(err)
					}
				}
				body := &pieces{text: text.String(), sizes: []byte{200}, err: io.EOF}
				res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: body}
				if err := bench.proxy.retries.inspector.inspectStream(x, res); err != nil {
					b.Fatal(err)
				}
				_ = x.streaming.deliver() // not all have an end mark
				x.watch.Stop()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
		})
	}
}
