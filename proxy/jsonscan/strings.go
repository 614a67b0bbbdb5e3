package jsonscan

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// Text reads a string, whose quote is the next byte, and returns its length in UTF-16 code units. In a string that is
// not UTF-8 each byte counts by its kind: one that begins a character stands for that character, and one that continues
// a character for nothing.
func (s *Scanner) Text() (units int64, err error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	return s.readString()
}

// Base64 reads a string, whose quote is the next byte. ok says that what follows its first skip bytes is base64 of
// either alphabet; it may contain escaped slashes and line breaks. It begins at the offset from and ends at the closing
// quote.
func (s *Scanner) Base64(skip int) (from int64, ok bool, err error) {
	if err := s.begin(); err != nil {
		return 0, false, err
	}
	s.advance(1)
	from = s.Offset() + int64(skip)
	if _, closed, err := s.readUpTo(from); closed || err != nil {
		return from, false, err
	}
	for {
		n := len(s.data) - s.pos
		if s.kind() != Base64 {
			n = base64Length(s.data[s.pos:])
		}
		s.advance(n)
		switch c := s.Peek(); {
		case c == '"':
			s.advance(1)
			return from, true, nil
		case notBase64[c] == 0: // it goes on in the next piece
			continue
		case c == '\\':
			if ahead := s.Ahead(2); len(ahead) == 2 && (ahead[1] == '/' || ahead[1] == 'n' || ahead[1] == 'r') {
				s.advance(1)
				s.advance(1)
				continue
			}
		}
		_, err := s.rest()
		return from, false, err
	}
}

// base64Length returns how many bytes of b are base64 of either alphabet, from its beginning.
func base64Length(b []byte) (n int) {
	for len(b)-n >= 16 {
		w := b[n : n+16 : n+16]
		w0, w1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		if plainBase64(w0)&plainBase64(w1)&topBits == topBits {
			n += 16
			continue
		}
		for range w { // the other alphabet, or the end
			if notBase64[b[n]] != 0 {
				return n
			}
			n++
		}
	}
	for n < len(b) && notBase64[b[n]] == 0 {
		n++
	}
	return n
}

// plainBase64 marks the letters and digits of a word, pluses and slashes, by the top bit of each byte. A byte beyond
// ASCII has no mark and may spoil the marks of those behind it.
func plainBase64(w uint64) uint64 {
	lower := w | eachByte*0x20
	letter := (lower + eachByte*(0x80-'a')) &^ (lower + eachByte*(0x80-'z'-1))
	digitOrSlash := (w + eachByte*(0x80-'/')) &^ (w + eachByte*(0x80-'9'-1))
	plus := ^((w ^ eachByte*'+') + eachByte*0x7f)
	return (letter | digitOrSlash | plus) &^ w
}

// notBase64 is 1 for the bytes that are not base64 of any alphabet.
var notBase64 = func() (not [256]byte) {
	for i := range not {
		not[i] = 1
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") {
		not[c] = 0
	}
	return not
}()

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

// readString is Text for any string, also for a name.
func (s *Scanner) readString() (units int64, err error) {
	s.advance(1)
	return s.rest()
}

// rest reads the rest of a string, and its closing quote.
func (s *Scanner) rest() (units int64, err error) {
	const end = 1<<63 - 1
	units, _, err = s.readUpTo(end)
	return units, err
}

// readUpTo reads the inside of a string up to an offset, or to its end and the closing quote. An escape is never split.
func (s *Scanner) readUpTo(end int64) (units int64, closed bool, err error) {
	for s.Offset() < end {
		part := s.data[s.pos:]
		if left := end - s.Offset(); left < int64(len(part)) {
			part = part[:left]
		}
		n, u := len(part), int64(len(part))
		if s.kind() == Mixed {
			n, u = plain(part)
		}
		units += u
		s.advance(n)
		if s.pos == len(s.data) {
			return units, false, s.wrong("the body ends inside a string")
		}
		if n == len(part) { // the limit, or the next piece
			continue
		}
		switch s.data[s.pos] {
		case '"':
			s.advance(1)
			return units, true, nil
		case '\\':
			units++
			if err := s.escape(); err != nil {
				return units, false, err
			}
		default:
			return units, false, s.wrong("a control character inside a string")
		}
	}
	return units, false, nil
}

// escape reads an escape.
func (s *Scanner) escape() error {
	s.advance(1)
	switch c := s.Peek(); {
	case shortEscape[c]:
		s.advance(1)
		return nil
	case c == 'u':
		start := s.Offset()
		s.advance(1)
		for range 4 {
			if c := s.Peek(); c-'0' >= 10 && c-'a' >= 6 && c-'A' >= 6 {
				return wrongAt("a broken \\u escape", start)
			}
			s.advance(1)
		}
		return nil
	}
	if s.pos == len(s.data) {
		return s.wrong("the body ends inside a string")
	}
	return s.wrong("an unknown escape")
}

// shortEscape marks the letters that make an escape of two bytes.
var shortEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

const (
	eachByte = 0x0101010101010101
	topBits  = 0x8080808080808080
)

// plain reads the inside of a string in b, 8 bytes at a time, and stops at a quote, at a control character, and at an
// escape unless it is a short one that ends in b. n is how many bytes come before that, and units their length in
// UTF-16 code units.
func plain(b []byte) (n int, units int64) {
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		found, high := special(w), w&topBits
		if found|high == 0 {
			n += 8
			units += 8
			// ASCII usually goes on.
			ascii := plainASCII(b[n:])
			n += ascii
			units += int64(ascii)
			continue
		}
		length := 8
		if found != 0 {
			length = bits.TrailingZeros64(found) / 8
			high &= found&-found - 1
		}
		n += length
		units += int64(length)
		if high != 0 {
			continues := high &^ (w << 1)                   // 10xxxxxx: no unit
			beyond := high & (w << 1) & (w << 2) & (w << 3) // 1111xxxx: two units
			units += int64(bits.OnesCount64(beyond) - bits.OnesCount64(continues))
		}
		if found != 0 {
			if b[n] != '\\' || n+1 == len(b) || !shortEscape[b[n+1]] {
				return n, units
			}
			n += 2
			units++
		}
	}
	for ; n < len(b); n++ {
		c := b[n]
		if c < 0x20 || c == '"' || c == '\\' {
			break
		}
		switch {
		case c >= 0xf0:
			units += 2
		case c < 0x80 || c >= 0xc0:
			units++
		}
	}
	return n, units
}

// plainASCII returns how many bytes of b, at least, are ASCII that plain would read, in steps of 32.
func plainASCII(b []byte) (n int) {
	for len(b)-n >= 32 {
		w := b[n : n+32 : n+32]
		w0, w1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		w2, w3 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
		if (unusual(w0)|unusual(w1)|unusual(w2)|unusual(w3))&topBits != 0 {
			break
		}
		n += 32
	}
	return n
}

// unusual sets a top bit if a word has anything but plain ASCII. Quotes change places with spaces, so that one
// subtraction finds them with the control characters.
func unusual(w uint64) uint64 {
	controlOrQuote := (w ^ eachByte*(' '^'"')) - eachByte*(' '+1)
	backslash := (w ^ eachByte*'\\') - eachByte
	return w | controlOrQuote | backslash
}

// special marks quotes, backslashes and control characters in a word, by the top bit of each byte. The first mark is
// right; behind it, other bytes may be marked, too.
func special(w uint64) uint64 {
	control := w - eachByte*0x20
	quote := (w ^ eachByte*'"') - eachByte
	backslash := (w ^ eachByte*'\\') - eachByte
	return (control | quote | backslash) &^ w & topBits
}
