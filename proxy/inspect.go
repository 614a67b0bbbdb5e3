package proxy

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// An inspection is what this proxy must know of a JSON body before it calls
// upstream. Fields that are absent, or that upstream would refuse, stay zero.
type inspection struct {
	Model  string
	Stream bool

	input, inputEnd int // where the object "input" of a nested body stands; inputEnd 0: nowhere
}

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
		unescaped, err := jsonscan.Unquote(rawName)
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
	s := jsonscan.Scanner{Data: body}
	var found inspection
	s.Space()
	if s.Pos == len(body) {
		return found, errors.New("the body is empty")
	}
	if body[s.Pos] != '{' {
		return found, errors.New("the body must be a JSON object")
	}
	if err := found.object(&s, nested); err != nil {
		return inspection{}, err
	}
	s.Space()
	if s.Pos != len(body) {
		return inspection{}, s.Wrong("more after the end of the object")
	}
	return found, nil
}

// object reads an object whose fields are inspected. The caller has seen '{'.
func (n *inspection) object(s *jsonscan.Scanner, nested bool) error {
	seen := 0
	return s.Members(func(rawName []byte) error {
		field, err := inspected(rawName)
		if err != nil {
			return err
		}
		if field == 0 || (field == fieldInput && !nested) {
			return s.Value(2)
		}
		if seen&field != 0 {
			name, _ := jsonscan.Unquote(rawName)
			return &jsonscan.FieldError{Field: name, Text: fmt.Sprintf("The field %q is given twice; give it once.", name)}
		}
		seen |= field
		if field == fieldInput && s.Pos < len(s.Data) && s.Data[s.Pos] == '{' {
			n.input = s.Pos
			err := n.object(s, false)
			n.inputEnd = s.Pos
			return err
		}
		start := s.Pos
		if err := s.Value(2); err != nil {
			return err
		}
		return n.set(field, s.Data[start:s.Pos])
	})
}

// set takes one inspected value. Limits of tokens are looked at for being given
// twice alone; measure reads what they say. A value of a form that upstream will refuse is
// left for it to refuse, in its own words.
func (n *inspection) set(field int, raw []byte) error {
	switch field {
	case fieldModel:
		if raw[0] != '"' {
			return &jsonscan.FieldError{Field: "model", Text: `The field "model" must be a string such as "@cf/meta/llama-3.1-8b-instruct-fp8".`}
		}
		model, err := jsonscan.Unquote(raw)
		if err != nil {
			return err
		}
		if n.Model != "" && n.Model != model {
			return &jsonscan.FieldError{Field: "model", Text: `The body names two models, in "model" and in "input"; name one.`}
		}
		n.Model = model
	case fieldStream:
		n.Stream = n.Stream || string(raw) == "true"
	}
	return nil
}
