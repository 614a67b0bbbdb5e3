package meter

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// events is a stream of events of one line of data each.
func events(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		b.WriteString("data: " + d + "\n\n")
	}
	return b.String()
}

// chunk is a chunk of OpenAI's with one token of text and a usage.
func chunk(usage string) string {
	return `{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"usage":` + usage + `}`
}

func TestStreams(t *testing.T) {
	none := workload.Usage{}
	for _, c := range []struct {
		name          string
		body          string
		want          workload.Usage
		input, output int64 // observed
	}{
		{"nothing", "", none, 0, 0},
		{
			"native",
			events(
				`{"response":"tok","p":"ab"}`, `{"response":" en"}`,
				`{"response":"","usage":{"prompt_tokens":5,"completion_tokens":2,"neurons":0.5}}`, `[DONE]`,
			),
			withNeurons(0.5, ofTokens(5, 0, 2)), 5, tokens.Count([]byte("tok en")),
		},
		{"native, cut", events(`{"response":"tok"}`, `{"response":" en"}`), none, 0, tokens.Count([]byte("tok en"))},
		{
			"increments, then nothing, then the whole",
			events(
				chunk(`{"prompt_tokens":5,"completion_tokens":0,"neurons":0.1}`),
				chunk(`{"prompt_tokens":0,"completion_tokens":1,"neurons":0.2}`),
				`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}`,
				`{"response":"","usage":{"prompt_tokens":5,"completion_tokens":1,"neurons":0.3}}`,
			),
			withNeurons(0.3, ofTokens(5, 0, 1)), 5, 2,
		},
		{
			"increments alone",
			events(
				chunk(`{"prompt_tokens":5,"neurons":0.125}`), chunk(`{"completion_tokens":1,"neurons":0.25}`),
				chunk(`{"completion_tokens":1,"neurons":0.25}`),
			),
			withNeurons(0.625, ofTokens(5, 0, 2)), 5, 3,
		},
		{
			"increments, then a total with empty choices",
			events(
				chunk(`{"prompt_tokens":5,"completion_tokens":1,"neurons":0.125}`),
				chunk(`{"prompt_tokens":0,"completion_tokens":1,"neurons":0.25}`),
				`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"neurons":0.375}}`,
			),
			withNeurons(0.375, ofTokens(5, 0, 2)), 5, 2,
		},
		{
			"increments, then one more with empty choices",
			events(
				chunk(`{"prompt_tokens":5,"completion_tokens":1,"neurons":0.125}`),
				`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.25}}`,
			),
			withNeurons(0.375, ofTokens(5, 0, 2)), 5, 2,
		},
		{
			"running totals",
			events(
				chunk(`{"prompt_tokens":5,"completion_tokens":1}`), chunk(`{"prompt_tokens":5,"completion_tokens":2}`),
				`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}`,
			),
			ofTokens(5, 0, 2), 5, 2,
		},
		{
			"an increment without neurons",
			events(
				chunk(`{"prompt_tokens":5,"neurons":0.125}`), chunk(`{"completion_tokens":1}`),
				chunk(`{"completion_tokens":1,"neurons":0.25}`),
			),
			ofTokens(5, 0, 2), 5, 3,
		},
		{
			"a last usage of zeros",
			events(
				chunk(`{"prompt_tokens":5,"completion_tokens":1,"neurons":0.5}`),
				`{"response":"","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}`,
			),
			withNeurons(0.5, ofTokens(5, 0, 1)), 5, 1,
		},
		{"usage: null", events(`{"choices":[{"delta":{"content":"a"}}],"usage":null}`), none, 0, 1},
		{
			"Anthropic",
			"event: message_start\n" + events(
				`{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":3,`+
					`"output_tokens":1}}}`,
			) + "event: content_block_delta\n" + events(
				`{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}`,
				`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}`,
			),
			ofTokens(8, 3, 9), 8, 9,
		},
		{
			"Anthropic: neurons of the input are not those of the whole",
			events(
				`{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":0,"neurons":0.5}}}`,
				`{"type":"message_delta","usage":{"output_tokens":9}}`,
			),
			ofTokens(5, 0, 9), 5, 9,
		},
		{
			"Anthropic, cut",
			events(
				`{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1,"neurons":0.5}}}`,
				`{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}`,
				`{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}`,
			),
			none, 5, 2,
		},
		{
			"Responses",
			events(
				`{"type":"response.created","response":{"usage":null}}`,
				`{"type":"response.output_text.delta","delta":"a"}`,
				`{"type":"response.completed","response":{"output":[{"usage":{"neurons":9}}],`+
					`"usage":{"input_tokens":4,"input_tokens_details":{"cached_tokens":1},`+
					`"output_tokens":6,"neurons":0.5}}}`,
			),
			withNeurons(0.5, ofTokens(4, 1, 6)), 4, 6,
		},
		{
			"a native model's JSON is no usage",
			events(`{"response":{"usage":{"neurons":9,"prompt_tokens":9}}}`), none, 0, 0,
		},
		{
			"reasoning counts, once",
			events(`{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}`), none, 0, 1,
		},
		{
			"tool calls count",
			events(`{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}`), none, 0, 2,
		},
		{"each choice counts", events(`{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}`), none, 0, 2},
		{
			"a long text counts by its length", events(`{"response":"` + strings.Repeat("abcd", 10) + `"}`),
			none, 0, tokens.Count([]byte(strings.Repeat("abcd", 10))),
		},
		{"comments and other fields", ": ping\n\nid: 7\nretry: 10\ndata:{\"response\":\"a\"}\n\n", none, 0, 1},
		{
			"lines of one event",
			"data: {\"response\":\ndata: \"a\",\"usage\":{\"prompt_tokens\":\ndata: 5}}\n\n", ofTokens(5, 0, 1), 5, 1,
		},
		{"CRLF", "data: {\"usage\":{\"prompt_tokens\":5}}\r\n\r\n", ofTokens(5, 0, 0), 5, 0},
		{
			"no blank line at the end", `data: {"response":"","usage":{"prompt_tokens":5}}`, ofTokens(5, 0, 0), 5, 0,
		},
		{
			"an event cut within its usage",
			events(`{"response":"a"}`) + `data: {"response":"","usage":{"prompt_tokens":5,"compl`,
			ofTokens(5, 0, 1), 5, 1,
		},
		{"no JSON", "data: [DONE]\n\ndata: }{\n\ndata: \"\n\ndata:\n\n", none, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Report{Usage: c.want, ObservedInput: c.input, ObservedOutput: c.output}
			wantReport(t, "by events", stream(c.body), want)
			m := newPieceMeter()
			for i := range len(c.body) {
				m.write([]byte(c.body[i : i+1]))
			}
			m.EndEvent()
			wantReport(t, "byte by byte", m.Meter, want)
		})
	}
}

