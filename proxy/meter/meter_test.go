package meter

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// answer meters an answer at once.
func answer(body string) *Meter {
	m := New()
	m.Write([]byte(body))
	return m
}

// feed meters one whole event.
func feed(m *Meter, event []byte) {
	m.Data(sse.Parse(event).Data)
	m.EndEvent()
}

// stream meters a stream event by event.
func stream(body string) *Meter {
	m := New()
	for rest := []byte(body); len(rest) > 0; {
		var event []byte
		event, rest = sse.Cut(rest)
		feed(m, event)
	}
	return m
}

// A pieceMeter meters the bytes of a stream in any pieces.
type pieceMeter struct {
	*Meter
	splitter sse.Splitter
}

func newPieceMeter() *pieceMeter { return &pieceMeter{Meter: New()} }

func (m *pieceMeter) write(p []byte) {
	for len(p) > 0 {
		part, n := m.splitter.Next(p)
		p = p[n:]
		switch part.Field {
		case sse.Data:
			m.Data(part.Value)
		case sse.Blank:
			m.EndEvent()
		}
	}
}

// wantReport checks all that a Meter reports.
func wantReport(t *testing.T, how string, m *Meter, want Report) {
	t.Helper()
	got := m.Report()
	if got.Usage != want.Usage {
		t.Errorf("%s: got usage\n%+v, want\n%+v", how, got.Usage, want.Usage)
	}
	if got.ObservedInput != want.ObservedInput || got.ObservedOutput != want.ObservedOutput {
		t.Errorf("%s: got %d and %d tokens observed, want %d and %d",
			how, got.ObservedInput, got.ObservedOutput, want.ObservedInput, want.ObservedOutput)
	}
	if got.Unreported != want.Unreported {
		t.Errorf("%s: got %d tokens unreported, want %d", how, got.Unreported, want.Unreported)
	}
	if got.BatchID != want.BatchID || got.BatchStatus != want.BatchStatus {
		t.Errorf("%s: got batch %q %q, want %q %q", how, got.BatchID, got.BatchStatus, want.BatchID, want.BatchStatus)
	}
}

// ofTokens is a usage of tokens alone.
func ofTokens(input, cached, output int64) workload.Usage {
	return workload.Usage{Input: input, Cached: cached, Output: output, HasTokens: true}
}

// withNeurons adds neurons to a usage.
func withNeurons(n float64, u workload.Usage) workload.Usage {
	u.Neurons, u.HasNeurons = n, true
	return u
}

