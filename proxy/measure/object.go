package measure

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// object reads an object and measures its fields.
func (r *reader) object(f *findings, at scope) error {
	seen := repeated(0)
	f.self.place = place{open: r.Offset() + 1, empty: true}
	return r.Object(func(name []byte) error {
		f.self.empty = false
		if err := seen.add(name); err != nil {
			return err
		}
		if at.namesBatch {
			switch string(name) {
			case "request_id", "model", "stream", "options", "queueRequest":
			default:
				// What the input of a body has is seen there.
				r.j.hasWork = r.j.hasWork || !at.top || string(name) != "input" || r.Peek() != '{'
			}
		}
		switch string(name) {
		case "messages", "prompt", "text":
			f.self.prompted = true
		}
		switch string(name) {
		case "model", "stream", "options", "queueRequest", "requests":
		default:
			f.content = f.content || string(name) != "input" || r.Peek() != '{'
		}
		return r.field(f, at, name)
	})
}

// field reads the value of a field.
func (r *reader) field(f *findings, at scope, name []byte) error {
	switch string(name) {
	case "model":
		if at.inspected {
			return r.model()
		}
	case "stream":
		if at.inspected {
			return r.stream()
		}
	case "request_id":
		if at.namesBatch {
			return r.batchID()
		}
	case "requests":
		if r.native() && !f.inBatch {
			return r.batch(f)
		}
	case "input":
		return r.input(f, at)
	case "messages", "system", "state":
		return r.messages(f)
	case "tools", "functions":
		f.tools = true
	case "previous_response_id", "conversation", "file_id", "file_url", "video_url":
		return r.reference(f)
	case "file":
		return r.part(f, true)
	case "prompt":
		if r.Peek() == '{' { // one that upstream has stored
			return r.reference(f)
		}
		return r.texts(f)
	case "text", "transcript", "contexts", "documents", "passages":
		return r.texts(f)
	case "image", "images", "image_b64", "mask", "mask_b64", "mask_image":
		return r.picture(f)
	case "audio":
		return r.audio(f)
	case "url":
		f.secondsWithURL += fetchedSeconds
	case "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "num_return_sequences", "best_of",
		"num_images", "num_outputs", "width", "height", "size", "image_size",
		"steps", "num_steps", "num_inference_steps":
		return r.figure(f, string(name))
	}
	switch {
	case at.options != nil && isOptions(name):
		return r.options(at.options)
	case at.top && bytes.EqualFold(name, []byte("input")):
		return r.inputOptions()
	}
	return r.Skip()
}

// input reads the field "input": the parameters of a native call, or messages or texts.
func (r *reader) input(f *findings, at scope) error {
	if r.native() && !f.nestedInput && r.Peek() == '{' {
		f.nestedInput = true
		outer := f.self
		f.self = level{}
		defer func() { f.self, f.input = outer, f.self }()
		inner := scope{inspected: at.inspectInput, namesBatch: at.top}
		if at.top {
			inner.options = &r.j.busy.input
		}
		if at.inspectInput {
			return r.within(func() error { return r.object(f, inner) })
		}
		return r.object(f, inner)
	}
	f.promptInput = r.native()
	if at.top {
		if r.Peek() == '{' {
			return r.inputOptions()
		}
		r.expectNull()
	}
	return r.messages(f)
}

// figure reads a field that is a number, or should be.
func (r *reader) figure(f *findings, name string) error {
	start, first := r.Offset(), r.Peek()
	if err := r.Skip(); err != nil {
		return err
	}
	f.self.limited = f.self.limited || isLimit(name) && first != 'n'
	f.self.stepped = f.self.stepped || strings.HasSuffix(name, "steps") && first != 'n'
	switch {
	case first == '"' || first == '-' || first-'0' < 10:
		f.figure(name, r.Since(start), r.Protocol)
	case first != 'n' && isLimit(name): // null counts as absent
		f.OddLimit = true
	case name == LimitField(r.Protocol):
		f.self.null = span{start, r.Offset()}
	}
	return nil
}

