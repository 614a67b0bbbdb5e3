package words

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Rounded(0), "0"},
		{Rounded(0.004), "under 0.01"},
		{Rounded(0.5), "0.50"},
		{Rounded(12), "12"},
		{Rounded(99.994), "99.99"},
		{Rounded(100.4), "100"},
		{Rounded(1234.5), "1,235"},
		{Rounded(1e6), "1,000,000"},
		{Rounded(-1234), "-1,234"},
		{About(0), "0"},
		{About(47), "47"},
		{About(1834), "1,800"},
		{About(12_345), "12,000"},
		{About(183), "180"},
		{Between(1834, 2640), "1,800 to 2,600"},
		{Between(1834, 1840), "about 1,800"},
		{Span(0), "0 s"},
		{Span(-time.Second), "0 s"},
		{Span(59 * time.Second), "59 s"},
		{Span(2*time.Minute + 31*time.Second), "3 min"},
		{Span(59*time.Minute + 40*time.Second), "1 h"},
		{Span(2*time.Hour + 20*time.Minute), "2 h 20 min"},
		{Span(23*time.Hour + 59*time.Minute + 50*time.Second), "24 h"},
		{Plural(1, "call", "calls"), "1 call"},
		{Plural(2000, "call", "calls"), "2,000 calls"},
		{List(nil), ""},
		{List([]string{"a"}), "a"},
		{List([]string{"a", "b"}), "a and b"},
		{List([]string{"a", "b", "c", "d"}), "a, b, c and d"},
		{List([]string{"a", "b", "c", "d", "e"}), "a, b, c and 2 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
