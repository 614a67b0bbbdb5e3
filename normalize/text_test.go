package normalize

import (
	"strings"
	"testing"
)

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "you have it": "You have it.", "Done.": "Done.", "why?": "Why?", "max_tokens is bad": "max_tokens is bad.", "x, y": "X, y.", "it's": "it's.",
		"see https://x.y/z": "See https://x.y/z", "so on...": "So on...", "cut…": "cut…", "äh": "äh.", "a 'b'": "A 'b'.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPlainAndShorten(t *testing.T) {
	if got := plain(" a\n\tb\x00c\u200b\u202ed\xff \u2028e "); got != "a b cd\ufffd e" {
		t.Errorf("%q", got)
	}
	for n := 3; n < 12; n++ {
		got := shorten("äöüäöüäöü", n)
		if len(got) > n || !strings.HasSuffix(got, "…") || strings.Contains(got, "\ufffd") {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := shorten("same", 4); got != "same" {
		t.Error(got)
	}
}
