package event

import (
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
)

func TestCompletes(t *testing.T) {
	const (
		openAI    = normalize.ProtocolOpenAI
		anthropic = normalize.ProtocolAnthropic
		responses = normalize.ProtocolResponses
		native    = normalize.ProtocolNative
	)
	for _, c := range []struct {
		name     string
		protocol normalize.Protocol
		event    string
		want     bool
	}{
		{"the end mark", openAI, "data: [DONE]\n\n", true},
		{"the end mark without a space", native, "data:[DONE]\n\n", true},
		{"a text that begins as the end mark does", openAI, "data: [DONE] or not\n\n", false},
		{"a reason to finish", openAI, `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n", true},
		{"no reason yet", openAI, `data: {"choices":[{"delta":{},"finish_reason":null}]}` + "\n\n", false},
		{
			"a reason behind one that is none", openAI,
			`data: {"choices":[{"finish_reason":null},{"finish_reason":"length"}]}` + "\n\n", true,
		},
		{
			"a text about reasons", openAI,
			`data: {"choices":[{"delta":{"content":"\"finish_reason\":\"stop\""}}]}` + "\n\n", false,
		},
		{"the native usage", native, `data: {"response":"","usage":{"neurons":1}}` + "\n\n", true},
		{"a text beside a usage", native, `data: {"response":"a","usage":{"neurons":1}}` + "\n\n", false},
		{"Anthropic's end, by name", anthropic, "event: message_stop\ndata: {}\n\n", true},
		{"Anthropic's end, by type", anthropic, `data: {"type":"message_stop"}` + "\n\n", true},
		{"another event of Anthropic's", anthropic, "event: message_delta\ndata: {}\n\n", false},
		{"an end mark, which Anthropic has not", anthropic, "data: [DONE]\n\n", false},
		{"a response that is completed", responses, `data: {"type":"response.completed"}` + "\n\n", true},
		{"a response that is incomplete", responses, "event: response.incomplete\ndata: {}\n\n", true},
		{"a response that goes on", responses, `data: {"type":"response.output_text.delta"}` + "\n\n", false},
	} {
		e := sse.Parse([]byte(c.event))
		if got := Completes(&e, c.protocol); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBeginsFailure(t *testing.T) {
	for text, want := range map[string]bool{
		"event: response.failed\ndata: {\"type\":\"response.fai":              true,
		`data: {"type":"response.failed","response":{"tools":"`:               true,
		`data: {"type":"response.created","response":{"error":{"tools":"`:     false,
		`data: {"choices":[{"delta":{"content":"\"type\":\"response.failed\"`: false,
		`data: {"error":{"message":"`:                                         true,
		`{"success":false,"errors":[{"message":"`:                             true,
	} {
		e := sse.Parse([]byte(text))
		if got := BeginsFailure([]byte(text), &e); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestLacksBlankLine(t *testing.T) {
	for text, want := range map[string]bool{
		`data: {"a":1}`:             true,
		`data: {"a":1}` + "\r\n":    true,
		"data: [DONE]":              true,
		`data: {"a":`:               false,
		`data: {"a":1}` + "\nid: 1": false,
		"":                          false,
		": a comment":               false,
	} {
		e := sse.Parse([]byte(text))
		if got := LacksBlankLine([]byte(text), e.Data); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestRepairUsage(t *testing.T) {
	const usage = `{"prompt_tokens":5, "neurons":1.25}`
	native := []byte(`{"response":"","usage":` + usage + `}`)
	var h ChunkHead
	h.Note([]byte(`{"response":"a"}`))
	want := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[],"usage":` +
		usage + "}\n\n"
	if got := string(h.RepairUsage(native, "chatcmpl-1", "m", 17)); got != want {
		t.Errorf("of a stream without chunks: got %s, want %s", got, want)
	}
	h.Note([]byte(`{"id":"c7","created":3,"model":"@cf/x","choices":[]}`))
	want = `data: {"id":"c7","object":"chat.completion.chunk","created":3,"model":"@cf/x","choices":[],"usage":` +
		usage + "}\n\n"
	if got := string(h.RepairUsage(native, "chatcmpl-1", "m", 17)); got != want {
		t.Errorf("of a stream with chunks: got %s, want %s", got, want)
	}
	if got := h.RepairUsage([]byte(`{"choices":[],"usage":`+usage+`}`), "", "", 0); got != nil {
		t.Errorf("of a chunk: got %s, want nothing", got)
	}
}

// What nearly every event of a stream goes through takes no memory.
func TestEventsTakeNoMemory(t *testing.T) {
	raw := []byte(`data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}],` +
		`"usage":{"neurons":1},"p":"x"}` + "\n\n")
	e := sse.Parse(raw)
	var h ChunkHead
	h.Note(e.Data)
	into := make([]byte, 0, len(raw))
	if n := testing.AllocsPerRun(100, func() {
		h.Note(e.Data)
		if into = WithoutUsage(into[:0], raw, e.Data); into == nil {
			t.Error("got no event without the usage, want one")
		}
	}); n != 0 {
		t.Errorf("got %v allocations an event, want none", n)
	}
}
