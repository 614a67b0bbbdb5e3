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

// A table has the weights of all sequences. Those of four classes and of pairs are hash tables of one place a slot, and
// a slot has the sequence itself beside its weight: were it a tag, others would have the same tag, and whoever finds
// one of those has a text that counts too little. A sequence that is not there weighs what its end weighs alone.
type table struct {
	classes [256]uint8 // of a byte: 0 stands for nothing before, 1 for controls and for everything beyond ASCII
	three   [numThree]uint8
	four    [numFour]uint16 // the lower byte of the mixed classes, whose upper bytes are the slot, then the weight
	single  [numRune]uint8
	pair    [numPair]uint64 // both characters, then the weight
}

// Four classes, 24 bits, are mixed by a multiplication modulo 1<<24, which unmix undoes: no two have the same slot and
// the same lower byte.
const (
	mix   = 0x9e3779b1
	unmix = 0x8b2f51
)

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
	for i := range t.classes {
		t.classes[i] = 1
	}
	if len(raw) < 128+numThree+numRune {
		return errTooShort
	}
	raw = raw[copy(t.classes[:128], raw):]
	raw = raw[copy(t.three[:], raw):]
	raw = raw[copy(t.single[:], raw):]
	for i := range t.four {
		// No slot is empty: one that nothing has a place in has a sequence and what its end weighs alone.
		classes := uint32(i) << 8 * unmix
		t.four[i] = uint16(t.three[classes&(numThree-1)])
	}
	raw, err = list(raw, 3, func(classes uint64, weight byte) {
		mixed := uint32(classes) * mix & 0xffffff
		t.four[mixed>>8] = uint16(mixed)<<8 | uint16(weight)
	})
	if err != nil {
		return err
	}
	raw, err = list(raw, 6, func(key uint64, weight byte) {
		before, r := rune(key>>21), rune(key&0x1fffff)
		t.pair[pairSlot(before, r)] = key<<8 | uint64(weight)
	})
	if err == nil && len(raw) > 0 {
		return errors.New("too long")
	}
	return err
}

var errTooShort = errors.New("too short")

// list reads sequences with their weights and returns what follows them: their number, the upper byte of each, all
// bytes below in the same way, and the weights. That packs best, since they are sorted.
func list(raw []byte, size int, add func(sequence uint64, weight byte)) ([]byte, error) {
	if len(raw) < 4 {
		return nil, errTooShort
	}
	n := int(binary.LittleEndian.Uint32(raw))
	if raw = raw[4:]; len(raw)/(size+1) < n {
		return nil, errTooShort
	}
	for i := range n {
		var sequence uint64
		for b := range size {
			sequence = sequence<<8 | uint64(raw[b*n+i])
		}
		add(sequence, raw[size*n+i])
	}
	return raw[(size+1)*n:], nil
}

// ascii returns the weight of an ASCII byte, by its class and the classes of the three bytes before it, six bits each.
func (t *table) ascii(classes uint32) int {
	mixed := classes * mix & 0xffffff // the bits above 24 of classes have no part in it
	slot := t.four[mixed>>8]
	weight := uint16(t.three[classes&(numThree-1)])
	if uint32(slot>>8) == mixed&0xff {
		weight = slot & 0xff
	}
	return int(weight)
}

// other returns the weight of a character beyond ASCII after another one, 0 for none.
func (t *table) other(before, r rune) int {
	if slot := t.pair[pairSlot(before, r)]; slot>>8 == uint64(before)<<21|uint64(r) {
		return quarter * int(slot&0xff)
	}
	if r > 0xffff {
		r = 0x10000 + (r-0x10000)>>6
	}
	return quarter * int(t.single[r])
}

func pairSlot(before, r rune) uint32 {
	return (uint32(before)*0x9e3779b1 ^ uint32(r)) * 0x85ebca6b >> 17
}