func TestAnswers(t *testing.T) {
	seconds := func(s float64) workload.Usage { return workload.Usage{AudioSeconds: s, HasAudio: true} }
	images := func(n int64) workload.Usage { return workload.Usage{Images: n, HasImages: true} }
	none := workload.Usage{}
	for _, c := range []struct {
		name string
		body string
		want workload.Usage
	}{
		{"nothing", ``, none},
		{"not JSON", `<html>`, none},
		{"a scalar", `12`, none},
		{"an empty result", `{"result":{},"success":true,"errors":[],"messages":[]}`, none},
		{
			"a native answer",
			`{"result":{"response":"hi","usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,` +
				`"prompt_tokens_details":{"cached_tokens":4},"neurons":0.25}},"success":true}`,
			withNeurons(0.25, ofTokens(12, 4, 3)),
		},
		{
			"a chat completion",
			`{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":12,"completion_tokens":3}}`,
			ofTokens(12, 0, 3),
		},
		{
			"an embedding, in meta",
			`{"result":{"shape":[1,2],"data":[[0.1,-2e-3]],"meta":{"prompt_tokens":7,"neurons":1e-3}}}`,
			withNeurons(0.001, ofTokens(7, 0, 0)),
		},
		{
			"tokens at one path, neurons at the other",
			`{"result":{"usage":{"prompt_tokens":7,"completion_tokens":1}},"usage":{"neurons":2,"prompt_tokens":9}}`,
			withNeurons(2, ofTokens(7, 0, 1)),
		},
		{
			"Anthropic: input without what the cache has",
			`{"type":"message","usage":{"input_tokens":5,"cache_read_input_tokens":20,` +
				`"cache_creation_input_tokens":3,"output_tokens":2}}`,
			ofTokens(28, 20, 2),
		},
		{
			"Responses: input with what the cache has",
			`{"object":"response","usage":{"input_tokens":25,"input_tokens_details":{"cached_tokens":20},` +
				`"output_tokens":2}}`,
			ofTokens(25, 20, 2),
		},
		{"a total replaces what is missing", `{"usage":{"prompt_tokens":5,"total_tokens":9}}`, ofTokens(5, 0, 4)},
		{"a total alone has no price", `{"usage":{"total_tokens":9}}`, none},
		{
			"a total above its parts is output",
			`{"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":40}}`, ofTokens(5, 0, 35),
		},
		{"zero is no word", `{"usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}`, none},
		{
			"neurons of zero beside tokens", `{"usage":{"prompt_tokens":8,"completion_tokens":2,"neurons":0}}`,
			ofTokens(8, 0, 2),
		},
		{
			"zero of an answer without content",
			`{"choices":[{"message":{"content":""}}],"usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}`,
			withNeurons(0, ofTokens(0, 0, 0)),
		},
		{
			"output that is left out is taken from what passed",
			`{"choices":[{"message":{"content":"one two three four five six seven"}}],"usage":{"prompt_tokens":20}}`,
			ofTokens(20, 0, tokens.Count([]byte("one two three four five six seven"))),
		},
		{
			"Whisper", `{"result":{"transcription_info":{"language":"en","duration":12.5},"text":"x"}}`, seconds(12.5),
		},
		{"Whisper without an envelope", `{"transcription_info":{"duration":3}}`, seconds(3)},
		{"Deepgram", `{"result":{"metadata":{"duration":60,"channels":1}}}`, seconds(60)},
		{"a picture", `{"result":{"image":"` + strings.Repeat("abcd", 1000) + `"}}`, images(1)},
		{"pictures", `{"result":{"images":["abcd","abcd",""]}}`, images(2)},

		{
			"a model's JSON is no usage",
			`{"result":{"response":{"usage":{"neurons":9,"prompt_tokens":9}},"x":[{"usage":{"neurons":9}}]}}`, none,
		},
		{"a model's text is no usage", `{"result":{"response":"\"},\"usage\":{\"neurons\":9}}"}}`, none},
		{
			"other paths are no usage",
			`{"data":{"usage":{"neurons":9}},"result":[{"usage":{"neurons":9}}],"neurons":9}`, none,
		},
		{"other cases of a name are no usage", `{"Usage":{"neurons":9},"usage ":{"neurons":9}}`, none},
		{"escaped names are names", `{"us\u0061ge":{"\u006e\u0065urons":1.5}}`, withNeurons(1.5, none)},
		{
			"letters beyond ASCII in a name",
			`{"usäge":{"neurons":9},"us\u00e4ge":{"neurons":9},"usage":{"neurons":1}}`, withNeurons(1, none),
		},

		{"negative", `{"usage":{"neurons":-1,"prompt_tokens":-5,"completion_tokens":3}}`, none},
		{"a string", `{"usage":{"neurons":"5","prompt_tokens":"5"}}`, none},
		{"absurd", `{"usage":{"neurons":1e13,"prompt_tokens":99999999999999}}`, none},
		{"overflowing", `{"usage":{"neurons":1e999,"prompt_tokens":` + strings.Repeat("9", 70) + `}}`, none},
		{"no number", `{"usage":{"neurons":1.2.3,"prompt_tokens":-}}`, none},
		{"NaN, null and true", `{"usage":{"neurons":NaN,"prompt_tokens":null,"completion_tokens":true}}`, none},
		{"null in place of objects", `{"result":null,"usage":null}`, none},
		{
			"deep nesting before it",
			`{"a":` + strings.Repeat(`[{"usage":`, 5000) + `1` + strings.Repeat(`}]`, 5000) + `,"usage":{"neurons":1}}`,
			withNeurons(1, none),
		},
		{"cut before its usage", `{"result":{"response":"hi","usage":{"prompt_tok`, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New()
			for i := range len(c.body) {
				m.Write([]byte(c.body[i : i+1]))
			}
			if got := m.Report().Usage; got != c.want {
				t.Errorf("byte by byte: got usage\n%+v, want\n%+v", got, c.want)
			}
			if got, want := answer(c.body).Report(), m.Report(); got.Usage != c.want || got != want {
				t.Errorf("at once: got\n%+v, want\n%+v, byte by byte", got, want)
			}
		})
	}
}

