package jsonscan

import (
	"strings"
	"testing"
)

// Whatever the pieces, Tap is given all of the text but the space around values, and what is dropped.
func TestTap(t *testing.T) {
	const text = " {\n \"a b\" : [ \"c\\n d\" , true ],\t\"held\": \"x y\", \"list\" :[\"1\", \"2\"],\"e\": { } } "
	for _, c := range []struct {
		name string
		read func(s *Scanner) error // a value whose name is "held" or "list"
		want string
	}{
		{"all", (*Scanner).Skip, `{"a b":["c\n d",true],"held":"x y","list":["1","2"],"e":{}}`},
		{"held and passed", func(s *Scanner) error {
			s.Hold()
			defer s.Pass()
			return s.Skip()
		}, `{"a b":["c\n d",true],"held":"x y","list":["1", "2"],"e":{}}`},
		{"held and dropped", func(s *Scanner) error {
			s.Hold()
			defer s.Drop()
			return s.Skip()
		}, `{"a b":["c\n d",true],"held":,"list":,"e":{}}`},
		{"dropped, then repeated", func(s *Scanner) error {
			s.Hold()
			start := s.Offset()
			err := s.Skip()
			s.Drop()
			s.Repeat(start, s.Offset())
			return err
		}, `{"a b":["c\n d",true],"held":"x y","list":["1", "2"],"e":{}}`},
	} {
		for size := range len(text) {
			var got strings.Builder
			s := New(split(text, size))
			s.Tap = func(piece []byte) { got.Write(piece) }
			s.SkipBlank()
			err := s.Object(func(name []byte) error {
				if string(name) == "held" || string(name) == "list" {
					return c.read(&s)
				}
				return s.Skip()
			})
			if err == nil {
				err = s.End()
			}
			s.Flush()
			if err != nil {
				t.Fatalf("%s, in pieces of %d: %v", c.name, size, err)
			}
			if got.String() != c.want {
				t.Errorf("%s, in pieces of %d: got %s, want %s", c.name, size, got.String(), c.want)
			}
		}
	}
}
