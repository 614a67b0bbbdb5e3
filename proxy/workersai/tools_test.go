package workersai_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/neuronward/neuronward/proxy/workersai"
)

const (
	weather = `{"type":"object","properties":{"city":{"type":"string","minLength":3},` +
		`"days":{"type":"integer","minimum":1,"maximum":5}},"required":["city","days"],"additionalProperties":false}`
	clock = `{"type":"object","properties":{"zone":{"enum":["UTC","CET"]}},"required":["zone"]}`

	thinks    = `"thinking":{"type":"enabled","budget_tokens":1024}`
	asked     = `{"role":"user","content":"What is the weather?"}`
	maxTokens = 200
)

// called is what came of a call, in whatever protocol.
type called struct {
	text, reasoning string
	tools           []workersai.ToolCall
	ids             []string
	finish          string
	input, output   int64
}

// A dialect is how one protocol says the same.
type dialect struct {
	name, path, model string

	// body is a call: a question and, where returned is said, a tool's call and what it returned; more is added.
	body func(returned bool, more ...string) string
	// tools offers weather and clock.
	tools string
	// required and forced are its tool_choice for any of them, and for clock.
	required, forced string
	// format asks for JSON that satisfies a schema.
	format func(schema string) string

	whole  func(t *testing.T, a answer) called
	stream func(t *testing.T, events []string) called
}

func joined(model string, messages string, more []string) string {
	all := append([]string{`"model":"` + model + `"`, messages, fmt.Sprintf(`"max_tokens":%d`, maxTokens)}, more...)
	return "{" + strings.Join(all, ",") + "}"
}

const (
	functionTools = `"tools":[{"type":"function","function":{"name":"weather","parameters":` + weather +
		`}},{"type":"function","function":{"name":"clock","parameters":` + clock + `}}]`
	flatTools = `"tools":[{"type":"function","name":"weather","parameters":` + weather +
		`},{"type":"web_search"},{"type":"custom","name":"shell"},` +
		`{"type":"function","name":"clock","parameters":` + clock + `}]`
	anthropicTools = `"tools":[{"name":"weather","input_schema":` + weather +
		`},{"type":"web_search_20250305","name":"web_search"},{"name":"clock","input_schema":` + clock + `}]`
)

