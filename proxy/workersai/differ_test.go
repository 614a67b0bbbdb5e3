package workersai_test

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// Each difference changes what it names, which no answer has without it.
func TestDifferences(t *testing.T) {
	const (
		rest   = `"model":"` + newer + `","max_tokens":4,"messages":[{"role":"user","content":"Hi"}]}`
		chat   = `{` + rest
		stream = `{"stream":true,` + rest
	)
	lacks := func(name string) func(answer) bool {
		return func(a answer) bool { return a.header.Get(name) == "" }
	}
	says := func(name, value string) func(answer) bool {
		return func(a answer) bool { return a.header.Get(name) == value }
	}
	holds := func(text string) func(answer) bool {
		return func(a answer) bool { return strings.Contains(a.body, text) }
	}
	for _, c := range []struct {
		differ, body, also string
		changed            func(answer) bool
	}{
		{"ray", chat, "", lacks("cf-ray")},
		{"id", chat, "", lacks("cf-ai-req-id")},
		{"id", stream, "", lacks("cf-ai-req-id")},
		{"encoding", chat, "", says("Content-Encoding", "br")},
		{"billed", chat, "3040", says("cf-ai-neurons", "1.00")},
		{"header", chat, "", says("cf-ai-neurons", "1.13")},
		{"header", stream, "", says("cf-ai-neurons", "1.13")},
		{"neurons", chat, "", func(a answer) bool { return !strings.Contains(a.body, `"neurons"`) }},
		{"neurons", stream, "", func(a answer) bool { return !strings.Contains(a.body, `"neurons"`) }},
		{"prompt", chat, "", holds(`"prompt_tokens":501`)},
		{"limit", chat, "tokens=9", holds(`"completion_tokens":9`)},
		{"sum", stream, "", holds(`"completion_tokens":2,"total_tokens":2,`)},
		{"order", stream, "", func(a answer) bool { return strings.Count(a.body, "data: [DONE]") == 2 }},
	} {
		s := start(t, workersai.Options{})
		usual := s.post("/v1/chat/completions", c.body, "x-simulate", c.also)
		if c.changed(usual) {
			t.Errorf("%s: got it without differ=: %v %s", c.differ, usual.header, usual.body)
		}
		a := s.post("/v1/chat/completions", c.body, "x-simulate", "differ="+c.differ+"; "+c.also)
		if a.err != nil || !c.changed(a) {
			t.Errorf("%s: got %v, %v %s, want it changed", c.differ, a.err, a.header, a.body)
		}
	}
	s := start(t, workersai.Options{})
	a := s.post("/v1/chat/completions", chat, "x-simulate", "differ=ray, id")
	if !lacks("cf-ray")(a) || !lacks("cf-ai-req-id")(a) {
		t.Errorf("two of them: got %v, want neither id", a.header)
	}
	a = s.post("/v1/chat/completions", chat, "x-simulate", "differ=colour")
	refused(t, a, 400, 5006, "differ=colour is none of")
}
