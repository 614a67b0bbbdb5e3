package jsonscan

import (
	"encoding/json"
	"fmt"
)

// MaxDepth bounds how deep a JSON body may nest. Real bodies nest about ten
// levels; a deep one is an attack on whoever parses it.
const MaxDepth = 1000

// FieldError marks a body that is JSON but says something that can't be acted on.
// Anything else that a scan returns means that the body is no JSON object.
type FieldError struct {
	Field string // "" for the body as a whole
	Text  string
}

func (e *FieldError) Error() string { return e.Text }

// Scanner walks JSON text. Pos is the offset of the next byte.
type Scanner struct {
	Data []byte
	Pos  int
}

// Wrong returns an error that names the present offset.
func (s *Scanner) Wrong(what string) error {
	return fmt.Errorf("%s at byte %d", what, s.Pos)
}

// The JSON walk behind inspect. It is written out, rather than taken from
// encoding/json, because it must see a field that is given twice, must not
// allocate for a body of megabytes, and runs on every call.

// Members reads an object and calls visit at each value, with the member's name
// as it stands, quotes included. visit must consume the value.
func (s *Scanner) Members(visit func(rawName []byte) error) error {
	s.Pos++ // '{'
	s.Space()
	if s.eat('}') {
		return nil
	}
	for {
		start := s.Pos
		if start == len(s.Data) || s.Data[start] != '"' {
			return s.Wrong("a field name is missing")
		}
		if err := s.text(); err != nil {
			return err
		}
		name := s.Data[start:s.Pos]
		s.Space()
		if !s.eat(':') {
			return s.Wrong("a colon is missing")
		}
		s.Space()
		if err := visit(name); err != nil {
			return err
		}
		s.Space()
		switch {
		case s.eat('}'):
			return nil
		case !s.eat(','):
			return s.Wrong("a comma or a closing brace is missing")
		}
		s.Space()
	}
}

// Value skips one value at the given depth, checking it.
func (s *Scanner) Value(depth int) error {
	if depth > MaxDepth {
		return &FieldError{Text: "The body nests deeper than 1,000 levels."}
	}
	if s.Pos == len(s.Data) {
		return s.Wrong("the body ends early")
	}
	switch c := s.Data[s.Pos]; c {
	case '{':
		return s.Members(func([]byte) error { return s.Value(depth + 1) })
	case '[':
		return s.Elements(func() error { return s.Value(depth + 1) })
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// Elements reads an array and calls visit at each element. visit must consume
// it.
func (s *Scanner) Elements(visit func() error) error {
	s.Pos++
	s.Space()
	if s.eat(']') {
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		s.Space()
		switch {
		case s.eat(']'):
			return nil
		case !s.eat(','):
			return s.Wrong("a comma or a closing bracket is missing")
		}
		s.Space()
	}
}

// text skips a string, quotes included.
func (s *Scanner) text() error {
	b := s.Data
	for i := s.Pos + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			s.Pos = i + 1
			return nil
		case c < 0x20:
			s.Pos = i
			return s.Wrong("a control character inside a string")
		case c == '\\':
			i++
			if i == len(b) {
				continue
			}
			if b[i] == 'u' {
				if i+4 >= len(b) || !hexDigit(b[i+1]) || !hexDigit(b[i+2]) || !hexDigit(b[i+3]) || !hexDigit(b[i+4]) {
					s.Pos = i
					return s.Wrong("a broken \\u escape")
				}
				i += 4
			} else if !escapable(b[i]) {
				s.Pos = i
				return s.Wrong("an unknown escape")
			}
		}
	}
	s.Pos = len(b)
	return s.Wrong("the body ends inside a string")
}

func hexDigit(c byte) bool {
	return c-'0' < 10 || c-'a' < 6 || c-'A' < 6
}

func escapable(c byte) bool {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func (s *Scanner) word(w string) error {
	if len(s.Data)-s.Pos < len(w) || string(s.Data[s.Pos:s.Pos+len(w)]) != w {
		return s.Wrong("no value")
	}
	s.Pos += len(w)
	return nil
}

func (s *Scanner) number() error {
	s.eat('-')
	switch {
	case s.eat('0'):
	case !s.digits():
		return s.Wrong("no value")
	}
	if s.eat('.') && !s.digits() {
		return s.Wrong("a broken number")
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		if !s.digits() {
			return s.Wrong("a broken number")
		}
	}
	return nil
}

func (s *Scanner) digits() bool {
	start := s.Pos
	for s.Pos < len(s.Data) && s.Data[s.Pos]-'0' < 10 {
		s.Pos++
	}
	return s.Pos > start
}

func (s *Scanner) eat(c byte) bool {
	if s.Pos < len(s.Data) && s.Data[s.Pos] == c {
		s.Pos++
		return true
	}
	return false
}

func (s *Scanner) Space() {
	for s.Pos < len(s.Data) {
		switch s.Data[s.Pos] {
		case ' ', '\t', '\n', '\r':
			s.Pos++
		default:
			return
		}
	}
}

// Unquote reads a JSON string that has been scanned.
func Unquote(raw []byte) (string, error) {
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