// The sum of increments is what the whole costs, to the millionth.
func TestIncrementsAddUpExactly(t *testing.T) {
	m := New()
	event := []byte(events(
		`{"choices":[{"delta":{}}],"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.030475}}`,
	))
	for range 100_000 {
		feed(m, event)
	}
	u := m.Report().Usage
	if got := quota.FromFloat(u.Neurons); got != 3_047_500_000 {
		t.Errorf("got %d millionths of a neuron, want 3047500000", int64(got))
	}
	if u.Output != 100_000 {
		t.Errorf("got %d output tokens, want 100000", u.Output)
	}
}

// An event that is too long to be held whole is read in pieces.
func TestLongEvent(t *testing.T) {
	event := []byte(events(
		`{"type":"response.completed","response":{"output":[{"content":[{"text":"` +
			strings.Repeat(`a \"long\" text `, 20_000) +
			`"}]}],"usage":{"input_tokens":4,"output_tokens":6,"neurons":0.5}}}`,
	))
	m := newPieceMeter()
	for piece := range pieces(event, 4096) {
		m.write(piece)
	}
	want := Report{Usage: withNeurons(0.5, ofTokens(4, 0, 6)), ObservedInput: 4, ObservedOutput: 6}
	wantReport(t, "the long event", m.Meter, want)
	feed(m.Meter, []byte(events(`{"type":"response.output_text.delta","delta":"a"}`)))
	want.Usage.Output++ // text after the usage is not in it
	want.Unreported = 1
	wantReport(t, "and another", m.Meter, want)
	if got := m.outputTokens(); got != 1 {
		t.Errorf("got %d tokens observed in text, want 1", got)
	}
}

func TestEventsCostNoAllocation(t *testing.T) {
	m := New()
	all := [][]byte{
		[]byte(events(chunk(`{"prompt_tokens":0,"completion_tokens":1,"neurons":0.0304751234}`))),
		[]byte(events(`{"response":"a","p":"abcdef"}`)),
		[]byte(events(`{"response":"","usage":{"prompt_tokens":10,"completion_tokens":1,"neurons":0.0304751234}}`)),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, e := range all {
			feed(m, e)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
