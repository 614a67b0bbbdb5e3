package meter

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// read meters an answer as a whole.
func readAnswer(body string) *Meter {
	m := New()
	m.Write([]byte(body))
	return m
}

func observed(m *Meter) (input, output int64) {
	r := m.Report()
	return r.ObservedInput, r.ObservedOutput
}

func batch(m *Meter) (id, status string) {
	r := m.Report()
	return r.BatchID, r.BatchStatus
}

// A stream meters the bytes of a stream.
type stream struct {
	*Meter
	splitter sse.Splitter
}

func newStream() *stream { return &stream{Meter: New()} }

func (s *stream) write(p []byte) {
	for len(p) > 0 {
		part, n := s.splitter.Next(p)
		p = p[n:]
		switch part.Field {
		case sse.Data:
			s.Data(part.Value)
		case sse.Blank:
			s.EndEvent()
		}
	}
}

// event meters one whole event.
func (m *Meter) event(event []byte) {
	m.Data(sse.Parse(event).Data)
	m.EndEvent()
}

// readStream meters a stream event by event.
func readStream(body string) *Meter {
	m := New()
	for rest := []byte(body); len(rest) > 0; {
		var event []byte
		event, rest = sse.Cut(rest)
		m.event(event)
	}
	return m
}

func TestMeterAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		want quota.Usage
	}{
		{"nothing", ``, quota.Usage{}},
		{"not JSON", `<html>`, quota.Usage{}},
		{"a scalar", `12`, quota.Usage{}},
		{"an empty result", `{"result":{},"success":true,"errors":[],"messages":[]}`, quota.Usage{}},
		{
			"a native answer", `{"result":{"response":"hi","usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},"neurons":0.25}},"success":true}`,
			quota.Usage{Neurons: 0.25, HasNeurons: true, Input: 12, Cached: 4, Output: 3, HasTokens: true},
		},
		{
			"a chat completion", `{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":12,"completion_tokens":3}}`,
			quota.Usage{Input: 12, Output: 3, HasTokens: true},
		},
		{
			"an embedding, in meta", `{"result":{"shape":[1,2],"data":[[0.1,-2e-3]],"meta":{"prompt_tokens":7,"neurons":1e-3}}}`,
			quota.Usage{Neurons: 0.001, HasNeurons: true, Input: 7, HasTokens: true},
		},
		{
			"tokens in one place, neurons in the other", `{"result":{"usage":{"prompt_tokens":7,"completion_tokens":1}},"usage":{"neurons":2,"prompt_tokens":9}}`,
			quota.Usage{Neurons: 2, HasNeurons: true, Input: 7, Output: 1, HasTokens: true},
		},
		{
			"Anthropic: input without what the cache has", `{"type":"message","usage":{"input_tokens":5,"cache_read_input_tokens":20,"cache_creation_input_tokens":3,"output_tokens":2}}`,
			quota.Usage{Input: 28, Cached: 20, Output: 2, HasTokens: true},
		},
		{
			"Responses: input with what the cache has", `{"object":"response","usage":{"input_tokens":25,"input_tokens_details":{"cached_tokens":20},"output_tokens":2}}`,
			quota.Usage{Input: 25, Cached: 20, Output: 2, HasTokens: true},
		},
		{
			"a total makes up for what is missing", `{"usage":{"prompt_tokens":5,"total_tokens":9}}`,
			quota.Usage{Input: 5, Output: 4, HasTokens: true},
		},
		{"a total alone says nothing of prices", `{"usage":{"total_tokens":9}}`, quota.Usage{}},
		{"zero is not absent", `{"usage":{"prompt_tokens":0,"neurons":0}}`, quota.Usage{HasNeurons: true, HasTokens: true}},
		{"Whisper", `{"result":{"transcription_info":{"language":"en","duration":12.5},"text":"x"}}`, quota.Usage{AudioSeconds: 12.5, HasAudio: true}},
		{"Whisper without an envelope", `{"transcription_info":{"duration":3}}`, quota.Usage{AudioSeconds: 3, HasAudio: true}},
		{"Deepgram", `{"result":{"metadata":{"duration":60,"channels":1}}}`, quota.Usage{AudioSeconds: 60, HasAudio: true}},
		{"a picture", `{"result":{"image":"` + strings.Repeat("abcd", 1000) + `"}}`, quota.Usage{Images: 1, HasImages: true}},
		{"pictures", `{"result":{"images":["abcd","abcd",""]}}`, quota.Usage{Images: 2, HasImages: true}},

		{"a model's JSON is no usage", `{"result":{"response":{"usage":{"neurons":9,"prompt_tokens":9}},"x":[{"usage":{"neurons":9}}]}}`, quota.Usage{}},
		{"a model's text is no usage", `{"result":{"response":"\"},\"usage\":{\"neurons\":9}}"}}`, quota.Usage{}},
		{"other paths are no usage", `{"data":{"usage":{"neurons":9}},"result":[{"usage":{"neurons":9}}],"neurons":9}`, quota.Usage{}},
		{"other cases of a name are no usage", `{"Usage":{"neurons":9},"usage ":{"neurons":9}}`, quota.Usage{}},
		{"escaped names are names", `{"us\u0061ge":{"\u006e\u0065urons":1.5}}`, quota.Usage{Neurons: 1.5, HasNeurons: true}},
		{"letters beyond ASCII in a name", `{"usäge":{"neurons":9},"us\u00e4ge":{"neurons":9},"usage":{"neurons":1}}`, quota.Usage{Neurons: 1, HasNeurons: true}},

		{"negative", `{"usage":{"neurons":-1,"prompt_tokens":-5,"completion_tokens":3}}`, quota.Usage{}},
		{"a string", `{"usage":{"neurons":"5","prompt_tokens":"5"}}`, quota.Usage{}},
		{"absurd", `{"usage":{"neurons":1e13,"prompt_tokens":99999999999999}}`, quota.Usage{}},
		{"overflowing", `{"usage":{"neurons":1e999,"prompt_tokens":` + strings.Repeat("9", 70) + `}}`, quota.Usage{}},
		{"no number", `{"usage":{"neurons":1.2.3,"prompt_tokens":-}}`, quota.Usage{}},
		{"NaN, null and true", `{"usage":{"neurons":NaN,"prompt_tokens":null,"completion_tokens":true}}`, quota.Usage{}},
		{"null in place of objects", `{"result":null,"usage":null}`, quota.Usage{}},
		{"deep nesting before it", `{"a":` + strings.Repeat(`[{"usage":`, 5000) + `1` + strings.Repeat(`}]`, 5000) + `,"usage":{"neurons":1}}`, quota.Usage{Neurons: 1, HasNeurons: true}},
		{"cut before its usage", `{"result":{"response":"hi","usage":{"prompt_tok`, quota.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readAnswer(c.body).Report().Usage; got != c.want {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			m := New()
			for i := range len(c.body) {
				m.Write([]byte(c.body[i : i+1]))
			}
			if got := m.Report().Usage; got != c.want {
				t.Errorf("byte by byte: %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestMeterBatch(t *testing.T) {
	for _, c := range []struct{ name, body, id, status string }{
		{"submitted", `{"result":{"status":"queued","request_id":"8f0c","model":"m"},"success":true}`, "8f0c", "queued"},
		{"running", `{"result":{"status":"running","request_id":"8f0c"}}`, "8f0c", "running"},
		{"done", `{"result":{"responses":[{"id":0,"result":{"status":"no","usage":{"neurons":4}}}],"usage":{"neurons":5}}}`, "", "completed"},
		{"no batch", `{"result":{"response":"hi"}}`, "", ""},
		{"an id that is none", `{"result":{"request_id":"` + strings.Repeat("x", 65) + `"}}`, "", ""},
	} {
		m := readAnswer(c.body)
		if r := m.Report(); r.BatchID != c.id || r.BatchStatus != c.status {
			t.Errorf("%s: got %q %q, want %q %q", c.name, r.BatchID, r.BatchStatus, c.id, c.status)
		}
		if c.name == "done" && m.Report().Usage.Neurons != 5 {
			t.Errorf("%s: %+v", c.name, m.Report().Usage)
		}
	}
}

func TestMeterStreams(t *testing.T) {
	const chunk = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"usage":`
	for _, c := range []struct {
		name          string
		body          string
		want          quota.Usage
		input, output int64
	}{
		{"nothing", "", quota.Usage{}, 0, 0},
		{
			"native", `data: {"response":"tok","p":"ab"}` + "\n\n" + `data: {"response":" en"}` + "\n\n" + `data: {"response":"","usage":{"prompt_tokens":5,"completion_tokens":2,"neurons":0.5}}` + "\n\ndata: [DONE]\n\n",
			quota.Usage{Neurons: 0.5, HasNeurons: true, Input: 5, Output: 2, HasTokens: true},
			5, 2,
		},
		{"native, cut", `data: {"response":"tok"}` + "\n\n" + `data: {"response":" en"}` + "\n\n", quota.Usage{}, 0, 2},
		{
			"increments, then nothing, then the whole", chunk + `{"prompt_tokens":5,"completion_tokens":0,"neurons":0.1}}` + "\n\n" + chunk + `{"prompt_tokens":0,"completion_tokens":1,"neurons":0.2}}` + "\n\n" +
				`data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}` + "\n\n" + `data: {"response":"","usage":{"prompt_tokens":5,"completion_tokens":1,"neurons":0.3}}` + "\n\n",
			quota.Usage{Neurons: 0.3, HasNeurons: true, Input: 5, Output: 1, HasTokens: true},
			5, 2,
		},
		{
			"increments alone", chunk + `{"prompt_tokens":5,"neurons":0.125}}` + "\n\n" + chunk + `{"completion_tokens":1,"neurons":0.25}}` + "\n\n" + chunk + `{"completion_tokens":1,"neurons":0.25}}` + "\n\n",
			quota.Usage{Neurons: 0.625, HasNeurons: true, Input: 5, Output: 2, HasTokens: true},
			5, 3,
		},
		{
			"increments, then a total with empty choices", chunk + `{"prompt_tokens":5,"completion_tokens":1,"neurons":0.125}}` + "\n\n" + chunk + `{"prompt_tokens":0,"completion_tokens":1,"neurons":0.25}}` + "\n\n" +
				`data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"neurons":0.375}}` + "\n\n",
			quota.Usage{Neurons: 0.375, HasNeurons: true, Input: 5, Output: 2, HasTokens: true},
			5, 2,
		},
		{
			"increments, then one more with empty choices", chunk + `{"prompt_tokens":5,"completion_tokens":1,"neurons":0.125}}` + "\n\n" +
				`data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.25}}` + "\n\n",
			quota.Usage{Neurons: 0.375, HasNeurons: true, Input: 5, Output: 2, HasTokens: true},
			5, 2,
		},
		{
			"running totals", chunk + `{"prompt_tokens":5,"completion_tokens":1}}` + "\n\n" + chunk + `{"prompt_tokens":5,"completion_tokens":2}}` + "\n\n" + `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}` + "\n\n",
			quota.Usage{Input: 5, Output: 2, HasTokens: true},
			5, 2,
		},
		{
			"an increment that says no neurons", chunk + `{"prompt_tokens":5,"neurons":0.125}}` + "\n\n" + chunk + `{"completion_tokens":1}}` + "\n\n" + chunk + `{"completion_tokens":1,"neurons":0.25}}` + "\n\n",
			quota.Usage{Input: 5, Output: 2, HasTokens: true},
			5, 3,
		},
		{
			"a last word of zeros", chunk + `{"prompt_tokens":5,"completion_tokens":1,"neurons":0.5}}` + "\n\n" + `data: {"response":"","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}` + "\n\n",
			quota.Usage{Neurons: 0.5, HasNeurons: true, Input: 5, Output: 1, HasTokens: true},
			5, 1,
		},
		{"usage: null", `data: {"choices":[{"delta":{"content":"a"}}],"usage":null}` + "\n\n", quota.Usage{}, 0, 1},
		{
			"Anthropic", "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n" +
				"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n" +
				"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n",
			quota.Usage{Input: 8, Cached: 3, Output: 9, HasTokens: true},
			8, 9,
		},
		{
			"Anthropic: neurons of the input are not those of the whole", `data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":0,"neurons":0.5}}}` + "\n\n" + `data: {"type":"message_delta","usage":{"output_tokens":9}}` + "\n\n",
			quota.Usage{Input: 5, Output: 9, HasTokens: true},
			5, 9,
		},
		{
			"Anthropic, cut", `data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1,"neurons":0.5}}}` + "\n\n" + `data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}` + "\n\n" + `data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}` + "\n\n",
			quota.Usage{},
			5, 2,
		},
		{
			"Responses", `data: {"type":"response.created","response":{"usage":null}}` + "\n\n" + `data: {"type":"response.output_text.delta","delta":"a"}` + "\n\n" + `data: {"type":"response.completed","response":{"output":[{"usage":{"neurons":9}}],"usage":{"input_tokens":4,"input_tokens_details":{"cached_tokens":1},"output_tokens":6,"neurons":0.5}}}` + "\n\n",
			quota.Usage{Neurons: 0.5, HasNeurons: true, Input: 4, Cached: 1, Output: 6, HasTokens: true},
			4, 6,
		},
		{"a native model's JSON is no usage", `data: {"response":{"usage":{"neurons":9,"prompt_tokens":9}}}` + "\n\n", quota.Usage{}, 0, 0},
		{"thoughts count, once", `data: {"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}` + "\n\n", quota.Usage{}, 0, 1},
		{"calls count", `data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}` + "\n\n", quota.Usage{}, 0, 1},
		{"each choice counts", `data: {"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}` + "\n\n", quota.Usage{}, 0, 2},
		{"a long text counts by its length", `data: {"response":"` + strings.Repeat("abcd", 10) + `"}` + "\n\n", quota.Usage{}, 0, 10},
		{"comments and other fields", ": ping\n\nid: 7\nretry: 10\ndata:{\"response\":\"a\"}\n\n", quota.Usage{}, 0, 1},
		{"lines of one event", "data: {\"response\":\ndata: \"a\",\"usage\":{\"prompt_tokens\":\ndata: 5}}\n\n", quota.Usage{Input: 5, HasTokens: true}, 5, 1},
		{"CRLF", "data: {\"usage\":{\"prompt_tokens\":5}}\r\n\r\n", quota.Usage{Input: 5, HasTokens: true}, 5, 0},
		{"no blank line at the end", `data: {"response":"","usage":{"prompt_tokens":5}}`, quota.Usage{Input: 5, HasTokens: true}, 5, 0},
		{"an event cut within its usage", `data: {"response":"a"}` + "\n\n" + `data: {"response":"","usage":{"prompt_tokens":5,"compl`, quota.Usage{Input: 5, HasTokens: true}, 5, 1},
		{"no JSON", "data: [DONE]\n\ndata: }{\n\ndata: \"\n\ndata:\n\n", quota.Usage{}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := func(how string, m *Meter) {
				t.Helper()
				if got := m.Report().Usage; got != c.want {
					t.Errorf("%s: %+v\nwant %+v", how, got, c.want)
				}
				if in, out := observed(m); in != c.input || out != c.output {
					t.Errorf("%s: %d and %d tokens seen, want %d and %d", how, in, out, c.input, c.output)
				}
			}
			check("by events", readStream(c.body))
			m := newStream()
			for i := range len(c.body) {
				m.write([]byte(c.body[i : i+1]))
			}
			m.EndEvent()
			check("byte by byte", m.Meter)
		})
	}
}

