package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxDepth limits how deep a text may nest. Real bodies nest about ten levels; a deeper one is an attack on whoever parses it.
const MaxDepth = 1000

// maxName limits the names that visitors see. It is far above what any known name takes, every letter written as an escape.
const maxName = 256

// A FieldError says that a text is JSON, but not acceptable. Any other error of a Scanner says that it is not JSON.
type FieldError struct {
	Field string // "" for the text as a whole
	Text  string // a sentence for the caller
}

func (e *FieldError) Error() string { return e.Text }

// A Scanner reads the values of one JSON text in order. After an error it must not be used.
//
// Each method that reads a value leaves the Scanner behind it. Space around values is the Scanner's matter, except before the first
// value and behind the last one.
type Scanner struct {
	// Depth is how many objects and arrays the next value lies in.
	Depth int

	// Wide is how many bytes of the strings read so far are beyond ASCII. A character that is written as an escape counts as 3.
	Wide int64

	// Unless the text has ended, data[pos] is the next byte.
	text Pieces
	next int    // index of the piece behind data
	data []byte // the present piece
	base int64  // offset of data
	pos  int
}

// New returns a Scanner at the beginning of a text.
func New(text Pieces) Scanner {
	s := Scanner{text: text}
	s.advance(0)
	return s
}

// advance moves n bytes ahead, which lie in the present piece.
func (s *Scanner) advance(n int) {
	s.pos += n
	for s.pos == len(s.data) && s.next < len(s.text) {
		s.base += int64(len(s.data))
		s.data, s.pos = s.text[s.next], 0
		s.next++
	}
}

// Offset returns the offset of the next byte.
func (s *Scanner) Offset() int64 { return s.base + int64(s.pos) }

// Peek returns the next byte, 0 at the end.
func (s *Scanner) Peek() byte {
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// Ahead returns the next n bytes, or those that are left. It does not move.
func (s *Scanner) Ahead(n int) []byte {
	if s.pos+n <= len(s.data) || s.next == len(s.text) {
		return s.data[s.pos:min(s.pos+n, len(s.data))]
	}
	at := s.Offset()
	return s.text.Bytes(at, at+int64(n))
}

// Since returns the text from an offset up to the next byte. It may share the memory of the text.
func (s *Scanner) Since(from int64) []byte {
	if from >= s.base {
		return s.data[from-s.base : s.pos]
	}
	return s.text.Bytes(from, s.Offset())
}

// Space skips space.
func (s *Scanner) Space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.advance(1)
		default:
			return
		}
	}
}

// End reports an error unless only space is left.
func (s *Scanner) End() error {
	if s.Space(); s.pos < len(s.data) {
		return s.wrong("more after the end of the object")
	}
	return nil
}

func (s *Scanner) wrong(what string) error { return wrongAt(what, s.Offset()) }

func wrongAt(what string, offset int64) error { return fmt.Errorf("%s at byte %d", what, offset) }

// begin checks that a value may stand here.
func (s *Scanner) begin() error {
	if s.Depth >= MaxDepth {
		return &FieldError{Text: "The body nests deeper than 1,000 levels."}
	}
	if s.pos == len(s.data) {
		return s.wrong("the body ends early")
	}
	return nil
}

// Object reads an object, whose brace is the next byte, and calls visit before each value with the unescaped name of its member.
// visit must read the value; the name is valid until then. Longer names than any known one are nil.
func (s *Scanner) Object(visit func(name []byte) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	s.Depth++
	for more := s.open('}'); more; {
		name, err := s.name()
		if err != nil {
			return err
		}
		if err = visit(name); err != nil {
			return err
		}
		if more, err = s.comma('}', "a comma or a closing brace is missing"); err != nil {
			return err
		}
	}
	s.Depth--
	return nil
}

// Array reads an array, whose bracket is the next byte, and calls visit before each element. visit must read it.
func (s *Scanner) Array(visit func() error) error {
	if err := s.begin(); err != nil {
		return err
	}
	s.Depth++
	for more := s.open(']'); more; {
		if err := visit(); err != nil {
			return err
		}
		var err error
		if more, err = s.comma(']', missingBracket); err != nil {
			return err
		}
	}
	s.Depth--
	return nil
}

