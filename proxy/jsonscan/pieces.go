package jsonscan

import (
	"io"
	"iter"
	"math"
)

// Pieces is a text that lies in several pieces of memory, in order. No piece is empty. Offsets count from the beginning
// of the text.
type Pieces [][]byte

// Len returns the length of the text in bytes.
func (p Pieces) Len() (n int64) {
	for _, piece := range p {
		n += int64(len(piece))
	}
	return n
}

// Bytes returns the text between two offsets. It shares the memory of a piece, or is a copy if it lies in several.
func (p Pieces) Bytes(from, to int64) []byte {
	r := p.Part(from, to)
	if len(r.rest) > 0 && int64(len(r.rest[0])-r.pos) >= to-from {
		return r.rest[0][r.pos : r.pos+int(to-from)]
	}
	text := make([]byte, 0, to-from)
	for piece := r.next(math.MaxInt); len(piece) > 0; piece = r.next(math.MaxInt) {
		text = append(text, piece...)
	}
	return text
}

// Reader returns a Reader of the text between two offsets.
func (p Pieces) Reader(from, to int64) *Reader {
	r := p.Part(from, to)
	return &r
}

// Part returns the same as a value.
func (p Pieces) Part(from, to int64) Reader {
	left := max(to-from, 0)
	for len(p) > 0 && from >= int64(len(p[0])) {
		from -= int64(len(p[0]))
		p = p[1:]
	}
	return Reader{rest: p, pos: int(from), left: left}
}

// A Reader reads a part of a text in pieces.
type Reader struct {
	rest Pieces
	pos  int // in the first piece of rest
	left int64
}

// next returns what follows in the same piece, at most limit bytes, and moves behind it. It is empty only at the end.
func (r *Reader) next(limit int) []byte {
	for len(r.rest) > 0 && r.pos == len(r.rest[0]) {
		r.rest, r.pos = r.rest[1:], 0
	}
	if len(r.rest) == 0 {
		return nil
	}
	part := r.rest[0][r.pos:]
	part = part[:min(int64(len(part)), int64(limit), r.left)]
	r.pos += len(part)
	r.left -= int64(len(part))
	return part
}

// Left returns how many bytes are left.
func (r *Reader) Left() int64 { return r.left }

// Pieces yields what is left.
func (r *Reader) Pieces() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for piece := r.next(math.MaxInt); len(piece) > 0 && yield(piece); piece = r.next(math.MaxInt) {
		}
	}
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	part := r.next(len(b))
	if len(part) == 0 {
		return 0, io.EOF
	}
	return copy(b, part), nil
}
