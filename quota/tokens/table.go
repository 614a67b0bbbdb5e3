package tokens

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the weights
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// One token is unit in the weights of ASCII, and a quarter of it in the weights of all other characters.
const (
	unit    = 160
	quarter = 4
)

const (
	numThree = 1 << 18 // sequences of three classes
	numFour  = 1 << 16
	numRune  = 0x10000 + 0x4000 // the Basic Multilingual Plane, then one for each 64 characters
	numPair  = 1 << 15
)

// A table has the weights of all sequences. Those of four and the pairs are hash tables of one place a slot: the upper
// byte of a slot is a tag that tells its sequence from others, the lower byte the weight. A sequence that is not there
// weighs what its end weighs alone, which is never less.
type table struct {
	classes [256]uint8 // of a byte: 0 stands for nothing before, 1 for controls and for everything beyond ASCII
	three   [numThree]uint8
	four    [numFour]uint16
	single  [numRune]uint8
	pair    [numPair]uint16
}

//go:embed weights.gz
var packed []byte

// weights is the table. It is unpacked by the first count, which takes some 3 ms.
var weights = sync.OnceValue(func() *table {
	t := new(table)
	if err := t.read(packed); err != nil {
		panic("tokens: weights.gz: " + err.Error()) // the file is a part of the program
	}
	return t
})

func (t *table) read(packed []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	if len(raw) != 128+numThree+2*numFour+numRune+2*numPair {
		return errors.New("unexpected length")
	}
	for i := range t.classes {
		t.classes[i] = 1
	}
	raw = raw[copy(t.classes[:128], raw):]
	raw = raw[copy(t.three[:], raw):]
	for i := range t.four {
		t.four[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	raw = raw[2*numFour:]
	raw = raw[copy(t.single[:], raw):]
	for i := range t.pair {
		t.pair[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return nil
}

// ascii returns the weight of an ASCII byte, by its class and the classes of the three bytes before it, six bits each.
func (t *table) ascii(classes uint32) int {
	hash := (classes & 0xffffff) * 0x9e3779b1
	slot := t.four[hash>>16]
	weight := uint16(t.three[classes&(numThree-1)])
	if uint32(slot>>8) == hash>>8&0x7f|0x80 {
		weight = slot & 0xff
	}
	return int(weight)
}

// other returns the weight of a character beyond ASCII after another one, 0 for none.
func (t *table) other(before, r rune) int {
	hash := (uint32(before)*0x9e3779b1 ^ uint32(r)) * 0x85ebca6b
	if slot := t.pair[hash>>17]; uint32(slot>>8) == hash>>9&0x7f|0x80 {
		return quarter * int(slot&0xff)
	}
	if r > 0xffff {
		r = 0x10000 + (r-0x10000)>>6
	}
	return quarter * int(t.single[r])
}