const missingBracket = "a comma or a closing bracket is missing"

// Numbers reads an array like Array, but calls other only before elements that are no numbers. It returns how many are numbers.
func (s *Scanner) Numbers(other func() error) (n int64, err error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	s.Depth++
	for more := s.open(']'); more; {
		n += s.integers()
		if c := s.Peek(); c == '-' || c-'0' < 10 {
			n++
			err = s.Skip()
		} else {
			err = other()
		}
		if err != nil {
			return n, err
		}
		if more, err = s.comma(']', missingBracket); err != nil {
			return n, err
		}
	}
	s.Depth--
	return n, nil
}

// integers reads elements that are plain integers in the present piece, each with the comma and at most one space behind it. A list of
// bytes may have millions.
func (s *Scanner) integers() (n int64) {
	if s.Depth >= MaxDepth {
		return 0
	}
	d, start := s.data, s.pos
	for {
		i := start
		for i < len(d) && d[i]-'0' < 10 {
			i++
		}
		leadingZero := i > start+1 && d[start] == '0'
		if i == start || i == len(d) || d[i] != ',' || leadingZero {
			break
		}
		if i++; i < len(d) && d[i] == ' ' {
			i++
		}
		start = i
		n++
	}
	s.advance(start - s.pos)
	if n > 0 {
		s.Space()
	}
	return n
}

// Skip reads a value of any kind.
func (s *Scanner) Skip() error {
	if err := s.begin(); err != nil {
		return err
	}
	switch s.data[s.pos] {
	case '{':
		return s.Object(s.skipMember)
	case '[':
		_, err := s.Numbers(s.Skip)
		return err
	case '"':
		_, err := s.readString()
		return err
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

func (s *Scanner) skipMember([]byte) error { return s.Skip() }

// open reads an opening bracket and reports whether there is something before the closing one.
func (s *Scanner) open(closing byte) (more bool) {
	s.advance(1)
	s.Space()
	return !s.eat(closing)
}

// comma reads what stands behind an element and reports whether another one follows.
func (s *Scanner) comma(closing byte, missing string) (more bool, err error) {
	s.Space()
	switch {
	case s.eat(closing):
		return false, nil
	case !s.eat(','):
		return false, s.wrong(missing)
	}
	s.Space()
	return true, nil
}

// name reads the name of a member, and the colon behind it.
func (s *Scanner) name() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.wrong("a field name is missing")
	}
	start := s.Offset()
	if _, err := s.readString(); err != nil {
		return nil, err
	}
	var name []byte
	if end := s.Offset(); end-start <= maxName {
		name = s.Since(start)
	}
	s.Space()
	if !s.eat(':') {
		return nil, s.wrong("a colon is missing")
	}
	s.Space()
	if name == nil {
		return nil, nil
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		text, err := Unquote(name)
		return []byte(text), err
	}
	return name[1 : len(name)-1], nil
}

// Unquote returns the text of a JSON string that was read, quotes included.
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

func (s *Scanner) word(w string) error {
	start := s.Offset()
	for i := range len(w) {
		if s.Peek() != w[i] {
			return wrongAt("no value", start)
		}
		s.advance(1)
	}
	return nil
}

func (s *Scanner) number() error {
	s.eat('-')
	switch {
	case s.eat('0'):
	case !s.digits():
		return s.wrong("no value")
	}
	if s.eat('.') && !s.digits() {
		return s.wrong("a broken number")
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		if !s.digits() {
			return s.wrong("a broken number")
		}
	}
	return nil
}

// digits reads digits and reports whether there was one.
func (s *Scanner) digits() bool {
	for found := false; ; found = true {
		i := s.pos
		for i < len(s.data) && s.data[i]-'0' < 10 {
			i++
		}
		if i == s.pos {
			return found
		}
		s.advance(i - s.pos)
	}
}

func (s *Scanner) eat(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.advance(1)
		return true
	}
	return false
}
