package workersai_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// What a test wants to hear is said, in every protocol, and counted.
func TestSay(t *testing.T) {
	const want = "It rains; 100 % sure,\nin Århus."
	each(t, func(t *testing.T, d dialect, s *service, streams bool) {
		t.Helper()
		got := d.call(t, s, streams, d.body(false), "x-simulate", "say=It%20rains%3B 100 %25 sure,%0Ain%20%C3%85rhus.")
		if got.text != want || got.reasoning != "" || got.output != workersai.CountTokens(want) {
			t.Errorf("got text %q, reasoning %q, %d tokens, want %q, none, %d", got.text, got.reasoning, got.output,
				want, workersai.CountTokens(want))
		}
		// The tool comes first, then what is to be said.
		first := d.call(t, s, streams, d.body(false, d.tools), "x-simulate", "tool; say=noon")
		then := d.call(t, s, streams, d.body(true, d.tools), "x-simulate", "tool; say=noon")
		if namesOf(first.tools) != "weather" || then.text != "noon" {
			t.Errorf("got calls of %q, then text %q, want weather, noon", namesOf(first.tools), then.text)
		}
	})
}

func TestScriptsAreChecked(t *testing.T) {
	s := start(t, workersai.Options{})
	for header, says := range map[string]string{
		"say=%zz": "percent-encoded", "tool=0": "from 1 to 16", "tool=17": "from 1 to 16",
		"tool=a//b":    "names of tools",
		"latency=soon": "no duration", "latency=-1s": "no duration", "session=": "1 to 100 bytes",
		"session=" + strings.Repeat("x", 101): "1 to 100 bytes",
	} {
		refused(t, s.post("/run/"+older, prompted, "x-simulate", header), 400, 5006, says)
	}
}

func TestLatencyBeforeTheAnswer(t *testing.T) {
	for _, stream := range []string{"true", "false"} {
		synctest.Test(t, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/client/v4/accounts/a/ai/run/"+older,
				strings.NewReader(`{"prompt":"x","max_tokens":5,"stream":`+stream+`}`))
			r.Header.Set("x-simulate", "latency=3s; slow=1s")
			began := time.Now()
			workersai.New(workersai.Options{}).ServeHTTP(httptest.NewRecorder(), r)
			if took := time.Since(began); took != 8*time.Second {
				t.Errorf("stream %s: got %v, want 3 s and 1 s a token", stream, took)
			}
		})
	}
}

// Options.Answer sees the call and decides: a text, tools, a failure, or nothing.
func TestAnswer(t *testing.T) {
	var mu sync.Mutex
	var asked []workersai.Call
	answers := map[string]workersai.Answer{
		"text": {Text: "It rains."},
		"tools": {Tools: []workersai.ToolCall{
			{Name: "weather", Arguments: `{"city":"Oslo"}`}, {Name: "clock", Arguments: "{}"},
		}},
		"fail":  {Simulate: "3040"},
		"tool":  {Simulate: "tool=clock"},
		"wrong": {Simulate: "nonsense"},
	}
	for _, d := range dialects() {
		s := start(t, workersai.Options{Answer: func(c workersai.Call) workersai.Answer {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, c)
			for word, answer := range answers {
				if strings.Contains(c.Body, `"user":"`+word+`"`) {
					return answer
				}
			}
			return workersai.Answer{}
		}})
		body := func(word string) string { return d.body(false, d.tools, `"user":"`+word+`"`) }
		for _, streams := range []bool{false, true} {
			if got := d.call(t, s, streams, body("text")); got.text != "It rains." || got.output != 2 {
				t.Errorf("%s: got text %q, %d tokens, want %q, 2", d.name, got.text, got.output, "It rains.")
			}
			got := d.call(t, s, streams, body("tools"))
			if namesOf(got.tools) != "weather clock" || got.tools[0].Arguments != `{"city":"Oslo"}` {
				t.Errorf("%s: got calls %+v, want those of the answer", d.name, got.tools)
			}
			if got := d.call(t, s, streams, body("tool")); namesOf(got.tools) != "clock" {
				t.Errorf("%s: got calls of %q, want clock", d.name, namesOf(got.tools))
			}
			if got := d.call(t, s, streams, body("nothing")); !strings.Contains(got.text, "simulated Workers AI") {
				t.Errorf("%s: got text %q, want the usual", d.name, got.text)
			}
			if got := d.call(t, s, streams, body("fail"), "x-simulate", "say=hey"); got.text != "hey" {
				t.Errorf("%s: got text %q, want what the caller's own header says", d.name, got.text)
			}
		}
		if a := s.post(d.path, body("fail")); a.status != 429 || !strings.Contains(a.body, "Capacity temporarily") {
			t.Errorf("%s: got %d %s, want 429, no capacity", d.name, a.status, a.body)
		}
		if a := s.post(d.path, body("wrong")); a.status != 400 || !strings.Contains(a.body, "Options.Answer") {
			t.Errorf("%s: got %d %s, want 400, %q", d.name, a.status, a.body, "Options.Answer")
		}
		c := asked[len(asked)-1]
		if c.Model != d.model || c.Task != "text-generation" || !strings.HasSuffix(c.Path, d.path) {
			t.Errorf("%s: asked about %+v, want its model, task and path", d.name, c)
		}
	}
}

// A day that is spent begins anew when a call says so, and the account's own figure with it.
func TestResetDay(t *testing.T) {
	s := start(t, workersai.Options{DailyNeurons: 1, Now: time.Now})
	const spends = "tokens=100"
	var once float64
	for i, header := range []string{spends, spends, "reset-day; " + spends, spends} {
		a := s.post("/run/"+older, prompted, "x-simulate", header)
		if want := []int{200, 429, 200, 429}[i]; a.status != want {
			t.Errorf("call %d, %s: got %d, want %d: %s", i, header, a.status, want, a.body)
		}
		figure := figureOf(t, s)
		if once == 0 {
			once = figure
		}
		if figure != once || once == 0 {
			t.Errorf("call %d, %s: got %v neurons by the account's own figure, want %v, as of the first call", i,
				header, figure, once)
		}
	}
}