func isLimit(name string) bool {
	return name == "max_tokens" || name == "max_completion_tokens" || name == "max_output_tokens"
}

// isTokenLimit reports whether a raw value is a limit of output tokens: a positive whole number.
func isTokenLimit(raw []byte) bool {
	text := string(raw)
	if len(raw) > 1 && raw[0] == '"' {
		if unquoted, err := jsonscan.Unquote(raw); err == nil {
			text = strings.TrimSpace(unquoted)
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && v >= 1 && v == math.Trunc(v)
}

// figure measures the raw value of a field.
func (f *findings) figure(name string, raw []byte, protocol normalize.Protocol) {
	raise := func(to *int64) { *to = max(*to, wholeNumber(raw)) }
	limit := func(known bool) {
		to := &f.otherLimit
		if known {
			to = &f.MaxTokens
		}
		*to = max(*to, wholeNumber(raw))
		f.OddLimit = f.OddLimit || !isTokenLimit(raw)
	}
	switch name {
	case "max_tokens":
		limit(protocol != normalize.ProtocolResponses)
	case "max_completion_tokens":
		limit(protocol == normalize.ProtocolOpenAI)
	case "max_output_tokens":
		limit(protocol == normalize.ProtocolResponses)
	case "n":
		raise(&f.Answers)
		raise(&f.MakeImages)
	case "num_return_sequences", "best_of":
		raise(&f.Answers)
	case "num_images", "num_outputs":
		raise(&f.MakeImages)
	case "width":
		raise(&f.Width)
	case "height":
		raise(&f.Height)
	case "steps", "num_steps", "num_inference_steps":
		raise(&f.Steps)
	case "size", "image_size":
		w, h := sides(raw)
		f.Width, f.Height = max(f.Width, w), max(f.Height, h)
	}
}

// texts reads a text, or a list of them.
func (r *reader) texts(f *findings) error {
	if r.Peek() == '[' {
		return r.list(f, &f.listedTexts, r.Skip)
	}
	return r.singleText(f)
}

func (r *reader) singleText(f *findings) error {
	if r.Peek() != '"' {
		return r.Skip()
	}
	from := r.Offset()
	characters, err := r.Text()
	r.addSpoken(f, from)
	f.Texts, f.Characters = max(f.Texts, 1), max(f.Characters, characters)
	return err
}

// list reads a list of texts, or of objects with texts, and raises spoken to the characters in it: a model for speech
// may speak all of them. Of an object each byte counts.
func (r *reader) list(f *findings, spoken *int64, other func() error) error {
	var n, characters int64
	from := r.Offset()
	err := r.Array(func() error {
		n++
		if r.Peek() == '"' {
			c, err := r.Text()
			characters += c
			return err
		}
		start := r.Offset()
		err := other()
		characters += r.Offset() - start
		return err
	})
	r.addSpoken(f, from)
	f.Texts, *spoken = max(f.Texts, n), max(*spoken, characters)
	return err
}

// maxRequests is how many requests a batch may have.
const maxRequests = 10_000

// batch reads a list of requests and measures each of them. What is no list of objects cannot be measured, and
// is refused.
func (r *reader) batch(f *findings) error {
	if r.Peek() != '[' {
		return &jsonscan.FieldError{Field: "requests", Text: `The field "requests" must be a list of objects.`}
	}
	f.requests = true
	n := 0
	return r.Array(func() error {
		if n++; n > maxRequests {
			return &jsonscan.FieldError{
				Field: "requests", Text: `The field "requests" has more than 10,000 requests; send several batches.`,
			}
		}
		if r.Peek() != '{' {
			return &jsonscan.FieldError{Field: "requests", Text: `The field "requests" must be a list of objects.`}
		}
		one := findings{inBatch: true}
		if err := r.body(&one, scope{}); err != nil {
			return err
		}
		f.media += one.size // counted there
		f.add(&one, r.j.text)
		return nil
	})
}
