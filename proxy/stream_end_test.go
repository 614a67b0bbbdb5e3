package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// How streams end that do not end as they should: what a caller gets is whole events, then at most one terminal event
// on lines of its own. A Responses stream then ends in order; any other is cut.
func TestHowStreamsEnd(t *testing.T) {
	const done = "data: [DONE]\n\n"
	for _, c := range []struct {
		name, path, sent string
		broken           bool   // the connection breaks, rather than ending in order
		want             string // before the terminal event
		slug             string // of the terminal event; "": the stream is whole
	}{
		{
			"half an event, ended in order", chatPath, firstChunk + `data: {"id":"c1","obj`, false,
			firstChunk, "stream_interrupted",
		},
		{
			"half an event, cut off", chatPath, firstChunk + `data: {"id":"c1","obj`, true,
			firstChunk, "stream_interrupted",
		},
		{
			"an event without its blank line", chatPath, firstChunk + strings.TrimSuffix(firstChunk, "\n"), false,
			firstChunk, "stream_interrupted",
		},
		{
			"half an event after the end mark, in order", chatPath, lastChunk + `data: {"choices":[],"usa`, false,
			lastChunk, "",
		},
		{
			"half an event after the end mark, cut off", chatPath, lastChunk + `data: {"choices":[],"usa`, true,
			lastChunk, "",
		},
		{
			"an end mark without its blank line, cut off", chatPath, firstChunk + "data: [DONE]", true, firstChunk,
			"stream_interrupted",
		},
		{
			"an oversized event, cut off", "/v1/responses",
			firstChunk + "data: {\"x\":\"" + strings.Repeat("y", 80_000), true, firstChunk + "data: {\"x\":\"" +
				strings.Repeat("y", 80_000), "stream_interrupted",
		},
		{
			"an empty finish_reason is none", chatPath, `data: {"choices":[{"finish_reason":""}]}` + "\n\n", false,
			`data: {"choices":[{"finish_reason":""}]}` + "\n\n", "stream_interrupted",
		},
		{
			"one of two choices has finished", chatPath,
			`data: {"choices":[{"native_finish_reason":"x","finish_reason":null},{"finish_reason":"stop"}]}` + "\n\n",
			false, `data: {"choices":[{"native_finish_reason":"x","finish_reason":null},{"finish_reason":"stop"}]}` +
				"\n\n", "",
		},
		{
			"usage beside text is not the end", "/run/" + testModel,
			`data: {"response":"a","usage":{"neurons":1}}` + "\n\n", false,
			`data: {"response":"a","usage":{"neurons":1}}` + "\n\n", "stream_interrupted",
		},
		{
			"usage beside text keeps the text", chatPath,
			`data: {"response":"TEXT","usage":{"neurons":1}}` + "\n\n" + done, false,
			`data: {"response":"TEXT","usage":{"neurons":1}}` + "\n\n" + done, "",
		},
		{
			"a response that has only begun", "/v1/responses",
			"data: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n", false,
			"data: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n", "stream_interrupted",
		},
		{"comments after the end", chatPath, firstChunk + done + ": bye\n", false, firstChunk + done + ": bye\n", ""},
	} {
		for _, length := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, length %v", c.name, length), func(t *testing.T) {
				b := newBench(t, streams(func(w http.ResponseWriter, _ *http.Request, send func(string)) {
					if length && !c.broken {
						w.Header().Set("Content-Length", fmt.Sprint(len(c.sent)))
					}
					send(c.sent)
					if c.broken {
						panic(http.ErrAbortHandler)
					}
				}))
				_, answer, cut := b.stream(c.path, streamChat)
				rest, ok := strings.CutPrefix(answer, c.want)
				wantCut, terminal := c.slug != "", `data: {"error":{`
				if c.path == "/v1/responses" {
					wantCut, terminal = false, "event: response.failed\n"+`data: {"type":"response.failed",`
				}
				if !ok || cut != wantCut {
					t.Fatalf("got cut %v, %.500q; want cut %v, %.500q at the beginning", cut, answer, wantCut, c.want)
				}
				if c.slug == "" {
					if rest != "" {
						t.Errorf("after what was whole: got %q, want nothing", rest)
					}
					return
				}
				if strings.HasPrefix(c.name, "an oversized") {
					rest = strings.TrimPrefix(rest, "\n\n")
				}
				if !strings.HasPrefix(rest, terminal) {
					t.Errorf("terminal event: got %q, want %q at its beginning", rest, terminal)
				}
				wantEqual(t, "terminal event: blank lines", strings.Count(rest, "\n\n"), 1)
				wantHas(t, "terminal event", rest, `"name":"`+c.slug+`"`)
			})
		}
	}
}

