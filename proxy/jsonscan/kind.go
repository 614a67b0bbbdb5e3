package jsonscan

// A Kind says what all bytes of a piece of a text are. Whoever has just read a piece learns its kind in a fraction of
// the time that it takes to read it from memory once more.
type Kind uint8

// The kinds.
const (
	Mixed  Kind = iota // anything
	Plain              // ASCII that needs no escape in a string
	Base64             // base64 of either alphabet, which is Plain as well
)

// KindOf returns the kind of a piece.
func KindOf(piece []byte) Kind {
	if base64Length(piece) == len(piece) {
		return Base64
	}
	n := plainASCII(piece)
	for n < len(piece) && piece[n] >= ' ' && piece[n] < 0x80 && piece[n] != '"' && piece[n] != '\\' {
		n++
	}
	if n == len(piece) {
		return Plain
	}
	return Mixed
}

// kind returns what is known of the present piece.
func (s *Scanner) kind() Kind {
	if i := s.next - 1; i >= 0 && i < len(s.Kinds) {
		return s.Kinds[i]
	}
	return Mixed
}
