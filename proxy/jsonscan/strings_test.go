package jsonscan

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Every byte at every place of what is read several words at a time ends a run of ASCII, or does not.
func TestEachByteInARun(t *testing.T) {
	const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="
	for at := range 80 {
		for c := range 256 {
			run := bytes.Repeat([]byte("A"), 80)
			run[at] = byte(c)
			want := 80
			if c < 0x20 || c == '"' || c == '\\' {
				want = at
			}
			if n, _ := plain(run); n != want {
				t.Fatalf("plain: got %d bytes of %q, want %d", n, run, want)
			}
			want = 80
			if !strings.Contains(base64, string(rune(c))) {
				want = at
			}
			if n := base64Length(run); n != want {
				t.Fatalf("base64Length: got %d bytes of %q, want %d", n, run, want)
			}
			kind := Mixed
			switch {
			case want == 80:
				kind = Base64
			case c >= 0x20 && c < 0x80 && c != '"' && c != '\\':
				kind = Plain
			}
			if got := KindOf(run); got != kind {
				t.Fatalf("KindOf(%q) = %d, want %d", run, got, kind)
			}
		}
	}
}

// What is known of the pieces changes nothing of what is read.
func TestKinds(t *testing.T) {
	base64 := strings.Repeat("AZaz09+/-_", 20)
	text := `{"plain":"` + strings.Repeat("some words ", 30) + `","base64":"` + base64 + `","mixed":"` +
		strings.Repeat(`é\"x`, 30) + `","words":"` + base64 + ` ` + base64 + `"}`
	for size := 1; size < 90; size++ {
		var got [2]string
		for i := range got {
			s := New(split(text, size))
			if i == 1 {
				for _, piece := range split(text, size) {
					s.Kinds = append(s.Kinds, KindOf(piece))
				}
				s.Kinds = s.Kinds[:len(s.Kinds)-1]
			}
			err := s.Object(func(name []byte) error {
				got[i] += string(name)
				if strings.HasPrefix(string(name), "base64") || string(name) == "words" {
					from, ok, err := s.Base64(0)
					got[i] += fmt.Sprint(" ", from, ok, s.Offset(), "; ")
					return err
				}
				units, err := s.Text()
				got[i] += fmt.Sprint(" ", units, s.Offset(), "; ")
				return err
			})
			if err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
		}
		if got[0] != got[1] {
			t.Errorf("in pieces of %d: got %s where their kinds are known, want %s", size, got[1], got[0])
		}
	}
}
