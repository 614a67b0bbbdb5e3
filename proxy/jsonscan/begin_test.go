package jsonscan

import (
	"strings"
	"testing"
)

// How a text begins, whether that is a NUL, nothing yet, or UTF-16.
func TestBegin(t *testing.T) {
	for _, c := range []struct {
		name, text           string
		first                byte
		begun, object, utf16 bool
	}{
		{"nothing", "", 0, false, false, false},
		{"space", " \r\n\t", 0, false, false, false},
		{"half a byte order mark", " \xef\xbb", 0, false, false, false},
		{"a NUL, as of MP4", "\x00\x00\x00\x18ftyp", 0, true, false, false},
		{"an object", " \ufeff {\n\"a\":1}", '{', true, true, false},
		{"an empty object", "{ }", '{', true, true, false},
		{"a list", "[{}]", '[', true, false, false},
		{"a recording that begins with a brace", "{\x00\x01\x00", '{', true, false, false},
		{"UTF-16 LE", "{\x00\"\x00a\x00", '{', true, false, true},
		{"UTF-16 BE", "\x00{\x00\n\x00}", 0, true, false, true},
		{"UTF-16 LE behind a mark", "\xff\xfe \x00{\x00\"\x00", 0xff, true, false, true},
		{"UTF-16 BE behind a mark", "\xfe\xff\x00{\x00\"", 0xfe, true, false, true},
		{"UTF-16 that ends at once", "\xff\xfe{\x00", 0xff, true, false, true},
		{"space in UTF-16", strings.Repeat(" \x00", 100), 0, true, false, true},
		{"space in UTF-16, and no object", " \x00[\x00", 0, true, false, false},
		{"a NUL and an object", "\x00{\"a\":1}", 0, true, false, false},
		{"a frame of MPEG", "\xff\xfe\x90\x64", 0xff, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, begun := FirstByte([]byte(c.text))
			if first != c.first || begun != c.begun {
				t.Errorf("FirstByte() = %q, %v, want %q, %v", first, begun, c.first, c.begun)
			}
			for size := range 3 {
				if got := OpensObject(split(c.text, size)); got != c.object {
					t.Errorf("OpensObject() = %v in pieces of %d, want %v", got, size, c.object)
				}
			}
			if got := UTF16([]byte(c.text)); got != c.utf16 {
				t.Errorf("UTF16() = %v, want %v", got, c.utf16)
			}
		})
	}
}
