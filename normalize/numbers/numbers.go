// Package numbers finds the end of a list of numbers in JSON. An embedding has thousands of them, in an answer of which
// nothing but its other members matters. It knows bytes alone.
package numbers

import "encoding/binary"

// Length returns how many bytes of b, from its beginning, can only be part of a list of numbers: digits, signs, points,
// commas, and slashes, which no list has. It looks at eight bytes at a time, and leaves out up to seven at the end.
func Length(b []byte) (n int) {
	for ; n+8 <= len(b); n += 8 {
		// These are the bytes from '+' to '9'. One above 0x7f has a top bit of its own. One below '+' has it in the
		// difference. One above '9' has it in the sum. What a byte borrows from the next one, or carries to it, changes
		// nothing: it has set its own bit then.
		const each, top = 0x0101010101010101, 0x80 * 0x0101010101010101
		w := binary.LittleEndian.Uint64(b[n:])
		if (w|(w-'+'*each)|(w+(0x80-'9'-1)*each))&top != 0 {
			break
		}
	}
	return n
}
