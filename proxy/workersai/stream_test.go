package workersai_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// The ids and paddings of a stream, which say nothing.
var (
	paddings = regexp.MustCompile(`"p":"[a-z0-9]+"`)
	ids      = regexp.MustCompile(`(chatcmpl|msg|resp|fc)[-_][0-9a-f]{24}`)
	uuids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

func plain(body string) string {
	body = paddings.ReplaceAllString(body, `"p":"PAD"`)
	body = ids.ReplaceAllString(body, `${1}_ID`)
	return uuids.ReplaceAllString(body, "UUID")
}

func lines(list ...string) string { return strings.Join(list, "\n\n") + "\n\n" }

func TestStreamShapes(t *testing.T) {
	const (
		none  = `"prompt_tokens_details":{"cached_tokens":0},"neurons":0}`
		chunk = `data: {"id":"chatcmpl_ID","object":"chat.completion.chunk","created":1795348800,"model":"`
		total = `"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,` +
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.07945}`
		one = `"usage":{"prompt_tokens":0,"completion_tokens":1,"total_tokens":1,` +
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.030475},"p":"PAD"}`
		nothing = `"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,` + none
	)
	openAI := lines(
		chunk+newer+`","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],`+
			`"usage":{"prompt_tokens":4,"completion_tokens":0,"total_tokens":4,`+
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.0185},"p":"PAD"}`,
		chunk+newer+`","choices":[{"index":0,"delta":{"content":"This"},"finish_reason":null}],`+one,
		chunk+newer+`","choices":[{"index":0,"delta":{"content":" is"},"finish_reason":null}],`+one,
		chunk+newer+`","choices":[{"index":0,"delta":{},"finish_reason":"length"}],`+nothing+`,"p":"PAD"}`,
		chunk+newer+`","choices":[],`+nothing+`}`,
		`data: {"response":"",`+total+`}`,
		`data: [DONE]`,
	)
	for _, c := range []struct{ name, path, body, want string }{
		{"older model, native", "/run/" + older, `{"prompt":"What is a neuron?","max_tokens":2,"stream":true}`, lines(
			`data: {"response":"This","p":"PAD"}`,
			`data: {"response":" is","p":"PAD"}`,
			`data: {"response":"","usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,`+
				`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.107368}}`,
			`data: [DONE]`,
		)},
		{"newer model, native", "/run/" + newer, `{"prompt":"What is a neuron?","max_tokens":2,"stream":true}`, openAI},
		{
			"newer model, chat", "/v1/chat/completions",
			`{"model":"` + newer + `","messages":[{"role":"user","content":"What is a ` +
				`neuron?"}],"max_tokens":2,"stream":true}`, openAI,
		},
		{
			"older model, chat", "/v1/chat/completions",
			`{"model":"` + older + `","messages":[{"role":"user","content":"What is a ` +
				`neuron?"}],"max_tokens":2,"stream":true}`, lines(
				chunk+older+`","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
				chunk+older+`","choices":[{"index":0,"delta":{"content":"This"},"finish_reason":null}]}`,
				chunk+older+`","choices":[{"index":0,"delta":{"content":" is"},"finish_reason":null}]}`,
				chunk+older+`","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`,
				chunk+older+`","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,`+
					`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.107368}}`,
				`data: [DONE]`,
			),
		},
		{"messages", "/v1/messages", `{"model":"` + newer +
			`","messages":[{"role":"user","content":"What is a neuron?"}],"max_tokens":2,"stream":true}`, lines(
			"event: message_start\n"+`data: {"type":"message_start","message":{"id":"msg_ID","type":"message",`+
				`"role":"assistant","model":"`+newer+`","content":[],"stop_reason":null,"stop_sequence":null,`+
				`"usage":{"input_tokens":4,"cache_read_input_tokens":0,"output_tokens":0,"neurons":0.0185}}}`,
			"event: content_block_start\n"+`data: {"type":"content_block_start","index":0,`+
				`"content_block":{"type":"text","text":""}}`,
			"event: ping\n"+`data: {"type":"ping"}`,
			"event: content_block_delta\n"+`data: {"type":"content_block_delta","index":0,`+
				`"delta":{"type":"text_delta","text":"This"}}`,
			"event: content_block_delta\n"+`data: {"type":"content_block_delta","index":0,`+
				`"delta":{"type":"text_delta","text":" is"}}`,
			"event: content_block_stop\n"+`data: {"type":"content_block_stop","index":0}`,
			"event: message_delta\n"+`data: {"type":"message_delta","delta":{"stop_reason":"max_tokens",`+
				`"stop_sequence":null},"usage":{"input_tokens":4,"cache_read_input_tokens":0,"output_tokens":2,`+
				`"neurons":0.07945}}`,
			"event: message_stop\n"+`data: {"type":"message_stop"}`,
		)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, workersai.Options{})
			a := s.post(c.path, c.body)
			if got := plain(a.body); got != c.want || a.err != nil {
				t.Errorf("got error %v and\n%s\nwant no error and\n%s", a.err, got, c.want)
			}
			wantHead(t, a, 200, "text/event-stream")
			wantCharge(t, a, "")
			if s.Calls() != 1 || s.Billed() == 0 {
				t.Errorf("got %d calls, %v billed, want 1, more than 0", s.Calls(), s.Billed())
			}
		})
	}
}

