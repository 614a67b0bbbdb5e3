package jsonscan

import "fmt"

// MaxDepth limits how deep a text may nest. Real bodies nest about ten levels; a deeper one is an attack on whoever
// parses it.
const MaxDepth = 1000

// A FieldError says that a text is JSON, but not acceptable. Any other error of a Scanner says that it is not JSON.
type FieldError struct {
	Field string // "" for the text as a whole
	Text  string // a sentence for the caller
}

func (e *FieldError) Error() string { return e.Text }

// A Scanner reads the values of one JSON text in order. After an error it must not be used.
//
// Each method that reads a value leaves the Scanner behind it. Space around values is the Scanner's matter, except
// before the first value and behind the last one.
type Scanner struct {
	// Depth is how many objects and arrays the next value lies in.
	Depth int

	// Tap is given the text that is read, in pieces and in order, without the space around values other than numbers in
	// a list; nil: nobody wants it. It must be set before anything is read. The last piece comes with Flush.
	Tap    func(piece []byte)
	tapped int64 // offset of what Tap has not been given yet
	held   bool

	// Kinds are those of the pieces, as far as somebody knows them: strings in such a piece are skipped unread.
	Kinds []Kind

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

// Of returns a Scanner at the beginning of a text of one piece.
func Of(text []byte) Scanner { return Scanner{data: text} }

// advance moves n bytes ahead, which lie in the present piece.
func (s *Scanner) advance(n int) {
	s.pos += n
	for s.pos == len(s.data) && s.next < len(s.text) {
		s.Flush()
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

// eat reads c if it is the next byte.
func (s *Scanner) eat(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.advance(1)
		return true
	}
	return false
}

// Space skips space.
func (s *Scanner) Space() {
	if s.pos < len(s.data) && s.data[s.pos] <= ' ' {
		s.space()
	}
}

func (s *Scanner) space() {
	s.Flush()
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			if !s.held {
				s.tapped = s.Offset() + 1
			}
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
