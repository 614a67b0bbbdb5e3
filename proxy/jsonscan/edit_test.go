package jsonscan

import (
	"io"
	"math/rand/v2"
	"testing"
)

func TestEdited(t *testing.T) {
	const text = "0123456789"
	insert := func(at int64, text string) Edit { return Edit{at, at, []byte(text)} }
	for _, c := range []struct {
		name     string
		from, to int64
		edits    []Edit
		want     string
	}{
		{"no edits", 0, 10, nil, text},
		{"a part without edits", 3, 7, nil, "3456"},
		{"at the beginning", 0, 10, []Edit{insert(0, "ab")}, "ab0123456789"},
		{"at the end", 0, 10, []Edit{insert(10, "ab")}, "0123456789ab"},
		{"inside", 0, 10, []Edit{insert(4, "ab")}, "0123ab456789"},
		{"in place of a part", 0, 10, []Edit{{4, 8, []byte("ab")}}, "0123ab89"},
		{"in place of all", 0, 10, []Edit{{0, 10, []byte("ab")}}, "ab"},
		{"a part taken out", 0, 10, []Edit{{2, 9, nil}}, "019"},
		{"two in one place", 0, 10, []Edit{insert(5, "a"), insert(5, "b")}, "01234ab56789"},
		{"several in a part", 2, 8, []Edit{insert(2, "a"), {3, 5, []byte("b")}, insert(8, "c")}, "a2b567c"},
	} {
		for size := range len(text) + 2 {
			if got := textOf(t, split(text, size).Edited(c.from, c.to, c.edits)); got != c.want {
				t.Errorf("%s, in pieces of %d: got %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

// Any edits of any text are what the same edits of a string are.
func TestEditedRandomly(t *testing.T) {
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		text := make([]byte, rnd.IntN(60))
		for i := range text {
			text[i] = byte('a' + i%26)
		}
		from := rnd.IntN(len(text) + 1)
		to := from + rnd.IntN(len(text)-from+1)
		var edits []Edit
		want, at := "", from
		for range rnd.IntN(5) {
			begin := at + rnd.IntN(to-at+1)
			end := begin + rnd.IntN(to-begin+1)
			e := Edit{int64(begin), int64(end), []byte("XYZ")[:rnd.IntN(4)]}
			want += string(text[at:begin]) + string(e.Text)
			edits, at = append(edits, e), end
		}
		want += string(text[at:to])
		p := split(string(text), 1+rnd.IntN(20))
		if got := textOf(t, p.Edited(int64(from), int64(to), edits)); got != want {
			t.Fatalf("seed %d, %q from %d to %d with %v: got %q, want %q", seed, text, from, to, edits, got, want)
		}
	}
}

func textOf(t *testing.T, p Pieces) string {
	t.Helper()
	for i, piece := range p {
		if len(piece) == 0 {
			t.Errorf("piece %d of %q: got no bytes, want some", i, p)
		}
	}
	text, err := io.ReadAll(p.Reader(0, p.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
