package normalize

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/neuronward/neuronward/normalize/numbers"
)

// A scanner reads JSON that need not be whole: cut short, with raw newlines in strings, or the repr of a Python
// dict. It always advances and never fails; what cannot be read is skipped.
type scanner struct {
	b []byte
	i int
}

// peek returns the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r', 0:
			s.i++
		default:
			return c
		}
	}
	return 0
}

// text reads the quoted string that starts here and returns what stands between the quotes, escapes and all. An
// unclosed one ends with the input.
func (s *scanner) text() []byte {
	quote := s.b[s.i]
	s.i++
	start := s.i
	for {
		n := bytes.IndexByte(s.b[s.i:], quote)
		if n < 0 {
			s.i = len(s.b)
			return s.b[start:]
		}
		end := s.i + n
		s.i = end + 1
		slashes := 0
		for end-slashes > start && s.b[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return s.b[start:end]
		}
	}
}

// bare reads a number, a literal or whatever else stands without quotes.
func (s *scanner) bare() []byte {
	start := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r', ',', ':', '{', '}', '[', ']', '"', '\'':
			if s.i == start { // a stray byte: step over it
				s.i++
			}
			return s.b[start:s.i]
		}
		s.i++
	}
	return s.b[start:]
}

// key reads a member's name and the colon behind it; ok is false at the end of the object or of the input.
func (s *scanner) key() (key []byte, ok bool) {
	for {
		switch c := s.peek(); c {
		case ',':
			s.i++
			continue
		case '}':
			s.i++
			return nil, false
		case 0:
			return nil, false
		case '"', '\'':
			key = s.text()
		default:
			key = s.bare()
		}
		if s.peek() == ':' {
			s.i++
			return key, true
		}
	}
}

// structural marks what begins or ends an object, a list or a string. All else changes nothing for skip within one.
var structural = [256]bool{'{': true, '}': true, '[': true, ']': true, '"': true, '\'': true}

// skip reads one value of any depth without keeping it.
func (s *scanner) skip() {
	depth := 0
	for {
		if depth > 0 { // an embedding has thousands of numbers
			for s.i < len(s.b) && !structural[s.b[s.i]] {
				if s.i++; s.b[s.i-1] == ',' {
					s.i += numbers.Length(s.b[s.i:])
				}
			}
		}
		switch s.peek() {
		case 0:
			return
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			if depth == 0 {
				return
			}
			depth--
			s.i++
		case '"', '\'':
			s.text()
		case ',', ':':
			if depth == 0 {
				return
			}
			s.i++
		default:
			s.bare()
		}
		if depth == 0 {
			return
		}
	}
}

type kind uint8

const (
	kindNone kind = iota // null, or nothing
	kindBare             // a number, true, false
	kindString
	kindArray
	kindObject
)

// A node is one value of a body.
type node struct {
	kind kind
	text string   // of a string, unescaped; of a bare value as it stands
	keys []string // of an object, beside kids
	kids []node
}

// get returns the first member of that name, an empty node when there is none.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k == key {
			return &n.kids[i]
		}
	}
	return &node{}
}

const (
	maxDepth = 12
	maxNodes = 512
)

// tree reads the value that b begins with, down to maxDepth and up to maxNodes; the rest is skipped.
func tree(b []byte) node {
	s, left := scanner{b: b}, maxNodes
	return s.node(maxDepth, &left)
}

func (s *scanner) node(depth int, left *int) node {
	c := s.peek()
	if *left--; depth == 0 || *left < 0 {
		s.skip()
		return node{}
	}
	switch c {
	case 0:
		return node{}
	case '{':
		s.i++
		n := node{kind: kindObject}
		for {
			key, ok := s.key()
			if !ok || *left <= 0 {
				return n
			}
			n.keys = append(n.keys, unescape(key))
			n.kids = append(n.kids, s.node(depth-1, left))
		}
	case '[':
		s.i++
		n := node{kind: kindArray}
		for *left > 0 {
			switch s.peek() {
			case 0:
				return n
			case ']':
				s.i++
				return n
			case ',', '}', ':':
				s.i++
				continue
			}
			n.kids = append(n.kids, s.node(depth-1, left))
		}
		return n
	case '"', '\'':
		return node{kind: kindString, text: unescape(s.text())}
	case '}', ']', ',', ':':
		return node{} // a value is missing; its owner goes on here
	}
	switch text := string(s.bare()); text {
	case "null", "None", "undefined":
		return node{}
	default:
		return node{kind: kindBare, text: text}
	}
}

// unescape undoes the escapes of JSON and Python strings; an escape that neither knows keeps its letter.
func unescape(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b', 'f':
			out = append(out, ' ')
		case 'u':
			r, n := codeUnit(raw[i+1:], 4)
			i += n
			if low, m := surrogate(r, raw[i+1:]); m > 0 {
				r, i = low, i+m
			}
			out = utf8.AppendRune(out, r)
		case 'x':
			r, n := codeUnit(raw[i+1:], 2)
			i += n
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, raw[i])
		}
	}
	return string(out)
}

func codeUnit(b []byte, n int) (rune, int) {
	if len(b) < n {
		return utf8.RuneError, len(b)
	}
	v, err := strconv.ParseUint(string(b[:n]), 16, 32)
	if err != nil {
		return utf8.RuneError, 0
	}
	return rune(v), n
}

// surrogate joins the high half r with the escaped low half that b begins with, if it does.
func surrogate(r rune, b []byte) (rune, int) {
	if r < 0xd800 || r > 0xdbff || len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, 0
	}
	low, _ := codeUnit(b[2:], 4)
	if low < 0xdc00 || low > 0xdfff {
		return 0, 0
	}
	return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, 6
}