func TestWhatIsNoEventStream(t *testing.T) {
	for body, slug := range map[string]string{
		"upstream busy\n":                            "upstream_unclassified",
		"error code: 1015\n":                         "api_rate_limited",
		`{"result":{"response":"x"},"success":true}`: "upstream_unclassified",
		"retry: 1000\n\n" + event3040:                "out_of_capacity",
		"id: 1\n\n: c\n\n" + event3040:               "out_of_capacity",
	} {
		b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) { send(body) }))
		res, answer, _ := b.stream(chatPath, streamChat)
		if e := b.envelope([]byte(answer)); res.StatusCode < 400 || e.Error.Name != slug {
			t.Errorf("%q: got status %d, %q; want 400 or more, %q: %s", body, res.StatusCode, e.Error.Name, slug,
				answer)
		}
	}
}

func TestRepairedStreamWithALengthArrivesWhole(t *testing.T) {
	sent := firstChunk + `data: {"response":"","usage":{"neurons":1}}` + "\n\ndata: [DONE]\n\n"
	b := newBench(t, streams(func(w http.ResponseWriter, _ *http.Request, send func(string)) {
		w.Header().Set("Content-Length", fmt.Sprint(len(sent)))
		send(sent)
	}))
	res, answer, cut := b.stream(chatPath, streamChat)
	wantEqual(t, "cut", cut, false)
	wantEqual(t, "length", res.ContentLength, -1)
	wantHas(t, "answer", answer, `"choices":[],"usage":{"neurons":1}`)
	if want := "data: [DONE]\n\n"; !strings.HasSuffix(answer, want) {
		t.Errorf("got %q, want %q at its end", answer, want)
	}
	b.ended()
	if n := b.value("neuronward_requests_total", "result", "ok"); n != 1 {
		t.Errorf("ok: got %v, want 1\n%s", n, b.log)
	}
}

// A success may begin with white space, and come in any pieces.
func TestSlowBeginningsAreNoFailures(t *testing.T) {
	for name, c := range map[string]struct{ kind, first, rest string }{
		"white space":  {"application/json", "\n", `{"result":{"response":"x"},"success":true}`},
		"plain text":   {"text/plain", "Ai", "r is what we breathe"},
		"nothing much": {"", " ", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{c.kind}
				_, _ = io.WriteString(w, c.first)
				_ = http.NewResponseController(w).Flush()
				_, _ = io.WriteString(w, c.rest)
			}))
			if res, body := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`); res.StatusCode != 200 ||
				string(body) != c.first+c.rest {
				t.Errorf("got status %d, %q; want 200, %q", res.StatusCode, body, c.first+c.rest)
			}
		})
	}
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "AiErr")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "or: 3040: Capacity temporarily exceeded, please try again.")
	}))
	if res, body := b.do("POST", "/run/"+testModel, `{"prompt":"x"}`); res.StatusCode != 429 {
		t.Errorf("a failure in two pieces: got status %d, want 429: %q", res.StatusCode, body)
	}
}

// What comes after response.completed changes nothing, and half of that event is no end.
func TestTheLastEventOfAResponse(t *testing.T) {
	const failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\"," +
		"\"error\":{\"code\":\"server_error\",\"message\":\"boom\"}}}\n\n"
	half := "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":\"" +
		strings.Repeat("x", maxEventBuffer)
	for _, c := range []struct {
		name, sent string
		broken     bool   // the connection breaks, rather than ending in order
		result     string // of the call
	}{
		{"a failure behind it", responseEnd + failed, false, "ok"},
		{"a failure behind it, without a blank line", responseEnd + strings.TrimSpace(failed), false, "ok"},
		{"half of a large one, cut off", half, true, "stream_interrupted"},
		{"all of a large one but for the blank line", half + `"}}` + "\n", false, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
				send(firstChunk)
				send(c.sent)
				if c.broken {
					panic(http.ErrAbortHandler)
				}
			}))
			_, answer, cut := b.stream("/v1/responses", streamChat)
			wantEqual(t, "cut", cut, false)
			want, terminals := strings.Split(firstChunk+c.sent, failed[:22])[0], 0
			if c.result != "ok" {
				terminals = 1
			}
			if !strings.HasPrefix(answer, want) {
				t.Errorf("got %.300q, want %.300q at its beginning", answer, want)
			}
			wantEqual(t, "events response.failed", strings.Count(answer, "event: response.failed\n"), terminals)
			b.ended()
			if n := b.value("neuronward_requests_total", "result", c.result); n != 1 {
				t.Errorf("calls with the result %s: got %v, want 1\n%s", c.result, n, b.log)
			}
		})
	}
}

