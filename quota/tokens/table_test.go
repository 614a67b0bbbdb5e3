package tokens

import (
	"slices"
	"testing"
)

// What the table says of four classes or of a pair holds for those alone: of all others, it says what the end weighs.
func TestSequencesAreExact(t *testing.T) {
	t.Parallel()
	table := weights
	slots, others := [numFour]int{}, 0
	for classes := range uint32(1 << 24) {
		if ascii(table.three, table.four, classes) != int(table.three[classes&(numThree-1)]) {
			others++
			slots[classes*mix&0xffffff>>8]++
		}
	}
	if got := slices.Max(slots[:]); got != 1 {
		t.Errorf("sequences of four classes in one slot = %d, want 1", got)
	}
	if others < 20_000 {
		t.Errorf("sequences of four classes with a weight of their own = %d, want at least 20000", others)
	}
	pairs := 0
	for at := range uint32(numPair) {
		slot := table.pairAt(at)
		if slot == 0 {
			continue
		}
		pairs++
		before, r, weight := rune(slot>>29), rune(slot>>8&0x1fffff), int(slot&0xff)
		if got := pairSlot(before, r); got != at {
			t.Errorf("pairSlot(%q, %q) = %d, want %d, where it is", before, r, got, at)
		}
		if got, want := table.other(before, r), quarter*weight; got != want {
			t.Errorf("other(%q, %q) = %d, want %d", before, r, got, want)
		}
	}
	if pairs < 5_000 {
		t.Errorf("pairs = %d, want at least 5000", pairs)
	}
	// Every character after itself, and after others.
	for r := rune(0x80); r < 0x10000; r++ {
		for before := range rune(64) {
			before = r + before*37
			slot := table.pairAt(pairSlot(before, r))
			if slot>>29 == uint64(before) && slot>>8&0x1fffff == uint64(r) {
				continue
			}
			if got, want := table.other(before, r), quarter*int(table.single[r]); got != want {
				t.Fatalf("other(%q, %q) = %d, want %d, which it weighs after others", before, r, got, want)
			}
		}
	}
}