func dialects() []dialect {
	chatBody := func(model string) func(bool, ...string) string {
		return func(returned bool, more ...string) string {
			messages := asked
			if returned {
				messages += `,{"role":"assistant","content":null,"tool_calls":[{"id":"a",` +
					`"type":"function","function":{"name":"clock","arguments":"{}"}}]},` +
					`{"role":"tool","tool_call_id":"a","content":"noon"}`
			}
			return joined(model, `"messages":[`+messages+`]`, more)
		}
	}
	responseFormat := func(schema string) string {
		return `"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":` + schema + `}}`
	}
	chat := dialect{
		path: "/v1/chat/completions", tools: functionTools,
		required: `"tool_choice":"required"`, forced: `"tool_choice":{"type":"function","function":{"name":"clock"}}`,
		format: responseFormat, whole: wholeChat, stream: streamedChat,
	}
	var all []dialect
	for _, model := range []string{older, newer} {
		d := chat
		d.name, d.model, d.body = "chat, "+model, model, chatBody(model)
		all = append(all, d)
	}
	native := chat
	native.name, native.path, native.model, native.body = "native, newer", "/run/"+newer, newer, chatBody(newer)
	native.whole = func(t *testing.T, a answer) called {
		t.Helper()
		a.body = string(decode[v4[json.RawMessage]](t, a).Result)
		return wholeChat(t, a)
	}
	old := native
	old.name, old.path, old.model, old.body = "native, older", "/run/"+older, older, chatBody(older)
	old.tools = `"tools":[{"name":"weather","parameters":` + weather + `},{"name":"clock","parameters":` + clock + `}]`
	old.format = func(schema string) string { // as Cloudflare documents it
		return `"response_format":{"type":"json_schema","json_schema":` + schema + `}`
	}
	old.whole, old.stream = wholeNative, streamedNative
	return append(all, native, old, dialect{
		name: "responses", path: "/v1/responses", model: newer, tools: flatTools,
		body: func(returned bool, more ...string) string {
			input := asked
			if returned {
				input += `,{"type":"function_call","call_id":"a","name":"clock","arguments":"{}"},` +
					`{"type":"function_call_output","call_id":"a","output":"noon"}`
			}
			return joined(newer, `"input":[`+input+`]`, more)
		},
		required: `"tool_choice":"required"`, forced: `"tool_choice":{"type":"function","name":"clock"}`,
		format: func(schema string) string {
			return `"text":{"format":{"type":"json_schema","name":"x","strict":true,"schema":` + schema + `}}`
		},
		whole: wholeResponse, stream: streamedResponse,
	}, dialect{
		name: "messages", path: "/v1/messages", model: newer, tools: anthropicTools,
		body: func(returned bool, more ...string) string {
			messages := asked
			if returned {
				messages += `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"clock",` +
					`"input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a",` +
					`"content":"noon"},` +
					`{"type":"text","text":"Go on."}]}`
			}
			return joined(newer, `"messages":[`+messages+`]`, append(more, thinks))
		},
		required: `"tool_choice":{"type":"any"}`, forced: `"tool_choice":{"type":"tool","name":"clock"}`,
		format: func(schema string) string {
			return `"output_config":{"format":{"type":"json_schema","schema":` + schema + `}}`
		},
		whole: wholeMessage, stream: streamedMessage,
	})
}

// call makes a call, as a stream or not.
func (d *dialect) call(t *testing.T, s *service, streams bool, body string, headers ...string) called {
	t.Helper()
	if !streams {
		return d.whole(t, s.post(d.path, body, headers...))
	}
	a := s.post(d.path, body[:len(body)-1]+`,"stream":true}`, headers...)
	wantHead(t, a, 200, "text/event-stream")
	var events []string
	for event := range strings.SplitSeq(strings.TrimSuffix(a.body, "\n\n"), "\n\n") {
		_, data, _ := strings.Cut(event, "data: ")
		events = append(events, data)
	}
	return d.stream(t, events)
}

func valid(t *testing.T, schema, value string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema:///test", doc); err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(value)))
	if err == nil {
		err = c.MustCompile("schema:///test").Validate(v)
	}
	if err != nil {
		t.Errorf("got %s, which does not satisfy the schema: %v", value, err)
	}
}

// each runs a test in each protocol, as a stream and not.
func each(t *testing.T, test func(t *testing.T, d dialect, s *service, streams bool)) {
	t.Helper()
	for _, d := range dialects() {
		for _, streams := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %t", d.name, streams), func(t *testing.T) {
				test(t, d, start(t, workersai.Options{}), streams)
			})
		}
	}
}