func TestResponsesStream(t *testing.T) {
	s := start(t, workersai.Options{})
	a := s.post("/v1/responses", `{"model":"`+older+`","input":"What is a neuron?","stream":true}`)
	var names []string
	var deltas strings.Builder
	var last struct {
		Sequence int `json:"sequence_number"`
		Response struct {
			Status string
			Output []struct{ Content []struct{ Text string } }
			Usage  struct {
				Input   int64 `json:"input_tokens"`
				Output  int64 `json:"output_tokens"`
				Neurons float64
			}
		}
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(a.body, "\n\n"), "\n\n") {
		name, data, _ := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
		var e struct{ Type, Delta string }
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Type != name {
			t.Fatalf("got type %q, error %v, want %q, no error: %s", e.Type, err, name, event)
		}
		deltas.WriteString(e.Delta)
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			t.Fatal(err)
		}
	}
	want := "response.created response.in_progress response.output_item.added response.content_part.added " +
		"response.output_text.delta " +
		"response.output_text.done response.content_part.done response.output_item.done response.completed"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("events: got %s\nwant %s", got, want)
	}
	v := last.Response
	if text := v.Output[0].Content[0].Text; v.Status != "completed" || text != deltas.String() {
		t.Errorf("the last event: got status %q, text %q, want %q, %q", v.Status, text, "completed", deltas.String())
	}
	tokens, neurons := workersai.CountTokens(deltas.String()), s.Billed().Float()
	if v.Usage.Output != tokens || v.Usage.Neurons != neurons {
		t.Errorf("the last event: got usage %+v, want %d output tokens, %v neurons", v.Usage, tokens, neurons)
	}
	if events := strings.Count(a.body, "\n\n"); last.Sequence != events-1 {
		t.Errorf("number of the last event: got %d, want %d", last.Sequence, events-1)
	}
}

// The increments of a newer model's stream and its last event say the same.
func TestIncrementsSumToTheWhole(t *testing.T) {
	s := start(t, workersai.Options{Plan: workersai.PlanPaid})
	a := s.post("/v1/chat/completions", `{"model":"`+cached+`","messages":`+hello+`,"stream":true}`,
		"x-session-affinity", "a")
	var sum quota.Neurons
	var tokens, cachedTokens int64
	var whole usage
	for event := range strings.SplitSeq(a.body, "\n\n") {
		var e struct {
			Response *string
			Usage    usage
		}
		data, _ := strings.CutPrefix(event, "data: ")
		if data == "[DONE]" || data == "" {
			continue
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Response != nil {
			whole = e.Usage
			continue
		}
		sum += quota.FromFloat(e.Usage.Neurons)
		tokens += e.Usage.Total
		cachedTokens += e.Usage.Details.Cached
	}
	if sum != s.Billed() {
		t.Errorf("increments: got %v, want the %v billed", sum, s.Billed())
	}
	if neurons := quota.FromFloat(whole.Neurons); neurons != sum || whole.Total != tokens {
		t.Errorf("whole: got %v, %d tokens, want %v, %d", neurons, whole.Total, sum, tokens)
	}
	if got := whole.Details.Cached; got != cachedTokens || got == 0 {
		t.Errorf("whole: got %d cached tokens, want %d, and not 0", got, cachedTokens)
	}
}

func TestLatencyIsThatOfEachToken(t *testing.T) {
	for _, c := range []struct{ name, stream, header string }{
		{"a stream", "true", ""},
		{"no stream", "false", ""},
		{"slow", "true", "slow=30ms; tokens=11"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := workersai.Options{Latency: 10 * time.Millisecond}
			sim := workersai.New(o)
			body := `{"prompt":"x","max_tokens":11,"stream":` + c.stream + `}`
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/client/v4/accounts/a/ai/run/"+older,
				strings.NewReader(body))
			want := 110 * time.Millisecond
			if c.header != "" {
				r.Header.Set("x-simulate", c.header)
				want = 440 * time.Millisecond
			}
			began := time.Now()
			sim.ServeHTTP(httptest.NewRecorder(), r)
			if took := time.Since(began); took != want {
				t.Errorf("%s: got %v, want %v", c.name, took, want)
			}
		})
	}
}