// What the meter reads is what the simulator has billed, for each task and protocol whose answer says what it cost.
func TestMeterSimulator(t *testing.T) {
	var call workersai.Call
	sim := workersai.New(workersai.Options{OnCall: func(c workersai.Call) { call = c }})
	const (
		older = simtest.Model
		newer = "@cf/qwen/qwen3-30b-a3b-fp8"
	)
	estimator := price.NewEstimator(nil, price.Bound)
	for _, c := range simtest.Shapes() {
		if !c.ReportsUsage {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			call = workersai.Call{}
			m := meterOf(t, sim, c.Path, c.Body, "x-session-affinity", "s")
			u := m.Report().Usage
			if got := quota.FromFloat(u.Neurons); !u.HasNeurons || call.Neurons == 0 || got != call.Neurons {
				t.Errorf("%v read (%v), %v billed", int64(got), u.HasNeurons, int64(call.Neurons))
			}
			if !u.HasTokens || u.Input != call.Input || u.Cached != call.Cached || u.Output != call.Output {
				t.Errorf("%+v read, %+v billed", u, call)
			}
			if in, out := observed(m); call.Stream && (in != call.Input || out != call.Output) {
				t.Errorf("%d and %d tokens seen, %+v billed", in, out, call)
			}
			u.HasNeurons = false
			if cost, ok := estimator.Cost(estimator.Resolve(call.Model), u); !ok || cost.Neurons != call.Neurons {
				t.Errorf("tokens are priced at %v, %v billed", int64(cost.Neurons), int64(call.Neurons))
			}
		})
	}
	t.Run("speech, by its duration", func(t *testing.T) {
		for _, model := range []string{"@cf/openai/whisper", "@cf/openai/whisper-large-v3-turbo", "@cf/deepgram/nova-3"} {
			u := meterOf(t, sim, "run/"+model, `{"audio":"`+base64.StdEncoding.EncodeToString(make([]byte, 100_000))+`"}`).Report().Usage
			if cost, ok := estimator.Cost(estimator.Resolve(model), u); !ok || u.HasNeurons || cost.Neurons != call.Neurons || call.Neurons == 0 {
				t.Errorf("%s: %+v makes %v, %v billed", model, u, int64(cost.Neurons), int64(call.Neurons))
			}
		}
	})
	t.Run("an image, in JSON", func(t *testing.T) {
		if u := meterOf(t, sim, "run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"a cat"}`).Report().Usage; u.Images != 1 || !u.HasImages || u.HasNeurons {
			t.Errorf("%+v", u)
		}
	})
	t.Run("a batch", func(t *testing.T) {
		path := "run/" + older + "?queueRequest=true"
		id, status := batch(meterOf(t, sim, path, `{"requests":[{"prompt":"one two"},{"prompt":"three"}]}`))
		billed := call.Neurons
		if id == "" || status != "queued" {
			t.Fatalf("submitted: %q %q", id, status)
		}
		if again, status := batch(meterOf(t, sim, path, `{"request_id":"`+id+`"}`)); again != id || status != "queued" {
			t.Errorf("first poll: %q %q", again, status)
		}
		m := meterOf(t, sim, path, `{"request_id":"`+id+`"}`)
		if _, status := batch(m); status != "completed" || quota.FromFloat(m.Report().Usage.Neurons) != billed || billed == 0 {
			t.Errorf("%q %+v, %v billed", status, m.Report().Usage, int64(billed))
		}
	})
	t.Run("a stream that breaks", func(t *testing.T) {
		for _, c := range []struct{ path, model string }{
			{"run/" + older, older}, {"run/" + newer, newer}, {"v1/chat/completions", older}, {"v1/chat/completions", newer}, {"v1/messages", older},
		} {
			m := meterOf(t, sim, c.path, `{"model":"`+c.model+`",`+simtest.Messages+`,"stream":true}`, workersai.SimulateHeader, "midstream=end; after=9")
			in, out := observed(m)
			// The event that did not come was billed.
			if out != call.Output-1 || in != 0 && in != call.Input {
				t.Errorf("%s %s: %d and %d tokens seen, %+v billed", c.path, c.model, in, out, call)
			}
			if u := m.Report().Usage; u.HasNeurons != (c.model == newer) {
				t.Errorf("%s %s: %+v", c.path, c.model, u)
			}
		}
	})
}

