package normalize

import (
	"strings"
	"testing"
)

func TestOwnWords(t *testing.T) {
	for in, want := range map[string]string{
		"it's so": "it's so", "'it": "", "it'": "it", "a 'b": "a ", "b' c": "b", "o'8": "o", "8'o": "8", "x": "x",
		"": "", "a: b": "a", "a/b": "a", "a [b": "a ", "'": "",
	} {
		if got := ownWords(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHasWord(t *testing.T) {
	for in, want := range map[string]bool{
		"flagged": true, "was flagged": true, "flagged it": true, "(flagged)": true, "was flagged.": true,
		"1flagged2": true, "unflagged, flagged": true,
		"unflagged": false, "flaggeds": false, "_flagged": false, "flagged_": false, "is unflagged": false,
		"is flaggedly": false, "": false, "flag": false,
		"unflagged flaggeds": false, "a_flagged": false, "x flagged_y": false,
	} {
		if hasWord(in, "flagged") != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
}

func TestRuleMatch(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule rule
		text string
		want bool
	}{
		{"nothing asked", rule{}, "x", true},
		{"anywhere", rule{has: []string{"b"}}, "a b", true},
		{"nowhere", rule{has: []string{"c", "d"}}, "a b", false},
		{"second of two", rule{has: []string{"c", "b"}}, "a b", true},
		{"lead", rule{lead: []string{"x", "a"}}, "a b", true},
		{"lead further on", rule{lead: []string{"b"}}, "a b", false},
		{"lead without the rest", rule{lead: []string{"a"}, has: []string{"c"}}, "a b", false},
		{"the whole", rule{lead: []string{"=aborted"}}, "aborted!", true},
		{"more than the whole", rule{lead: []string{"=aborted"}}, "aborted x", false},
		{"a word that ends the text", rule{lead: []string{"timed out$"}}, "timed out", true},
		{"a word that ends", rule{lead: []string{"timed out$"}}, "timed out, sorry", true},
		{"a word that goes on", rule{lead: []string{"timed out$"}}, "timed outs", false},
		{"a name that goes on", rule{lead: []string{"timed out$"}}, "timed out_x", false},
	} {
		if tt.rule.match(tt.text) != tt.want {
			t.Errorf("%s: %v", tt.name, !tt.want)
		}
	}
}

func TestLetter(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", byte(c)) >= 0
		if letter(byte(c)) != want {
			t.Errorf("%q: %v", byte(c), !want)
		}
	}
}