func namesOf(tools []workersai.ToolCall) string {
	var names []string
	for _, c := range tools {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// What makes a model call tools, which ones, with arguments that satisfy their schemas, and what makes it speak.
func TestTools(t *testing.T) {
	schemas := map[string]string{"weather": weather, "clock": clock}
	each(t, func(t *testing.T, d dialect, s *service, streams bool) {
		t.Helper()
		for _, c := range []struct {
			name, more, header string
			returned           bool
			want               string // names of the tools; "": text
		}{
			{"nothing wanted", "", "", false, ""},
			{"required", d.required, "", false, "weather"},
			{"forced", d.forced, "", false, "clock"},
			{"by header", "", "tool", false, "weather"},
			{"two by header", "", "tool=2", false, "weather clock"},
			{"three by header", d.required, "tool=3", false, "weather clock weather"},
			{"by name", "", "tool=clock", false, "clock"},
			{"by names", "", "tool=clock,weather", false, "clock weather"},
			{"one at a time", `"parallel_tool_calls":false`, "tool=2", false, "weather"},
			{"none wins", `"tool_choice":"none"`, "tool", false, ""},
			{"a tool has returned", d.required, "tool=2", true, ""},
			{"a tool has returned, and another comes", "", "tool=clock/weather,clock/2", true, "weather clock"},
			{"the first of two", "", "tool=clock/weather", false, "clock"},
		} {
			more := []string{d.tools}
			if c.more != "" {
				more = append(more, c.more)
			}
			var headers []string
			if c.header != "" {
				headers = []string{"x-simulate", c.header}
			}
			got := d.call(t, s, streams, d.body(c.returned, more...), headers...)
			if names := namesOf(got.tools); names != c.want || (got.text == "") != (c.want != "") {
				t.Errorf("%s: got calls of %q, text %q, want calls of %q and text only without", c.name, names,
					got.text, c.want)
			}
			calls := got.finish == "tool_calls" || got.finish == "tool_use"
			if got.finish != "" && calls != (c.want != "") {
				t.Errorf("%s: got finish %q", c.name, got.finish)
			}
			for _, call := range got.tools {
				valid(t, schemas[call.Name], call.Arguments)
			}
			if ids := slices.Compact(slices.Sorted(slices.Values(got.ids))); len(ids) != len(got.ids) {
				t.Errorf("%s: got ids %v, want each once", c.name, got.ids)
			}
			if billed := got.output; billed != got.tokens() {
				t.Errorf("%s: got %d output tokens, want the %d that came", c.name, billed, got.tokens())
			}
		}
	})
}

// Tools that returned something before the user spoke again do not count, and a begun answer goes on.
func TestToolsOfAConversation(t *testing.T) {
	s := start(t, workersai.Options{})
	each := dialects()
	for _, d := range []dialect{each[0], each[4], each[5]} {
		again := strings.Replace(d.body(true, d.tools), "],\"max_tokens\"", ","+asked+"],\"max_tokens\"", 1)
		got := d.call(t, s, false, again, "x-simulate", "tool=clock/weather")
		if namesOf(got.tools) != "clock" {
			t.Errorf("%s, the user asks again: got calls of %q, want clock", d.name, namesOf(got.tools))
		}
	}
	chat := each[0]
	begun := strings.Replace(chat.body(false, chat.tools, chat.required), asked,
		asked+`,{"role":"assistant","content":"It"}`, 1)
	if got := chat.call(t, s, false, begun, "x-simulate", "tool"); len(got.tools) > 0 || got.text == "" {
		t.Errorf("a begun answer: got calls of %q, text %q, want text", namesOf(got.tools), got.text)
	}
}

// tokens counts what came.
func (c called) tokens() int64 {
	n := workersai.CountTokens(c.text) + workersai.CountTokens(c.reasoning)
	for _, call := range c.tools {
		n += workersai.CountTokens(call.Arguments)
	}
	return n
}

func TestMoreToolChoices(t *testing.T) {
	s := start(t, workersai.Options{})
	chat, responses, messages := dialects()[1], dialects()[4], dialects()[5]
	for _, c := range []struct {
		d            dialect
		choice, want string
	}{
		{chat, `{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function",` +
			`"function":{"name":"clock"}}]}}`, "clock"},
		{responses, `{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"clock"}]}`, "clock"},
		{responses, `{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"clock"}]}`, ""},
		{messages, `{"type":"auto"}`, ""},
		{messages, `{"type":"none"}`, ""},
		{messages, `{"type":"any","disable_parallel_tool_use":true}`, "weather"},
	} {
		got := c.d.call(t, s, false, c.d.body(false, c.d.tools, `"tool_choice":`+c.choice))
		if names := namesOf(got.tools); names != c.want {
			t.Errorf("%s, %s: got calls of %q, want %q", c.d.name, c.choice, names, c.want)
		}
	}
	body := chat.body(false, chat.tools, `"tool_choice":{"type":"function","function":{"name":"nobody"}}`)
	refused(t, s.post(chat.path, body), 400, 5006, "nobody is none of the tools")
	refused(t, s.post(chat.path, chat.body(false, chat.tools), "x-simulate", "tool=nobody"), 400, 5006, "tool=nobody")
	got := chat.call(t, s, false, chat.body(false), "x-simulate", "tool")
	if len(got.tools) != 0 || got.text == "" {
		t.Errorf("without tools: got calls of %q, text %q, want text", namesOf(got.tools), got.text)
	}
}

// JSON that satisfies the caller's schema, with tools beside it as well.
func TestSchemaOfTheAnswer(t *testing.T) {
	each(t, func(t *testing.T, d dialect, s *service, streams bool) {
		t.Helper()
		if d.model == older && streams {
			a := s.post(d.path, d.body(false, d.format(weather), `"stream":true`))
			refused(t, a, 400, 5023, "stream")
			return
		}
		got := d.call(t, s, streams, d.body(false, d.format(weather), d.tools))
		valid(t, weather, got.text)
		if other := d.call(t, s, streams, d.body(false, d.format(weather), d.tools)); other.text != got.text {
			t.Errorf("the same again: got %s, want %s", other.text, got.text)
		}
		if got.output != got.tokens() || len(got.tools) > 0 {
			t.Errorf("got %d output tokens, calls of %q, want the %d that came, none", got.output, namesOf(got.tools),
				got.tokens())
		}
		// First the tool, then the object.
		first := d.call(t, s, streams, d.body(false, d.format(weather), d.tools), "x-simulate", "tool=clock")
		then := d.call(t, s, streams, d.body(true, d.format(weather), d.tools), "x-simulate", "tool=clock")
		if namesOf(first.tools) != "clock" || len(then.tools) > 0 {
			t.Errorf("got calls of %q, then %q, want clock, none", namesOf(first.tools), namesOf(then.tools))
		}
		valid(t, weather, then.text)
	})
}

func TestNoValueForASchema(t *testing.T) {
	const nothing = `{"type":"object","required":["a"],"properties":{"a":{"enum":["b"],"type":"integer"}}}`
	for _, d := range dialects() {
		s := start(t, workersai.Options{})
		a := s.post(d.path, d.body(false, d.format(nothing)))
		if a.status != 400 || !strings.Contains(a.body, "JSON Mode couldn't be met") {
			t.Errorf("%s: got %d %s, want 400, %q", d.name, a.status, a.body, "JSON Mode couldn't be met")
		}
		if s.Billed() != 0 {
			t.Errorf("%s: got %v billed, want nothing", d.name, s.Billed())
		}
	}
	chat := dialects()[0]
	s := start(t, workersai.Options{})
	invalid := chat.body(false, chat.format(`{"type":"any"}`))
	refused(t, s.post(chat.path, invalid), 400, 5024, "JSON Mode couldn't be met")
	bad := strings.Replace(chat.tools, weather, nothing, 1)
	refused(t, s.post(chat.path, chat.body(false, bad, chat.required)), 400, 5024, "JSON Mode couldn't be met")
	if got := chat.call(t, s, false, chat.body(false, bad)); got.text == "" {
		t.Error("a schema of a tool that is not called: got no text, want some")
	}
}

// Arguments that are longer than the limit are cut, as text is.
func TestToolCutByTheLimit(t *testing.T) {
	long := `{"type":"object","properties":{"text":{"type":"string","minLength":4000}},"required":["text"]}`
	each(t, func(t *testing.T, d dialect, s *service, streams bool) {
		t.Helper()
		got := d.call(t, s, streams, d.body(false, strings.Replace(d.tools, weather, long, 1), d.required))
		if got.output != maxTokens || len(got.tools) != 1 {
			t.Errorf("got %d output tokens, %d calls, want %d, 1", got.output, len(got.tools), maxTokens)
		}
		if !slices.Contains([]string{"length", "max_tokens", "incomplete", ""}, got.finish) {
			t.Errorf("got finish %q, want one that says so", got.finish)
		}
	})
}

// Models that reason do so in the fields of their own, unless they are told not to.
func TestReasoning(t *testing.T) {
	each(t, func(t *testing.T, d dialect, s *service, streams bool) {
		t.Helper()
		got := d.call(t, s, streams, d.body(false))
		if reasons := d.model == newer; (got.reasoning != "") != reasons || got.text == "" {
			t.Errorf("got reasoning %q, text %q, want reasoning %t, and text", got.reasoning, got.text, reasons)
		}
		if got.output != got.tokens() {
			t.Errorf("got %d output tokens, want the %d that came", got.output, got.tokens())
		}
		for _, off := range []string{
			`"reasoning_effort":"none"`, `"reasoning":{"effort":"none"}`,
			`"chat_template_kwargs":{"enable_thinking":false}`, `"thinking":{"type":"disabled"}`,
		} {
			if d.path == "/v1/messages" && !strings.HasPrefix(off, `"thinking"`) ||
				d.path == "/v1/responses" && !strings.HasPrefix(off, `"reasoning":`) ||
				d.path != "/v1/messages" && strings.HasPrefix(off, `"thinking"`) ||
				d.path != "/v1/responses" && strings.HasPrefix(off, `"reasoning":`) {
				continue
			}
			body := strings.Replace(d.body(false, off), ","+thinks, "", 1)
			if got := d.call(t, s, streams, body); got.reasoning != "" || got.text == "" {
				t.Errorf("%s: got reasoning %q, text %q, want none, some", off, got.reasoning, got.text)
			}
		}
	})
}

// n answers, told apart by their index, and paid for together.
func TestSeveralChoices(t *testing.T) {
	s := start(t, workersai.Options{})
	for _, d := range dialects()[:2] {
		v := decode[completion](t, s.post(d.path, d.body(false, `"n":3`)))
		texts := map[string]bool{}
		for _, c := range v.Choices {
			texts[*c.Message.Content] = true
		}
		if len(v.Choices) != 3 || len(texts) != 3 {
			t.Errorf("%s: got %d choices, %d texts, want 3 of each", d.name, len(v.Choices), len(texts))
		}
		a := s.post(d.path, d.body(false, `"n":3`, `"stream":true`))
		for i := range 3 {
			if index := fmt.Sprintf(`"choices":[{"index":%d,`, i); strings.Count(a.body, index) < 10 {
				t.Errorf("%s: got\n%s\nwant ten events with %s", d.name, a.body, index)
			}
		}
		if total := fmt.Sprintf(`"completion_tokens":%d`, v.Usage.Completion); strings.Count(a.body, total) != 1 {
			t.Errorf("%s: got\n%s\nwant %s once, as without a stream", d.name, a.body, total)
		}
		if a := s.post(d.path, d.body(false)); strings.Contains(a.body, "logprobs") {
			t.Errorf("%s: got logprobs, want none: %s", d.name, a.body)
		}
	}
	chat := dialects()[0]
	refused(t, s.post(chat.path, chat.body(false, `"n":17`)), 400, 5006, "'/n' must be <= 16")
}

// A response's item begins without content, and says so.
func TestItemsBeginEmpty(t *testing.T) {
	s := start(t, workersai.Options{})
	a := s.post("/v1/responses", `{"model":"`+newer+`","input":"x","stream":true}`)
	for _, want := range []string{
		`"item":{"id":"rs_`, `"type":"reasoning","status":"in_progress","content":[],"summary":[]}`,
		`"type":"message","status":"in_progress","role":"assistant","content":[]}`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("got %s\nwant %s in it", a.body, want)
		}
	}
}