// A caller who leaves ends the stream at once. He pays for what was made, or for
// half or all of what would have been.
func TestCallerLeaves(t *testing.T) {
	for _, path := range []string{
		"run/" + older, "run/" + newer, "v1/chat/completions", "v1/messages",
		"v1/responses",
	} {
		for _, way := range []workersai.Cancelled{
			workersai.CancelledAsMade, workersai.CancelledHalf, workersai.CancelledWhole,
		} {
			synctest.Test(t, func(t *testing.T) {
				var call workersai.Call
				sim := workersai.New(workersai.Options{
					Latency: time.Second, Billing: workersai.Billing{Cancelled: way},
					OnCall: func(c workersai.Call) { call = c },
				})
				body := `{"model":"` + older + `","messages":[{"role":"user","content":"x"}],"input":"x","stream":true}`
				leaves := func(after time.Duration) (events int) {
					ctx, cancel := context.WithTimeout(t.Context(), after)
					defer cancel()
					r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/client/v4/accounts/a/ai/"+path,
						strings.NewReader(body))
					w := httptest.NewRecorder()
					began := time.Now()
					sim.ServeHTTP(w, r)
					if took := time.Since(began); took > after {
						t.Errorf("%s: it went on: got %v, want at most %v", path, took, after)
					}
					return strings.Count(w.Body.String(), "data: ")
				}
				leaves(time.Hour)
				whole, billed := call, sim.Billed()
				events := leaves(9500 * time.Millisecond)
				if whole.Aborted || !call.Aborted {
					t.Errorf("%s: aborted: got %t, then %t, want false, then true", path, whole.Aborted, call.Aborted)
				}
				if got := sim.Billed() - billed; got != call.Neurons {
					t.Errorf("%s: got %v billed for the second, want %v", path, got, call.Neurons)
				}
				if events != 10 || call.Output < 5 {
					t.Errorf("%s: got %d events, %d output tokens, want 10, at least 5", path, events, call.Output)
				}
				all := way == workersai.CancelledWhole
				if all != (call.Output == whole.Output) {
					t.Errorf("%s, %s: got %d output tokens, want as the whole %t: %d", path, way, call.Output, all,
						whole.Output)
				}
				if all != (call.Neurons == whole.Neurons) {
					t.Errorf("%s, %s: got %v neurons, want as the whole %t: %v", path, way, call.Neurons, all,
						whole.Neurons)
				}
				if half := whole.Output / 2; way == workersai.CancelledHalf && call.Output != half {
					t.Errorf("%s: got %d output tokens, want half: %d", path, call.Output, half)
				}
			})
		}
	}
}

// An event reaches the caller before the next one is made.
func TestEventsAreNotHeldBack(t *testing.T) {
	s := start(t, workersai.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ai+"/run/"+older,
		strings.NewReader(`{"prompt":"x","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-simulate", "slow=24h") // the second event comes tomorrow
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || plain(line) != `data: {"response":"This","p":"PAD"}`+"\n" {
		t.Errorf("got %q, error %v, want %q, no error", line, err, `data: {"response":"This","p":"PAD"}`+"\n")
	}
}
