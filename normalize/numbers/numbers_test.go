package numbers

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestLength(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"":                           0,
		"1234567":                    0,
		"12345678":                   8,
		"-0.5,+1.":                   8,
		"-0.01234,0.56789,12345678]": 24,
		"1,2,3,4,5,6,7,8]":           8,
		"1.5e-05,1.5,1.5,":           0,
	} {
		if got := Length([]byte(in)); got != want {
			t.Errorf("Length(%q) = %d, want %d", in, got, want)
		}
	}
}

// Each byte at each place, among others that pass and that do not.
func TestLengthOfAnyByte(t *testing.T) {
	t.Parallel()
	passes := func(c byte) bool { return strings.IndexByte("0123456789+-.,/", c) >= 0 }
	random := rand.New(rand.NewPCG(1, 2))
	for c := range 256 {
		for at := range 8 {
			for _, others := range []string{"00000000", "99999999", "++++++++", strings.Repeat("\x00", 8), ""} {
				in := []byte(others)
				if others == "" {
					in = make([]byte, 8)
					for i := range in {
						in[i] = byte(random.Uint32())
					}
				}
				in[at] = byte(c)
				want := 8
				if bytes.ContainsFunc(in, func(r rune) bool { return r > 0x7f || !passes(byte(r)) }) {
					want = 0
				}
				if got := Length(in); got != want {
					t.Fatalf("Length(%q) = %d, want %d", in, got, want)
				}
			}
		}
	}
}