// meterOf meters an answer of the simulator.
func meterOf(t *testing.T, sim http.Handler, path, body string, header ...string) *Meter {
	t.Helper()
	w := simtest.Call(t, sim, path, body, header...)
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		return readStream(w.Body.String())
	}
	m := New()
	if _, err := io.Copy(writerFunc(m.Write), w.Body); err != nil {
		t.Fatal(err)
	}
	return m
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// The sum of increments is what the whole costs, to the millionth.
func TestMeterSumsExactly(t *testing.T) {
	m := New()
	for range 100_000 {
		m.event([]byte(`data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.030475}}` + "\n\n"))
	}
	if u := m.Report().Usage; quota.FromFloat(u.Neurons) != 3_047_500_000 || u.Output != 100_000 {
		t.Errorf("%v, %+v", int64(quota.FromFloat(u.Neurons)), u)
	}
}

// An event that is too long to be seen whole is read in pieces.
func TestMeterLongEvent(t *testing.T) {
	event := []byte(`data: {"type":"response.completed","response":{"output":[{"content":[{"text":"` + strings.Repeat(`a \"long\" text `, 20_000) +
		`"}]}],"usage":{"input_tokens":4,"output_tokens":6,"neurons":0.5}}}` + "\n\n")
	m := newStream()
	for part := range chunks(event, 4096) {
		m.write(part)
	}
	if u := m.Report().Usage; u.Neurons != 0.5 || u.Output != 6 {
		t.Errorf("%+v", u)
	}
	m.event([]byte(`data: {"type":"response.output_text.delta","delta":"a"}` + "\n\n"))
	if _, out := observed(m.Meter); out != 6 || m.spoken != 1 {
		t.Errorf("%d tokens seen", out)
	}
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			if !yield(b[:min(n, len(b))]) {
				return
			}
			b = b[min(n, len(b)):]
		}
	}
}

