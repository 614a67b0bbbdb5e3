package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth bounds how deep a JSON body may nest. Real bodies nest about ten
// levels; a deep one is an attack on whoever parses it.
const maxDepth = 1000

// An inspection is what this proxy must know of a JSON body before it calls
// upstream. Fields that are absent, or that upstream would refuse, stay zero.
type inspection struct {
	Model  string
	Stream bool

	input, inputEnd int // where the object "input" of a nested body stands; inputEnd 0: nowhere
}

// errInput marks a body that is JSON but says something that can't be acted on.
// Anything else that inspect returns means that the body is no JSON object.
type errInput struct {
	field string
	text  string
}

func (e *errInput) Error() string { return e.text }

// The fields that are inspected, in the body itself or, on run with the model
// in the body, in its "input" object.
const (
	fieldModel = 1 << iota
	fieldStream
	fieldMaxTokens
	fieldMaxCompletionTokens
	fieldInput
)

// inspected returns the field that a member's raw name stands for, 0 for one
// that does not matter here.
func inspected(rawName []byte) (field int, err error) {
	name := rawName[1 : len(rawName)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		unescaped, err := unquote(rawName)
		if err != nil {
			return 0, err
		}
		name = []byte(unescaped)
	}
	switch string(name) {
	case "model":
		return fieldModel, nil
	case "stream":
		return fieldStream, nil
	case "max_tokens":
		return fieldMaxTokens, nil
	case "max_completion_tokens":
		return fieldMaxCompletionTokens, nil
	case "input":
		return fieldInput, nil
	}
	return 0, nil
}

// inspect reads a JSON object in one pass, checking all of it. Names are
// compared after unescaping and case-sensitively, as upstream compares them. An
// inspected field that is given twice is refused: parsers disagree on which one
// counts, and a price or an allow-list must not rest on the other one.
//
// nested says that the parameters may stand in the field "input".
func inspect(body []byte, nested bool) (inspection, error) {
	s := scanner{b: body}
	var found inspection
	s.space()
	if s.i == len(body) {
		return found, errors.New("the body is empty")
	}
	if body[s.i] != '{' {
		return found, errors.New("the body must be a JSON object")
	}
	if err := s.object(&found, nested); err != nil {
		return inspection{}, err
	}
	s.space()
	if s.i != len(body) {
		return inspection{}, s.wrong("more after the end of the object")
	}
	return found, nil
}

// scanner walks JSON text. i is the offset of the next byte.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) wrong(what string) error {
	return fmt.Errorf("%s at byte %d", what, s.i)
}

// object reads an object whose fields are inspected. The caller has seen '{'.
func (s *scanner) object(found *inspection, nested bool) error {
	seen := 0
	return s.members(func(rawName []byte) error {
		field, err := inspected(rawName)
		if err != nil {
			return err
		}
		if field == 0 || (field == fieldInput && !nested) {
			return s.value(2)
		}
		if seen&field != 0 {
			name, _ := unquote(rawName)
			return &errInput{field: name, text: fmt.Sprintf("The field %q is given twice; give it once.", name)}
		}
		seen |= field
		if field == fieldInput && s.i < len(s.b) && s.b[s.i] == '{' {
			found.input = s.i
			err := s.object(found, false)
			found.inputEnd = s.i
			return err
		}
		start := s.i
		if err := s.value(2); err != nil {
			return err
		}
		return found.set(field, s.b[start:s.i])
	})
}

// set takes one inspected value. Limits of tokens are looked at for being given
// twice alone; measure reads what they say. A value of a form that upstream will refuse is
// left for it to refuse, in its own words.
func (n *inspection) set(field int, raw []byte) error {
	switch field {
	case fieldModel:
		if raw[0] != '"' {
			return &errInput{field: "model", text: `The field "model" must be a string such as "@cf/meta/llama-3.1-8b-instruct-fp8".`}
		}
		model, err := unquote(raw)
		if err != nil {
			return err
		}
		if n.Model != "" && n.Model != model {
			return &errInput{field: "model", text: `The body names two models, in "model" and in "input"; name one.`}
		}
		n.Model = model
	case fieldStream:
		n.Stream = n.Stream || string(raw) == "true"
	}
	return nil
}

// unquote reads a JSON string that has been scanned.
func unquote(raw []byte) (string, error) {
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			var text string
			err := json.Unmarshal(raw, &text)
			return text, err
		}
	}
	return string(inner), nil
}
