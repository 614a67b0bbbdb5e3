package workersai

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"What is a neuron?", []string{"What", " is", " a", " neuron?"}},
		{"  two\n\nlines ", []string{"  two", "\n\nlines", " "}},
		{"electroencephalography", []string{"electroencep", "halography"}},
		{"ÄÖÜÄÖÜÄÖÜ", []string{"ÄÖÜÄÖÜ", "ÄÖÜ"}},
		{"\xff\xfe", []string{"\xff\xfe"}},
		{strings.Repeat(" ", 30), []string{strings.Repeat(" ", 12), strings.Repeat(" ", 12), strings.Repeat(" ", 6)}},
	} {
		got := split(c.text, -1)
		if !slices.Equal(got, c.want) || CountTokens(c.text) != int64(len(c.want)) {
			t.Errorf("%q: got %q, count %d, want %q, %d", c.text, got, CountTokens(c.text), c.want, len(c.want))
		}
	}
	if got := split("one two three", 2); !slices.Equal(got, []string{"one", " two"}) {
		t.Errorf("two tokens: got %q, want %q", got, []string{"one", " two"})
	}
}

func TestLengthenIsExact(t *testing.T) {
	const text = "A sentence with electroencephalography in it, “quoted” and all."
	for _, n := range []int{1, 2, 5, 11, 12, 13, 200, 1001} {
		if got := CountTokens(lengthen(text, n)); got != int64(n) {
			t.Errorf("tokens: got %d, want %d", got, n)
		}
	}
}