func TestMeterAllocations(t *testing.T) {
	m := New()
	events := [][]byte{
		[]byte(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.0304751234}}` + "\n\n"),
		[]byte(`data: {"response":"a","p":"abcdef"}` + "\n\n"),
		[]byte(`data: {"response":"","usage":{"prompt_tokens":10,"completion_tokens":1,"neurons":0.0304751234}}` + "\n\n"),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, e := range events {
			m.event(e)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Any split of the bytes gives the same usage.
func FuzzMeter(f *testing.F) {
	for _, seed := range []string{
		`{"result":{"response":"h\"i\u00e9","usage":{"prompt_tokens":12,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4},"neurons":0.25}},"success":true}`,
		`{"us\u0061ge":{"neurons":1e-3},"result":{"image":"abc","responses":[1],"request_id":"8","status":"queued"}}`,
		`{"a":[[{"b":[]}]],"usage":{"neurons":-1,"total_tokens":4`,
		"data: {\"response\":\"tok\",\"p\":\"a\"}\n\ndata: {\"response\":\"\",\"usage\":{\"prompt_tokens\":5,\"neurons\":0.5}}\n\ndata: [DONE]\n\n",
		"event: x\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5}}\r\n\r\n: c\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\n",
		"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":1}}\n\n",
		`]]]]`, `,`, `{"usage":}`, `1 2`, `"usage"`, "data: 1,\n\ndata:]\n\n",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	sim := workersai.New(workersai.Options{})
	for _, c := range simtest.Shapes() {
		if answer := simtest.Call(f, sim, c.Path, c.Body).Body.Bytes(); len(answer) < 64<<10 {
			f.Add(answer, uint8(7))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		same := func(how string, a, b *Meter) {
			if got, want := b.Report(), a.Report(); got != want {
				t.Errorf("%s in pieces: got %+v, want %+v as at once", how, got, want)
			}
			u := a.Report().Usage
			for _, x := range []float64{u.Neurons, u.AudioSeconds, float64(u.Input), float64(u.Output), float64(u.Cached)} {
				if x < 0 || math.IsNaN(x) || math.IsInf(x, 0) {
					t.Errorf("%s: %+v", how, u)
				}
			}
		}
		size := max(int(n), 1)
		whole, parts := New(), New()
		whole.Write(b)
		for p := range chunks(b, size) {
			parts.Write(p)
		}
		same("an answer", whole, parts)
		all, pieces := newStream(), newStream()
		all.write(b)
		for p := range chunks(b, size) {
			pieces.write(bytes.Clone(p))
		}
		all.EndEvent()
		pieces.EndEvent()
		same("a stream", all.Meter, pieces.Meter)
	})
}

func BenchmarkMeter(b *testing.B) {
	for name, event := range map[string]string{
		"native":      `data: {"response":" token","p":"abdefghij"}` + "\n\n",
		"incremental": `data: {"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1763800000,"model":"@cf/qwen/qwen3-30b-a3b-fp8","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"usage":{"prompt_tokens":0,"completion_tokens":1,"total_tokens":1,"prompt_tokens_details":{"cached_tokens":0},"neurons":0.030475},"p":"abdefghijklmn"}` + "\n\n",
	} {
		b.Run("1000 events "+name, func(b *testing.B) {
			e := []byte(event)
			b.ReportAllocs()
			for b.Loop() {
				m := New()
				for range 1000 {
					m.event(e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
		})
	}
	for name, body := range map[string]string{
		"completion": `{"result":{"response":"` + strings.Repeat("some words of an answer ", 40) + `","usage":{"prompt_tokens":12,"completion_tokens":3,"neurons":0.25}},"success":true}`,
		"embedding":  `{"result":{"shape":[1,768],"data":[[` + strings.Repeat("-0.0123456789,", 767) + `0]],"usage":{"prompt_tokens":12,"neurons":0.25}},"success":true}`,
		"image":      `{"result":{"image":"` + strings.Repeat("abcd", 250_000) + `"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(body)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				New().Write(p)
			}
		})
	}
}
