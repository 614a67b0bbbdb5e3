// Package numbers finds the end of a list of numbers in JSON. An embedding has thousands of them, in an answer of which
// nothing but its other members matters. It knows bytes alone.
package numbers

import "encoding/binary"

// Length returns how many bytes of b, from its beginning, can only be part of a list of numbers: digits, signs, points
// and commas. It looks at eight bytes at a time, and leaves out up to seven at the end.
func Length(b []byte) (n int) {
	for ; n+8 <= len(b); n += 8 {
		// The bytes from '+' to '9' are these, and '/', which stands nowhere between the elements of a list. Any other
		// makes a top bit 1: its own, that of a difference from '+', or that of a sum which is 0x80 for the byte behind
		// '9'. What a byte carries or borrows matters only where its own top bit is 1 already.
		const each, top = 0x0101010101010101, 0x80 * 0x0101010101010101
		w := binary.LittleEndian.Uint64(b[n:])
		if (w|(w-'+'*each)|(w+(0x80-'9'-1)*each))&top != 0 {
			break
		}
	}
	return n
}
