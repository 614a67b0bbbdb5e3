package tokens

import (
	_ "embed" // the weights
	"encoding/binary"
)

// One token is unit in the weights of ASCII, and a quarter of it in the weights of all other characters.
const (
	unit    = 160
	quarter = 4
)

const (
	numASCII = 128
	numThree = 1 << 18 // sequences of three classes
	numFour  = 1 << 16
	numRune  = 0x10000 + 0x4000 // the Basic Multilingual Plane, then one for each 64 characters
	numPair  = 1 << 15
)

// A table has the weights of all sequences. Those of four classes and of pairs are hash tables of one place a slot, and
// a slot has the sequence itself beside its weight: were it a tag, others would have the same tag, and whoever finds
// one of those has a text that counts too little. A sequence that is not there weighs what its end weighs alone.
type table struct {
	classes *[numASCII]uint8 // of a byte: 0 stands for nothing before, 1 for controls and for everything beyond ASCII
	three   *[numThree]uint8
	single  *[numRune]uint8
	four    *[numFour * 2]uint8 // of each slot the weight, then the lower byte of the mixed classes
	pair    *[numPair * 8]uint8 // both characters and the weight
}

// Four classes, 24 bits, are mixed by a multiplication modulo 1<<24: no two have the same slot and the same lower byte.
const mix = 0x9e3779b1

// weights.bin is laid out as the table is, so nothing is unpacked: only the pages that a text needs are read from the
// program's file. fit/table.mjs writes it.
//
//go:embed weights.bin
var file []byte

var weights = tableOf(file) //nolint:gochecknoglobals // a table

// tableOf returns the table in a file. It panics if the file is too short.
func tableOf(file []byte) *table {
	next := func(n int) (part []byte) {
		part, file = file[:n], file[n:]
		return part
	}
	return &table{
		classes: (*[numASCII]uint8)(next(numASCII)),
		three:   (*[numThree]uint8)(next(numThree)),
		single:  (*[numRune]uint8)(next(numRune)),
		four:    (*[numFour * 2]uint8)(next(numFour * 2)),
		pair:    (*[numPair * 8]uint8)(next(numPair * 8)),
	}
}

// ascii returns the weight of an ASCII byte, by its class and those of the three bytes before it, six bits each. It is
// given parts of a table, which a loop keeps in registers.
func ascii(three *[numThree]uint8, four *[numFour * 2]uint8, classes uint32) int {
	mixed := classes * mix & 0xffffff // the bits above 24 of classes have no part in it
	at := mixed >> 8 << 1
	weight := three[classes&(numThree-1)]
	if uint32(four[at+1]) == mixed&0xff {
		weight = four[at]
	}
	return int(weight)
}

// other returns the weight of a character beyond ASCII after another one, 0 for none.
func (t *table) other(before, r rune) int {
	if slot := t.pairAt(pairSlot(before, r)); slot>>8 == uint64(before)<<21|uint64(r) {
		return quarter * int(slot&0xff)
	}
	if r > 0xffff {
		r = 0x10000 + (r-0x10000)>>6
	}
	return quarter * int(t.single[r])
}

func (t *table) pairAt(slot uint32) uint64 {
	at := slot % numPair * 8
	return binary.LittleEndian.Uint64(t.pair[at : at+8])
}

func pairSlot(before, r rune) uint32 {
	return (uint32(before)*0x9e3779b1 ^ uint32(r)) * 0x85ebca6b >> 17
}
