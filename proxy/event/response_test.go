package event

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
)

func TestResponseFails(t *testing.T) {
	const (
		created = `{"type":"response.created","response":{"id":"resp_7","object":"response","created_at":3,` +
			`"status":"in_progress","error":null,"model":"@cf/x","tools":[{"name":"f"}]},"sequence_number":0}`
		delta = `{"type":"response.output_text.delta","sequence_number": 4,"delta":"\"sequence_number\":9"}`
	)
	unknown := map[string]any{
		"id": "resp_1", "object": "response", "created_at": 17.0, "model": "m", "output": []any{}, "usage": nil,
		"incomplete_details": nil,
	}
	known := map[string]any{
		"id": "resp_7", "object": "response", "created_at": 3.0, "model": "@cf/x", "output": []any{},
		"tools": []any{map[string]any{"name": "f"}},
	}
	large := func(id string) string { // more than is repeated
		return `{"type":"response.created","response":{"tools":[{"sequence_number":9,"x":"` +
			strings.Repeat("x", maxResponse) + `"}],"id":"` + id + `","object":"response","created_at":3,` +
			`"status":"in_progress","error":null,"model":"@cf/x","output":[]},"sequence_number":2}`
	}
	head := maps.Clone(unknown)
	maps.Copy(head, map[string]any{"id": "resp_7", "created_at": 3.0, "model": "@cf/x"})
	for _, c := range []struct {
		name     string
		events   []string
		sequence float64
		response map[string]any
	}{
		{"nothing came", nil, 0, unknown},
		{"an event before", []string{created}, 1, known},
		{"text that looks like a number", []string{created, delta}, 5, known},
		{"data of several lines", []string{strings.ReplaceAll(created, ",", ",\n"), delta}, 5, known},
		{
			"a response that is too long",
			[]string{`{"response":{"id":"` + strings.Repeat("x", maxResponse) + `"}}`},
			0,
			unknown,
		},
		{"a response that is too long keeps its head", []string{large("resp_7")}, 3, head},
		{"whose id is too long", []string{large(strings.Repeat("x", maxMember))}, 3, unknown},
		{
			"a number within the response",
			[]string{strings.Replace(created, `"name":"f"`, `"name":"f","sequence_number":9`, 1)},
			1,
			map[string]any{
				"id": "resp_7", "object": "response", "created_at": 3.0, "model": "@cf/x", "output": []any{},
				"tools": []any{map[string]any{"name": "f", "sequence_number": 9.0}},
			},
		},
		{
			"the last number there is",
			[]string{created, `{"sequence_number":9223372036854775807}`},
			1,
			known,
		},
		{
			"the last number there is, beside a response",
			[]string{created, `{"sequence_number":9223372036854775807,"response":{}}`},
			1, known,
		},
		{"text that is the word", []string{`{"delta":"response","sequence_number":4}`, created}, 1, known},
		{"a response without an id", []string{`{"response":{"usage":null}}`}, 0, unknown},
		{"no JSON", []string{`"sequence_number":"7`, `{"response":{`, `"sequence_number"`}, 0, unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Response
			for _, e := range c.events {
				r.Note([]byte(e))
			}
			f := &normalize.Failure{Code: normalize.StreamInterrupted, RequestID: "req"}
			raw := string(r.AppendFailed(nil, f, "resp_1", "m", 17))
			if got := strings.Count(raw, "\n"); got != 3 {
				t.Errorf("lines: got %d, want 3: %q", got, raw)
			}
			e := sse.Parse([]byte(raw))
			var got struct {
				Type     string
				Sequence float64 `json:"sequence_number"`
				Response map[string]any
				Error    struct{ Name string }
			}
			if err := json.Unmarshal(e.Data, &got); err != nil {
				t.Fatalf("got error %v, want JSON: %s", err, e.Data)
			}
			if got.Type != "response.failed" || string(e.Name) != got.Type {
				t.Errorf("got the name %q and the type %q, want response.failed", e.Name, got.Type)
			}
			if got.Sequence != c.sequence {
				t.Errorf("sequence_number: got %v, want %v", got.Sequence, c.sequence)
			}
			if got.Error.Name != "stream_interrupted" {
				t.Errorf("error.name: got %q, want stream_interrupted", got.Error.Name)
			}
			want := map[string]any{"status": "failed", "error": map[string]any{
				"code": f.Word(), "message": f.Resolved().Message,
			}}
			maps.Copy(want, c.response)
			a, _ := json.Marshal(got.Response)
			b, _ := json.Marshal(want)
			if string(a) != string(b) {
				t.Errorf("response:\n got %s\nwant %s", a, b)
			}
		})
	}
}

func TestWithoutUsage(t *testing.T) {
	const choices = `"choices":[{"index":0,"delta":{"content":"a"}}]`
	for _, c := range []struct{ name, data, want string }{
		{"at the end", `{"id":"1",` + choices + `,"usage":{"neurons":1}}`, `{"id":"1",` + choices + `}`},
		{"in between", `{` + choices + `, "usage": {"neurons":1}, "p":"x"}`, `{` + choices + `,"p":"x"}`},
		{"first", `{"usage":{},` + choices + `}`, `{` + choices + `}`},
		{"twice", `{"usage":{},` + choices + `,"usage":{}}`, `{` + choices + `}`},
		{"lines", "{\n" + choices + ",\n\"usage\":{},\n\"x\":[1,\n2]\n}", `{` + choices + `,"x":[1, 2]}`},
		{"without choices", `{"choices":[],"usage":{"neurons":1}}`, ""},
		{"without choices, spaced", `{"choices": [ ],"usage":{"neurons":1}}`, ""},
		{"null", `{` + choices + `,"usage":null}`, ""},
		{"no choices at all", `{"response":"a","usage":{"neurons":1}}`, ""},
		{"in a choice", `{"choices":[{"usage":{}}]}`, ""},
		{"in a text", `{"choices":[{"delta":{"content":"\"usage\":{}"}}]}`, ""},
		{"no JSON", `{` + choices + `,"usage":{`, ""},
	} {
		want := c.want
		if want != "" {
			want = "data: " + want + "\n\n"
		}
		raw := "data: " + strings.ReplaceAll(c.data, "\n", "\ndata: ") + "\n\n"
		if got := string(WithoutUsage(nil, []byte(raw), []byte(c.data))); got != want {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}
