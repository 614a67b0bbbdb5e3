package tokens_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/neuronward/neuronward/quota/tokens"
)

// facts are the lines of a file in testdata: a text in the form of Go or as it is, a tab, and its tokens, the most of
// seven real tokenizers.
func facts(t *testing.T, file string) map[string]int64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int64{}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		text, number, _ := strings.Cut(lines.Text(), "\t")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, lines.Text(), err)
		}
		if strings.HasPrefix(text, `"`) && len(text) > 1 {
			if text, err = strconv.Unquote(text); err != nil {
				t.Fatalf("%s: %q: %v", file, lines.Text(), err)
			}
		}
		all[text] = n
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// One character or two of any script, repeated to 300 characters, count no less than real tokenizers make of them.
func TestRepeats(t *testing.T) {
	t.Parallel()
	all := facts(t, "testdata/repeats.gz")
	if len(all) < 5000 {
		t.Fatalf("texts = %d, want at least 5000", len(all))
	}
	for unit, want := range all {
		text := strings.Repeat(unit, 300/utf8.RuneCountInString(unit))
		want = min(want, int64(len(text))) // less than real for what NFC takes apart: see doc.go
		if got := tokens.Count([]byte(text)); got < want {
			t.Errorf("%q repeated: Count() = %d, want at least %d", unit, got, want)
		}
	}
}

// What was once found to have far more tokens than its estimate has so no more: beyond ASCII it counts what real
// tokenizers make of it, ASCII at most 15 % less, since more would make English dearer than its limit in TestTexts.
func TestFound(t *testing.T) {
	t.Parallel()
	all := facts(t, "testdata/found.gz")
	if len(all) < 1000 {
		t.Fatalf("texts = %d, want at least 1000", len(all))
	}
	for text, want := range all {
		if isASCII(text) {
			want -= want * 15 / 100
		}
		if got := tokens.Count([]byte(text)); got < want {
			t.Errorf("Count(%.40q) = %d, want at least %d", text, got, want)
		}
	}
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}