// A stream that ends by a failure costs what that reports.
func TestAFailedResponseTellsItsUsage(t *testing.T) {
	const usage = `"usage":{"input_tokens":1000,"output_tokens":4000,"total_tokens":5000,"neurons":144.42}`
	created := "event: response.created\ndata: " +
		`{"type":"response.created","response":{"id":"resp_1","usage":null},"sequence_number":0}` + "\n\n"
	failed := "event: response.failed\ndata: " + `{"type":"response.failed","response":{"id":"resp_1",` +
		`"status":"failed","error":{"code":"server_error","message":"boom"},` + usage + `},"sequence_number":1}`
	for name, sent := range map[string]string{
		"a large one": created + strings.Replace(failed, `"error"`, `"tools":"`+strings.Repeat("x", 2*maxEventBuffer)+
			`","error"`, 1) + "\n\n",
		"after another event":  created + failed + "\n\n",
		"without a blank line": created + failed,
		"alone":                failed + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(conf *Config) {
					conf.Transport = inMemory{streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
						send(sent)
					})}
				})
				g.post("/v1/responses", streamChat)
				if used, want := g.close().Account.Used, quota.FromFloat(144.42); used != want {
					t.Errorf("used %v, want %v\n%s", used, want, g.log)
				}
			})
		})
	}
}

// A response may hold tools and instructions of any size. Its failure is still one, and still its own.
func TestLargeResponsesFail(t *testing.T) {
	large := `"id":"resp_7","created_at":3,"error":%s,"tools":"` + strings.Repeat("x", 2*maxEventBuffer) + `",` +
		`"usage":{"input_tokens":1000,"output_tokens":4000,"total_tokens":5000,"neurons":144.42}}}` + "\n\n"
	created := fmt.Sprintf(`data: {"type":"response.created","sequence_number":0,"response":{`+large, "null")
	failed := "event: response.failed\n" +
		fmt.Sprintf(`data: {"type":"response.failed","sequence_number":1,"response":{`+large, `{"code":"server_error"}`)
	for name, c := range map[string]struct{ before, sent, id string }{
		"the failure is large": {firstChunk, failed, "resp_"},
		"both are large":       {created, failed, "resp_7"},
		"the first event is":   {created, event3040, "resp_7"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
				send(c.before)
				send(c.sent)
			}))
			_, answer, _ := b.stream("/v1/responses", streamChat)
			rest, ok := strings.CutPrefix(answer, c.before)
			if !ok || !strings.HasPrefix(rest, "event: response.failed\n") || len(rest) > maxEventBuffer {
				t.Fatalf("got %.300q, want our failure behind what came before it", rest)
			}
			wantEqual(t, "failures", strings.Count(answer, "event: response.failed\n"), 1)
			wantHas(t, "the failure", rest, `"id":"`+c.id)
			wantLacks(t, "the failure", rest, "stream_interrupted")
		})
	}
}
