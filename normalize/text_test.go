package normalize

import (
	"strings"
	"testing"
)

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "you have it": "You have it.", "Done.": "Done.", "why?": "Why?",
		"max_tokens is bad": "max_tokens is bad.", "x, y": "X, y.", "it's": "it's.",
		"see https://x.y/z": "See https://x.y/z", "so on...": "So on...", "cut…": "cut…", "äh": "äh.",
		"a 'b'": "A 'b'.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPlainAndShorten(t *testing.T) {
	if got := plain(" a\n\tb\x00c\u200b\u202ed\xff \u2028e "); got != "a b cd\ufffd e" {
		t.Errorf("got %q, want a b cd\ufffd e", got)
	}
	for n := 3; n < 12; n++ {
		got := shorten("äöüäöüäöü", n)
		if len(got) > n {
			t.Errorf("shorten(%d) = %q of %d bytes, want %[1]d at most", n, got, len(got))
		}
		if !strings.HasSuffix(got, "…") || strings.Contains(got, "\ufffd") {
			t.Errorf("shorten(%d) = %q, want whole characters and a mark", n, got)
		}
	}
	if got := shorten("same", 4); got != "same" {
		t.Errorf("got %q, want same", got)
	}
}

func TestSentenceAndPlainAtTheirBounds(t *testing.T) {
	for in, want := range map[string]string{
		"zero x": "Zero x.", "a x": "A x.", "timeout": "Timeout.", "Zero": "Zero.", "`x": "`x.", "{x": "{x.",
		"x9y z": "x9y z.", "no!": "No!", "no?": "No?", "no. x": "No. x.",
		"no-one": "no-one.", "see: x://y": "see: x://y", "x://y z": "x://y z.", "cut (x)": "Cut (x).", "cut -": "Cut -",
		"x_": "x_.", "5": "5.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"a\x7fb": "a b", "a\u0085b": "a b", "~!": "~!", "\u00adx": "x",
		"é à": "é à", "é\n\u00a0à": "é à", "\nx": "x", "x\n": "x", "\n": "",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"\x80\x80\x80\x80\x80": "…", "ab  cdef": "ab…", "abcdefgh": "abcd…"} {
		n := min(len(in)-1, 7)
		if got := shorten(in, n); got != want {
			t.Errorf("%q to %d: %q, want %q", in, n, got, want)
		}
	}
}

func TestReadableAndBounded(t *testing.T) {
	for in, want := range map[string]bool{
		"x": true, "é": true, "漢": true, "123": false, "": false, "12 - 34": false, "abcde\ufffd": true,
		"abcd\ufffd": false, "\ufffd": false, "1é": true,
	} {
		if readable(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
	const enough = 4 * maxMessage
	word := strings.Repeat("x", enough-5)
	for in, want := range map[string]string{
		word + " tail": word + " tail", word + " tails": word, strings.Repeat("x", enough): strings.Repeat("x", enough),
		strings.Repeat("x", enough+1):     "",
		" " + strings.Repeat("x", enough): "",
	} {
		if got := bounded(in); got != want {
			t.Errorf("%d bytes: %d, want %d", len(in), len(got), len(want))
		}
	}
}
