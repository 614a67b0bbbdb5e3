package workersai

import "unicode/utf8"

// pieceBytes is the longest token in bytes.
const pieceBytes = 12

// CountTokens returns how many tokens the simulator takes text to be: one for
// each word with the white space before it, more for words beyond 12 bytes. It
// is the count of every usage and of every stream's events.
func CountTokens(text string) int64 {
	var n int64
	for len(text) > 0 {
		text = text[piece(text):]
		n++
	}
	return n
}

// split cuts text into its tokens, at most limit; limit below 0 is none.
func split(text string, limit int) []string {
	var pieces []string
	for len(text) > 0 && len(pieces) != limit {
		n := piece(text)
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// piece returns the length of the first token of text, which is not empty.
func piece(text string) int {
	i := 0
	for i < len(text) && i < pieceBytes && blank(text[i]) {
		i++
	}
	start := i
	for i < len(text) && !blank(text[i]) {
		_, size := utf8.DecodeRuneInString(text[i:])
		if i > start && i+size-start > pieceBytes {
			break
		}
		i += size
	}
	return i
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
