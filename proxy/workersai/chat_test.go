package workersai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

const hello = `[{"role":"system","content":"Be brief."},{"role":"user","content":"What is a neuron?"}]`

type completion struct {
	ID, Object, Model string
	Choices           []struct {
		Message struct {
			Role      string
			Content   *string
			ToolCalls []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Finish string `json:"finish_reason"`
	}
	Usage usage
}

func TestChat(t *testing.T) {
	var calls record
	s := start(t, workersai.Options{OnCall: calls.add})
	a := s.post("/v1/chat/completions", `{"model":"`+older+`","messages":`+hello+`}`)
	v := decode[completion](t, a)
	text := *v.Choices[0].Message.Content
	if !strings.Contains(text, "simulated Workers AI") || !strings.Contains(text, "What is a neuron?") {
		t.Errorf("text: got %q, want %q and %q in it", text, "simulated Workers AI", "What is a neuron?")
	}
	out := workersai.CountTokens(text)
	price, _ := price.Embedded().Row(older)
	cost := price.Tokens(6, 0, out)
	want := usage{Prompt: 6, Completion: out, Total: 6 + out, Neurons: cost.Float()}
	if v.Object != "chat.completion" || v.Model != older {
		t.Errorf("got object %q, model %q, want %q, %q", v.Object, v.Model, "chat.completion", older)
	}
	if role, finish := v.Choices[0].Message.Role, v.Choices[0].Finish; role != "assistant" || finish != "stop" {
		t.Errorf("got role %q, finish %q, want %q, %q", role, finish, "assistant", "stop")
	}
	if v.Usage != want {
		t.Errorf("got usage %+v, want %+v", v.Usage, want)
	}
	if got := a.header.Get("cf-ai-neurons"); got != cost.String() {
		t.Errorf("got cf-ai-neurons %q, want %q", got, cost.String())
	}
	if ray, id := a.header.Get("cf-ray"), a.header.Get("cf-ai-req-id"); ray == "" || len(id) != 36 {
		t.Errorf("got cf-ray %q, cf-ai-req-id %q, want some ray, 36 characters", ray, id)
	}
	call := workersai.Call{
		Model: older, Task: workload.TextGeneration,
		Path: "/client/v4/accounts/acct/ai/v1/chat/completions", Input: 6, Output: out, Neurons: cost,
	}
	if got := calls.all(); len(got) != 1 || got[0] != call {
		t.Errorf("calls: got %+v, want only %+v", got, call)
	}
	s.wantCounts(1, 1, cost)
}

// A byte order mark before the JSON changes nothing: a caller can hide nothing behind it.
func TestByteOrderMark(t *testing.T) {
	body := `{"model":"` + older + `","messages":` + hello + `}`
	want := decode[completion](t, start(t, workersai.Options{}).post("/v1/chat/completions", body))
	got := decode[completion](t, start(t, workersai.Options{}).post("/v1/chat/completions", "\ufeff \n"+body))
	if got.Usage != want.Usage {
		t.Errorf("usage after a byte order mark = %+v, want %+v", got.Usage, want.Usage)
	}
}

func TestAnswersAreDeterministic(t *testing.T) {
	body := `{"model":"` + newer + `","messages":` + hello + `}`
	first := start(t, workersai.Options{}).post("/v1/chat/completions", body).body
	if again := start(t, workersai.Options{}).post("/v1/chat/completions", body).body; again != first {
		t.Errorf("the same request again: got\n%s\nwant\n%s", again, first)
	}
	if other := start(t, workersai.Options{Seed: 7}).post("/v1/chat/completions", body).body; other == first {
		t.Errorf("another seed: got the same answer, want another than\n%s", first)
	}
}

func TestMaxTokens(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, field := range []string{"max_tokens", "max_completion_tokens"} {
		v := decode[completion](t, s.post("/v1/chat/completions",
			`{"model":"`+older+`","`+field+`":3,"messages":`+hello+`}`))
		text, finish := *v.Choices[0].Message.Content, v.Choices[0].Finish
		if text != "This is simulated" || finish != "length" {
			t.Errorf("%s: got text %q, finish %q, want %q, %q", field, text, finish, "This is simulated", "length")
		}
		if got := v.Usage.Completion; got != 3 {
			t.Errorf("%s: got %d tokens, want 3", field, got)
		}
	}
	exact := decode[completion](t, s.post("/v1/chat/completions",
		`{"model":"`+older+`","max_tokens":200,"messages":`+hello+`}`, "x-simulate", "tokens=200"))
	if exact.Usage.Completion != 200 || exact.Choices[0].Finish != "stop" {
		t.Errorf("tokens=200: got %d tokens, finish %q, want 200, %q", exact.Usage.Completion,
			exact.Choices[0].Finish, "stop")
	}
	cut := decode[completion](t, s.post("/v1/chat/completions",
		`{"model":"`+older+`","max_tokens":199,"messages":`+hello+`}`, "x-simulate", "tokens=200"))
	if cut.Usage.Completion != 199 || cut.Choices[0].Finish != "length" {
		t.Errorf("tokens=200 with max_tokens=199: got %d tokens, finish %q, want 199, %q", cut.Usage.Completion,
			cut.Choices[0].Finish, "length")
	}
}

func TestCachedTokensOfASession(t *testing.T) {
	s := start(t, workersai.Options{})
	body := `{"model":"` + cached + `","max_tokens":2,"messages":` + hello + `}`
	if v := decode[completion](t, s.post("/v1/chat/completions", body)); v.Usage.Details.Cached != 0 ||
		v.Usage.Neurons != 6*0.013636+2*0.045455 {
		t.Errorf("without a session: got %d cached, %v neurons, want 0, %v", v.Usage.Details.Cached,
			v.Usage.Neurons, 6*0.013636+2*0.045455)
	}
	v := decode[completion](t, s.post("/v1/chat/completions", body, "x-session-affinity", "one"))
	price, _ := price.Embedded().Row(cached)
	if v.Usage.Details.Cached != 2 || v.Usage.Neurons != price.Tokens(6, 2, 2).Float() {
		t.Errorf("with a session: got %d cached, %v neurons, want 2, %v", v.Usage.Details.Cached,
			v.Usage.Neurons, price.Tokens(6, 2, 2).Float())
	}
}

func TestNativeShapes(t *testing.T) {
	s := start(t, workersai.Options{})
	type result struct {
		Response *string
		Choices  []struct{ Message struct{ Content string } }
		Usage    usage
	}
	for _, body := range []string{
		`{"prompt":"What is a neuron?"}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"What is a neuron?"}]}]}`,
	} {
		old := decode[v4[result]](t, s.post("/run/"+older, body)).Result
		if old.Response == nil {
			t.Errorf("older, %s: got no response, want one with %q", body, "What is a neuron?")
		} else if !strings.Contains(*old.Response, "What is a neuron?") {
			t.Errorf("older, %s: got response %q, want %q in it", body, *old.Response, "What is a neuron?")
		}
		if old.Choices != nil || old.Usage.Prompt != 4 {
			t.Errorf("older, %s: got choices %+v, %d prompt tokens, want none, 4", body, old.Choices, old.Usage.Prompt)
		}
		young := decode[v4[result]](t, s.post("/run/"+newer, body)).Result
		if young.Response != nil || young.Usage.Prompt != 4 {
			t.Errorf("newer, %s: got response %t, %d prompt tokens, want false, 4", body, young.Response != nil,
				young.Usage.Prompt)
		}
		if c := young.Choices; len(c) != 1 || !strings.Contains(c[0].Message.Content, "What is a neuron?") {
			t.Errorf("newer, %s: got choices %+v, want one with %q", body, c, "What is a neuron?")
		}
	}
}

func TestModelNames(t *testing.T) {
	var calls record
	s := start(t, workersai.Options{OnCall: calls.add})
	for _, c := range []struct{ path, body string }{
		{"/run/" + older, `{"prompt":"x"}`},
		{"/run/" + strings.ReplaceAll(older, "/", "%2F"), `{"prompt":"x"}`},
		{"/run/%40cf%2fmeta/llama-3.1-8b-instruct-fp8", `{"prompt":"x"}`},
		{"/run", `{"model":"` + older + `","input":{"prompt":"x"}}`},
		{"/v1/responses", `{"model":"` + older + `","input":"x"}`},
		{"/v1/messages", `{"model":"` + older + `","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`},
	} {
		if a := s.post(c.path, c.body); a.status != 200 {
			t.Errorf("%s: got %d %s, want 200", c.path, a.status, a.body)
		}
	}
	for _, c := range []struct{ path, body string }{
		{"/v1/acct/gw/workers-ai/" + older, `{"prompt":"x"}`},
		{"/v1/acct/gw/workers-ai/" + strings.ReplaceAll(older, "/", "%2F"), `{"prompt":"x"}`},
		{"/v1/acct/gw/workers-ai/v1/chat/completions", `{"model":"` + older + `","messages":` + hello + `}`},
		{"/v1/acct/gw/compat/chat/completions", `{"model":"workers-ai/` + older + `","messages":` + hello + `}`},
	} {
		if a := s.do("POST", s.root+c.path, c.body); a.status != 200 {
			t.Errorf("%s: got %d %s, want 200", c.path, a.status, a.body)
		}
	}
	if got := calls.all(); len(got) != 10 {
		t.Fatalf("calls: got %d, want 10", len(got))
	}
	for i, c := range calls.all() {
		if c.Model != older {
			t.Errorf("call %d: got model %s, want %s", i, c.Model, older)
		}
	}
}

func TestForcedTool(t *testing.T) {
	s := start(t, workersai.Options{})
	tools := `"tools":[{"type":"function","function":{"name":"weather","parameters":{}}}]`
	for _, choice := range []string{`"required"`, `{"type":"function","function":{"name":"weather"}}`} {
		v := decode[completion](t, s.post("/v1/chat/completions",
			`{"model":"`+newer+`","messages":`+hello+`,`+tools+`,"tool_choice":`+choice+`}`))
		m := v.Choices[0].Message
		if finish := v.Choices[0].Finish; m.Content != nil || finish != "tool_calls" {
			t.Errorf("%s: got content %t, finish %q, want false, %q", choice, m.Content != nil, finish, "tool_calls")
		}
		if len(m.ToolCalls) != 1 {
			t.Fatalf("%s: got calls %+v, want one", choice, m.ToolCalls)
		}
		if f := m.ToolCalls[0].Function; f.Name != "weather" || f.Arguments != "{}" {
			t.Errorf("%s: got a call of %q with %s, want of %q with {}", choice, f.Name, f.Arguments, "weather")
		}
	}
	v := decode[completion](t, s.post("/v1/chat/completions", `{"model":"`+newer+`","messages":`+hello+`,`+tools+`}`))
	if v.Choices[0].Message.Content == nil || v.Choices[0].Finish != "stop" {
		t.Errorf("nothing forced: got content %t, finish %q, want true, %q", v.Choices[0].Message.Content != nil,
			v.Choices[0].Finish, "stop")
	}
	native := s.post("/run/"+older, `{"prompt":"x",`+tools+`,"tool_choice":"required"}`)
	if !strings.Contains(native.body, `"response":null,"tool_calls":[{"name":"weather","arguments":{}}]`) {
		t.Errorf("native: got %s, want %s in it", native.body,
			`"response":null,"tool_calls":[{"name":"weather","arguments":{}}]`)
	}
	anthropic := s.post("/v1/messages", `{"model":"`+newer+`","max_tokens":9,"messages":[{"role":"user",`+
		`"content":"x"}],"tools":[{"name":"weather","input_schema":{}}],"tool_choice":{"type":"any"}}`)
	if !strings.Contains(anthropic.body, `"name":"weather","input":{}}],"stop_reason":"tool_use"`) {
		t.Errorf("messages: got %s, want %s in it", anthropic.body,
			`"name":"weather","input":{}}],"stop_reason":"tool_use"`)
	}
}

func TestStructuredOutput(t *testing.T) {
	s := start(t, workersai.Options{})
	format := `"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}`
	v := decode[completion](t, s.post("/v1/chat/completions", `{"model":"`+newer+`","messages":`+hello+`,`+format+`}`))
	var object struct{ Simulated bool }
	if err := json.Unmarshal([]byte(*v.Choices[0].Message.Content), &object); err != nil || !object.Simulated {
		t.Errorf("got %s, error %v, want an object with simulated true, no error",
			*v.Choices[0].Message.Content, err)
	}
	native := decode[v4[struct{ Response struct{ Simulated bool } }]](t,
		s.post("/run/"+older, `{"prompt":"x",`+format+`}`))
	if !native.Result.Response.Simulated {
		t.Errorf("native: got response %+v, want an object with simulated true", native.Result.Response)
	}
	refused(t, s.post("/run/"+older, `{"prompt":"x","stream":true,`+format+`}`), 400, 5023, "stream")
}

func TestMessagesAndResponses(t *testing.T) {
	s := start(t, workersai.Options{})
	a := s.post("/v1/messages", `{"model":"`+older+`","max_tokens":2,"system":"Be `+
		`brief.","messages":[{"role":"user","content":"What is a neuron?"}]}`)
	want := `"type":"message","role":"assistant","model":"` + older +
		`","content":[{"type":"text","text":"This is"}],"stop_reason":"max_tokens","stop_sequence":null,` +
		`"usage":{"input_tokens":6,"cache_read_input_tokens":0,"output_tokens":2,"neurons":0.134924}}`
	if !strings.HasSuffix(a.body, want) || a.header.Get("cf-ai-neurons") != "0.13" {
		t.Errorf("got cf-ai-neurons %q and\n%s\nwant %q and at the end\n%s", a.header.Get("cf-ai-neurons"), a.body,
			"0.13", want)
	}
	a = s.post("/v1/responses", `{"model":"`+older+`","max_output_tokens":2,"instructions":"Be `+
		`brief.","input":[{"role":"user","content":[{"type":"input_text","text":"What is a `+
		`neuron?"}]},{"type":"reasoning"}]}`)
	for _, want := range []string{
		`"object":"response"`, `"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"}`,
		`"content":[{"type":"output_text","text":"This is","annotations":[]}]`,
		`"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0}`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("got %s\nwant %s in it", a.body, want)
		}
	}
}
