package jsonscan

import "bytes"

// maxName limits the raw names that visitors see, in bytes. Any known name is far shorter, even with each letter
// escaped.
const maxName = 256

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

// Object reads an object, whose brace is the next byte. It calls visit before the value of each member, with its
// unescaped name, and visit must read the value. The name is nil if it is longer than any known one.
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

// Array reads an array, whose bracket is the next byte. It calls visit before each element, and visit must read it.
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

// Numbers reads an array like Array, but calls other only before elements that are no numbers. It returns how many are
// numbers.
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

// integers reads elements that are plain integers with a comma behind them, as far as they lie in the present piece. A
// list of bytes may have millions of them.
func (s *Scanner) integers() (n int64) {
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