// What a model wrote in a JSON answer counts in each protocol. Where that can't be counted, the report says so.
func TestObservedAnswers(t *testing.T) {
	const text = "one two three four five six seven eight nine ten" // 48 bytes
	once, twice := tokens.Count([]byte(text)), tokens.Count([]byte(text+text))
	for _, c := range []struct {
		name, body string
		observed   bool
		output     int64
	}{
		{"native", `{"result":{"response":"` + text + `"}}`, true, once},
		{"translation", `{"result":{"translated_text":"` + text + `"}}`, true, once},
		{"chat", `{"choices":[{"message":{"content":"` + text + `"}}]}`, true, once},
		{
			"two choices",
			`{"choices":[{"message":{"content":"` + text + `"}},{"message":{"content":"` + text + `"}}]}`, true, twice,
		},
		{"native chat", `{"result":{"choices":[{"message":{"content":"` + text + `"}}]}}`, true, once},
		{"reasoning", `{"choices":[{"message":{"content":"a","reasoning_content":"` + text + `"}}]}`, true, once + 1},
		{
			"reasoning told twice",
			`{"choices":[{"message":{"reasoning":"` + text + `","reasoning_content":"` + text + `"}}]}`, true, once,
		},
		{"completion", `{"choices":[{"text":"` + text + `"}]}`, true, once},
		{
			"tool call", `{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"` + text + `"}}]}}]}`,
			true, once,
		},
		{
			"responses", `{"output":[{"type":"message","content":[{"type":"output_text","text":"` + text + `"}]}]}`,
			true, once,
		},
		{
			"responses, reasoning", `{"output":[{"summary":[{"text":"` + text + `"}],"content":[{"text":"a"}]}]}`,
			true, tokens.Count([]byte(text + "a")),
		},
		{"responses, tool call", `{"output":[{"type":"function_call","arguments":"` + text + `"}]}`, true, once},
		{"Anthropic", `{"content":[{"type":"text","text":"` + text + `"},{"thinking":"` + text + `"}]}`, true, twice},
		{"no text", `{"choices":[{"message":{"content":""}}]}`, true, 0},
		{"an object as arguments", `{"content":[{"text":"a"},{"type":"tool_use","input":{"a":1}}]}`, false, 1},
		{"a native tool call", `{"result":{"response":"a","tool_calls":[{"name":"f","arguments":{"a":1}}]}}`, false, 1},
		{"JSON mode", `{"result":{"response":{"a":"` + text + `"}}}`, false, 0},
		{"parts", `{"choices":[{"message":{"content":[{"text":"a"}]}}]}`, false, 0},
		{"vectors", `{"data":[{"embedding":[0.5]}]}`, false, 0},
		{"cut in the text", `{"result":{"response":"` + text, false, once},
		{"cut after the text", `{"result":{"response":"` + text + `"}`, false, once},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answer(c.body).Report()
			if r.Observed != c.observed {
				t.Errorf("got observed %v, want %v", r.Observed, c.observed)
			}
			if r.ObservedOutput != c.output {
				t.Errorf("got %d tokens observed, want %d", r.ObservedOutput, c.output)
			}
		})
	}
}

func TestBatches(t *testing.T) {
	for _, c := range []struct {
		name, body, id, status string
		usage                  workload.Usage
		queued                 bool
	}{
		{
			name: "submitted", body: `{"result":{"status":"queued","request_id":"8f0c","model":"m"},"success":true}`,
			id: "8f0c", status: "queued", queued: true,
		},
		{name: "running", body: `{"result":{"status":"running","request_id":"8f0c"}}`, id: "8f0c", status: "running"},
		{
			name: "completed",
			body: `{"result":{"responses":[{"id":0,"result":{"status":"no","usage":{"neurons":4}}}],` +
				`"usage":{"neurons":5}}}`,
			status: "completed", usage: withNeurons(5, workload.Usage{}),
		},
		{name: "no batch", body: `{"result":{"shape":[1]}}`},
		{name: "an id that is none", body: `{"result":{"request_id":"` + strings.Repeat("x", 65) + `"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := answer(c.body)
			wantReport(t, "at once", m, Report{Usage: c.usage, BatchID: c.id, BatchStatus: c.status})
			if got := m.Report().Queued(); got != c.queued {
				t.Errorf("queued: got %v, want %v", got, c.queued)
			}
		})
	}
}
