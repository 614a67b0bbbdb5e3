package workersai_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// A session has a day, limits and counts of times= of its own, and nobody else's calls in its log.
func TestSessionsAreAlone(t *testing.T) {
	s := start(t, workersai.Options{DailyNeurons: 1, PerMinute: map[string]int{older: 3}})
	post := func(header string) int { return s.post("/run/"+older, prompted, "x-simulate", header).status }
	for _, c := range []struct {
		header string
		want   int
	}{
		{"session=a; 3040; times=1", 429},
		{"session=b; 3040; times=1", 429}, // counted apart from a's, though it is the same but for the name
		{"session=a; 3040; times=1", 200},
		{"session=a; tokens=100", 200},
		{"session=a", 429}, // the day is spent
		{"session=b; tokens=100", 200},
		{"tokens=100", 200},
		{"", 429},
		{"session=a; reset-day", 429}, // its fourth call of this minute: the limit is another one
		{"session=b", 429},
		{"session=b; reset-day", 200},
	} {
		if got := post(c.header); got != c.want {
			t.Errorf("%q: got %d, want %d", c.header, got, c.want)
		}
	}
	codes := func(name string) string {
		var all []string
		for _, c := range s.SessionCalls(name) {
			all = append(all, fmt.Sprintf("%d %t", c.Code, c.Output > 0))
			if c.Session != name || c.Model != older || c.Body != prompted {
				t.Errorf("%s: got %+v, want its name, model and body", name, c)
			}
		}
		return strings.Join(all, ", ")
	}
	if got, want := codes("a"), "3040 false, 0 true, 0 true, 4006 false, 3021 false"; got != want {
		t.Errorf("a: got %s, want %s", got, want)
	}
	if got, want := codes("b"), "3040 false, 0 true, 4006 false, 0 true"; got != want {
		t.Errorf("b: got %s, want %s", got, want)
	}
	if got := s.SessionCalls("nobody"); got != nil {
		t.Errorf("nobody: got %+v, want nothing", got)
	}
}

// However a call ends, it is in the log when its answer has been read.
func TestCallsOfASession(t *testing.T) {
	s := start(t, workersai.Options{Token: "secret"})
	type call struct {
		Model, Path  string
		Stream       bool
		Code         int
		OutputTokens int64 `json:"output_tokens"`
		Neurons      float64
		Body         json.RawMessage
	}
	type list struct {
		Session string
		Calls   []call
	}
	for i, c := range []struct {
		header, body string
		code         int
		output       int64
	}{
		{"tokens=7", prompted, 0, 7},
		{"tokens=7", streamed, 0, 7},
		{"midstream=3040; after=2; tokens=7", streamed, 3040, 2},
		{"midstream=cut; after=2; tokens=7", streamed, 0, 3},
		{"4006", prompted, 4006, 0},
		{"empty", prompted, 0, 0},
		{"reset", prompted, 0, 0},
	} {
		s.post("/run/"+older, c.body, "x-simulate", c.header+"; session=my test", "authorization", "Bearer secret")
		a := s.do("GET", s.root+workersai.CallsPath+"?session=my+test", "")
		v := decode[list](t, a)
		if v.Session != "my test" || len(v.Calls) != i+1 {
			t.Fatalf("%s: got %d calls of %q, want %d of %q", c.header, len(v.Calls), v.Session, i+1, "my test")
		}
		got := v.Calls[i]
		if got.Code != c.code || got.OutputTokens != c.output && c.code == 0 || got.Model != older {
			t.Errorf("%s: got %+v, want code %d, %d output tokens of %s", c.header, got, c.code, c.output, older)
		}
		if string(got.Body) != c.body || got.Stream != (c.body == streamed && c.code != 4006) {
			t.Errorf("%s: got body %s, stream %t, want %s", c.header, got.Body, got.Stream, c.body)
		}
	}
	long := `{"prompt":"` + strings.Repeat("x", 20_000) + `"}`
	s.post("/run/"+older, long, "x-simulate", "session=long", "authorization", "Bearer secret")
	v := decode[list](t, s.do("GET", s.root+workersai.CallsPath+"?session=long", ""))
	if body := read[string](t, string(v.Calls[0].Body)); len(body) > 9000 || !strings.HasPrefix(long, body[:8000]) {
		t.Errorf("got %d bytes of a long body, want its beginning", len(body))
	}
	if a := s.do("GET", s.root+workersai.CallsPath, ""); a.status != 400 {
		t.Errorf("without a session: got %d, want 400", a.status)
	}
}

// A call that hangs is in the log as long as it does.
func TestAHangingCallIsLogged(t *testing.T) {
	closing := make(chan struct{})
	s := start(t, workersai.Options{Closing: closing})
	ended := make(chan answer)
	go func() { ended <- s.post("/run/"+older, prompted, "x-simulate", "hang; session=h") }()
	for len(s.SessionCalls("h")) == 0 {
		runtime.Gosched()
	}
	close(closing)
	if a := <-ended; a.err == nil {
		t.Errorf("got a whole answer %+v, want one cut off", a)
	}
}

// What is remembered is bounded.
func TestSessionsAreForgotten(t *testing.T) {
	s := start(t, workersai.Options{})
	post := func(name string) {
		t.Helper()
		if a := s.post("/run/"+older, prompted, "x-simulate", "tokens=1; session="+name); a.status != 200 {
			t.Fatalf("got %d, want 200", a.status)
		}
	}
	for range 205 {
		post("first")
	}
	if got := len(s.SessionCalls("first")); got != 200 {
		t.Errorf("got %d calls, want the last 200", got)
	}
	for i := range 63 {
		post(fmt.Sprint(i))
	}
	post("first") // and so it is not the one used longest ago
	post("another")
	for name, want := range map[string]bool{"first": true, "0": false, "1": true, "another": true} {
		if got := s.SessionCalls(name) != nil; got != want {
			t.Errorf("%s: remembered %t, want %t", name, got, want)
		}
	}
}
