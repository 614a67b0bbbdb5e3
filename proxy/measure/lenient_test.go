package measure

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota/workload"
)

// A lenientReader reads a body that Scan took, as encoding/json reads it, and takes the first or the last of two
// fields of one name. What it reads must be what was found.
type lenientReader struct {
	*testing.T
	last bool
	got  *JSON
	o    Options
	text workload.Request // what was found, for a model of text
}

// compareLenient compares what was found in a body, from which what stands in front is cut, with what lenient readers
// find there.
func compareLenient(t *testing.T, body []byte, o Options, got *JSON) {
	t.Helper()
	for _, last := range []bool{false, true} {
		r := lenientReader{T: t, last: last, got: got, o: o, text: got.Request(workload.TextGeneration)}
		fields := r.object(body)
		input := r.object(fields["input"])
		if o.InputOnly {
			r.named(fields)
			r.named(input)
			r.call(input)
			continue
		}
		r.named(fields)
		r.call(fields)
		if o.Nested {
			r.named(input)
		}
		r.batchID(input)
		r.call(input)
	}
}

// object returns the members of an object; nil of anything else.
func (r *lenientReader) object(text []byte) map[string]json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			r.Fatalf("%q: got %v, want a name", text, err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			r.Fatalf("%q: got %v, want a value", text, err)
		}
		if _, given := fields[name.(string)]; !given || r.last {
			fields[name.(string)] = value
		}
	}
	return fields
}

// named checks the fields that say whose call it is, and for what.
func (r *lenientReader) named(fields map[string]json.RawMessage) {
	var model string
	if json.Unmarshal(fields["model"], &model) == nil && model != "" && r.got.Model != model {
		r.Errorf("last %v: got model %q, want %q", r.last, r.got.Model, model)
	}
	if string(fields["stream"]) == "true" && !r.got.Stream {
		r.Errorf("last %v: got no stream, want one", r.last)
	}
	r.batchID(fields)
}

func (r *lenientReader) batchID(fields map[string]json.RawMessage) {
	var id string
	if json.Unmarshal(fields["request_id"], &id) == nil && id != "" && r.got.RequestID() != id {
		r.Errorf("last %v: got the batch %q, want %q", r.last, r.got.RequestID(), id)
	}
}

// call checks what the parameters of a call were measured as, with the requests of a batch among them.
func (r *lenientReader) call(fields map[string]json.RawMessage) {
	alone := r.text
	if n := len(alone.Parts); n > 0 { // the last one is what stands beside the requests
		alone = alone.Parts[n-1]
	}
	r.measured(fields, alone)
	var requests []json.RawMessage
	if fields["requests"] == nil {
		return
	}
	if err := json.Unmarshal(fields["requests"], &requests); err != nil {
		r.Errorf("last %v: got the requests %s measured, want them refused: %v", r.last, fields["requests"], err)
	}
	if len(requests) > maxParts {
		return
	}
	if len(r.text.Parts) < len(requests) {
		r.Errorf("last %v: got %d parts, want %d at least", r.last, len(r.text.Parts), len(requests))
		return
	}
	if len(r.text.Parts) > len(requests)+1 {
		return // there are two lists: whose parts are whose is not known
	}
	for i, request := range requests {
		one := r.object(request)
		if one == nil {
			r.Errorf("last %v: got the request %s measured, want it refused", r.last, request)
		}
		r.measured(one, r.text.Parts[i])
		if input := r.object(one["input"]); input != nil {
			r.measured(input, r.text.Parts[i])
		}
	}
}

// measured checks that a measurement is not below what some fields ask for.
func (r *lenientReader) measured(fields map[string]json.RawMessage, q workload.Request) {
	named := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return fields[name] != nil && string(fields[name]) != "null"
		})
	}
	if bounded := q.MaxTokens > 0 && !q.MayIgnoreLimit && !q.OddLimit; bounded && named("prompt", "messages") &&
		!named("max_tokens", "max_completion_tokens", "max_output_tokens") {
		r.Errorf("last %v: got a limit of %d tokens, want none: %s has none", r.last, q.MaxTokens, fields)
	}
	if raw := fields["max_tokens"]; raw != nil && string(raw) != "null" {
		limit, ok := lenientNumber(raw)
		if odd := !ok || limit < 1 || limit != math.Trunc(limit); odd && !q.OddLimit {
			r.Errorf("last %v: got a limit for %s, want none", r.last, raw)
		}
		if want := min(limit, maxFigure); float64(q.MaxTokens) < want {
			r.Errorf("last %v: got %d tokens for a limit of %s, want at least %v", r.last, q.MaxTokens, raw, want)
		}
	}
	if answers, ok := lenientNumber(fields["n"]); ok {
		if want := min(answers, maxFigure); float64(q.Answers) < want {
			r.Errorf("last %v: got %d answers, want at least %v", r.last, q.Answers, want)
		}
	}
	if prompt := fields["prompt"]; q.PromptBytes < int64(len(prompt)) {
		r.Errorf("last %v: got a prompt of %d bytes, want at least %d", r.last, q.PromptBytes, len(prompt))
	}
}

// lenientNumber reads a number, also one in a string.
func lenientNumber(raw json.RawMessage) (float64, bool) {
	text := string(raw)
	if strings.HasPrefix(text, `"`) && json.Unmarshal(raw, &text) != nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n, (err == nil || math.IsInf(n, 0)) && !math.IsNaN(n)
}
