package event

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
)

// Whatever an event is, what is sent in its place and the failure that follows it are events of valid JSON.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`data: {"id":"1","choices":[{"delta":{"content":"a"}}],"usage":{"neurons":1},"p":"x"}` + "\n\n",
		"id: 1\nevent: x\ndata: {\"usage\":{},\ndata: \"choices\":[{}]}\r\n: c\r\n\r\n",
		`data: {"response":"","usage":{"prompt_tokens":5,"neurons":1.25}}` + "\n\n",
		`data: {"type":"response.created","response":{"id":"r","output":[]},"sequence_number":9}` + "\n\n",
		`data: {"type":"response.created","response":{"id":"r","tools":[{"sequence_number":9}],` + "\ndata: " +
			`"created_at":1}}` + "\n\n",
		`data: {"sequence_number": 9223372036854775807}` + "\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		raw, _ := sse.Cut(slices.Concat(stream, []byte("\n\n"))) // the stream ends no event half-way
		e := sse.Parse(raw)
		before := bytes.Clone(raw)
		var h ChunkHead
		h.Note(e.Data)
		if json.Valid(e.Data) {
			wantEvent(t, "without its usage", WithoutUsage(nil, raw, e.Data), &e)
			wantEvent(t, "with its usage repaired", h.RepairUsage(e.Data, "c", "m", 1), &sse.Event{})
		}
		var r Response
		r.Note(e.Data)
		failed := r.AppendFailed(nil, &normalize.Failure{Code: normalize.StreamInterrupted}, "r", "m", 1)
		wantEvent(t, "the failure", failed, &sse.Event{Name: []byte("response.failed")})
		if !bytes.Equal(raw, before) {
			t.Errorf("the event itself: got %q, want it as before, %q", raw, before)
		}
	})
}

// wantEvent checks that raw, if there is any, is one whole event of JSON with the name of another one.
func wantEvent(t *testing.T, what string, raw []byte, like *sse.Event) {
	t.Helper()
	if raw == nil {
		return
	}
	event, rest := sse.Cut(raw)
	if len(rest) > 0 || !bytes.HasSuffix(event, []byte("\n\n")) {
		t.Errorf("%s: got %q and %q, want one event with a blank line at its end", what, event, rest)
	}
	e := sse.Parse(event)
	if !json.Valid(e.Data) {
		t.Errorf("%s: got the data %q, want JSON", what, e.Data)
	}
	if !bytes.Equal(e.Name, like.Name) {
		t.Errorf("%s: got the name %q, want %q", what, e.Name, like.Name)
	}
}
