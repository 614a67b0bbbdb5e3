package proxy

// The JSON walk behind inspect. It is written out, rather than taken from
// encoding/json, because it must see a field that is given twice, must not
// allocate for a body of megabytes, and runs on every call.

// members reads an object and calls visit at each value, with the member's name
// as it stands, quotes included. visit must consume the value.
func (s *scanner) members(visit func(rawName []byte) error) error {
	s.i++ // '{'
	s.space()
	if s.eat('}') {
		return nil
	}
	for {
		start := s.i
		if start == len(s.b) || s.b[start] != '"' {
			return s.wrong("a field name is missing")
		}
		if err := s.text(); err != nil {
			return err
		}
		name := s.b[start:s.i]
		s.space()
		if !s.eat(':') {
			return s.wrong("a colon is missing")
		}
		s.space()
		if err := visit(name); err != nil {
			return err
		}
		s.space()
		switch {
		case s.eat('}'):
			return nil
		case !s.eat(','):
			return s.wrong("a comma or a closing brace is missing")
		}
		s.space()
	}
}

// value skips one value at the given depth, checking it.
func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return &errInput{text: "The body nests deeper than 1,000 levels."}
	}
	if s.i == len(s.b) {
		return s.wrong("the body ends early")
	}
	switch c := s.b[s.i]; c {
	case '{':
		return s.members(func([]byte) error { return s.value(depth + 1) })
	case '[':
		return s.elements(func() error { return s.value(depth + 1) })
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

// elements reads an array and calls visit at each element. visit must consume
// it.
func (s *scanner) elements(visit func() error) error {
	s.i++
	s.space()
	if s.eat(']') {
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		s.space()
		switch {
		case s.eat(']'):
			return nil
		case !s.eat(','):
			return s.wrong("a comma or a closing bracket is missing")
		}
		s.space()
	}
}

// text skips a string, quotes included.
func (s *scanner) text() error {
	b := s.b
	for i := s.i + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return nil
		case c < 0x20:
			s.i = i
			return s.wrong("a control character inside a string")
		case c == '\\':
			i++
			if i == len(b) {
				continue
			}
			if b[i] == 'u' {
				if i+4 >= len(b) || !hexDigit(b[i+1]) || !hexDigit(b[i+2]) || !hexDigit(b[i+3]) || !hexDigit(b[i+4]) {
					s.i = i
					return s.wrong("a broken \\u escape")
				}
				i += 4
			} else if !escapable(b[i]) {
				s.i = i
				return s.wrong("an unknown escape")
			}
		}
	}
	s.i = len(b)
	return s.wrong("the body ends inside a string")
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

func (s *scanner) word(w string) error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.wrong("no value")
	}
	s.i += len(w)
	return nil
}

func (s *scanner) number() error {
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

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' < 10 {
		s.i++
	}
	return s.i > start
}

func (s *scanner) eat(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}
