package jsonscan

import "bytes"

// byteOrderMark begins some texts in UTF-8. Lenient readers of JSON skip it.
const byteOrderMark = "\ufeff"

// SkipBlank skips space and byte order marks, which stand in front of a text.
func (s *Scanner) SkipBlank() {
	for {
		s.Space()
		if string(s.Ahead(len(byteOrderMark))) != byteOrderMark {
			return
		}
		for range len(byteOrderMark) {
			s.advance(1)
		}
	}
}

// FirstByte returns the first byte of a text that is neither space nor part of a byte order mark. found is false if
// there is none.
func FirstByte(text []byte) (first byte, found bool) {
	for len(text) > 0 {
		switch c := text[0]; c {
		case ' ', '\t', '\n', '\r':
			text = text[1:]
		case byteOrderMark[0]:
			rest, whole := bytes.CutPrefix(text, []byte(byteOrderMark))
			if !whole && !bytes.HasPrefix([]byte(byteOrderMark), text) {
				return c, true
			}
			if !whole {
				return 0, false // the beginning of one; the rest may come
			}
			text = rest
		default:
			return c, true
		}
	}
	return 0, false
}

// OpensObject reports whether a text begins like a JSON object: a brace, and behind it a name or another brace.
func OpensObject(text Pieces) bool {
	s := New(text)
	if s.SkipBlank(); !s.eat('{') {
		return false
	}
	s.Space()
	return s.Peek() == '"' || s.Peek() == '}'
}

// UTF16 reports whether a text begins like a JSON object in UTF-16, or with space in it, in either byte order: readers
// exist that take it.
func UTF16(text []byte) bool { return opensUTF16(text, 0) || opensUTF16(text, 1) }

// opensUTF16 is UTF16 for one byte order: low is the place of the low byte in each unit.
func opensUTF16(text []byte, low int) bool {
	begun, opened := false, false
	for ; len(text) >= 2; text = text[2:] {
		begun = true
		switch unit := rune(text[low]) | rune(text[1-low])<<8; {
		case unit == ' ', unit == '\t', unit == '\n', unit == '\r', unit == '\ufeff':
		case opened:
			return unit == '"' || unit == '}'
		case unit != '{':
			return false
		default:
			opened = true
		}
	}
	return begun
}
