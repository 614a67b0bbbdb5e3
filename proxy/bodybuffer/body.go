package bodybuffer

import (
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// A buffered body lies in pieces of two sizes, which come from pools: it grows without being copied, and what one body
// gives back the next one takes, so that bodies leave no garbage. Most bodies fit into one small piece.
const (
	smallPiece = 16 << 10
	largePiece = 64 << 10

	// provenSize is how much of a body must have come before its declared length is believed. From then on it has room
	// for all of it: bodies that wait for more room while they hold some would block each other.
	provenSize = 64 << 10
)

// Errors of ReadRest.
var (
	ErrTooLarge = errors.New("the body is larger than allowed")
	ErrLonger   = errors.New("the body is longer than declared") // net/http lets no such body pass
)

// Room is what a body asks for bytes before it takes memory.
type Room interface {
	Acquire(n, held int64) error // n more bytes for a body that has held so far; may wait
	Release(n int64)
}

// A Pool has the memory of bodies.
type Pool struct {
	max   int64     // bytes of one body
	small sync.Pool // of *[smallPiece]byte
	large sync.Pool // of *[largePiece]byte
}

// NewPool returns a Pool for bodies of at most so many bytes.
func NewPool(maxBody int64) *Pool {
	return &Pool{
		max:   maxBody,
		small: sync.Pool{New: func() any { return new([smallPiece]byte) }},
		large: sync.Pool{New: func() any { return new([largePiece]byte) }},
	}
}

// A Body is a request body that was read whole. Its memory may be read until Release.
type Body struct {
	pool     *Pool
	room     Room
	declared int64 // length by the caller, -1 if it gave none
	from, to int64 // the part that goes to upstream
	held     int64 // bytes taken of room, before their memory is
	capacity int64 // bytes of memory

	mu     sync.Mutex
	last   *reader         // that was opened: the others are of attempts that have failed
	read   bool            // it has come to the end
	text   jsonscan.Pieces // nil once released
	edited jsonscan.Pieces // what goes to upstream, nil while that is an unchanged part of text
	kinds  []jsonscan.Kind // of the pieces of text but the last one
	first  [1][]byte       // memory of text for a body of one piece
	end    [1]byte         // for the read that finds the end
}

// NewBody returns a body that is empty. declared is the length that the caller declared, -1 if it did not.
func (p *Pool) NewBody(room Room, declared int64) *Body {
	b := &Body{pool: p, room: room, declared: declared}
	b.text = b.first[:0]
	return b
}

// Text returns the whole body.
func (b *Body) Text() jsonscan.Pieces { return b.text }

// Kinds returns what is known of the pieces of Text.
func (b *Body) Kinds() []jsonscan.Kind { return b.kinds }

// Cut makes a part of the body what goes to upstream.
func (b *Body) Cut(from, to int64) { b.from, b.to = from, to }

// Edit changes what goes to upstream. The edits are in order, within the part that a former Cut has left; Text stays as
// it is.
func (b *Body) Edit(edits []jsonscan.Edit) {
	b.edited = b.text.Edited(b.from, b.to, edits)
	b.from, b.to = 0, b.edited.Len()
}

// Size returns the length of what goes to upstream.
func (b *Body) Size() int64 { return b.to - b.from }

// Sent yields what goes to upstream, in pieces. It must not be called once the body was released.
func (b *Body) Sent() iter.Seq[[]byte] {
	r := b.sent()
	return r.Pieces()
}

func (b *Body) sent() jsonscan.Reader {
	if b.edited != nil {
		return b.edited.Part(b.from, b.to)
	}
	return b.text.Part(b.from, b.to)
}

// Open returns a reader over what goes to upstream. It sets sent once something was read: from then on upstream may
// have seen the call.
func (b *Body) Open(sent *atomic.Bool) io.ReadCloser {
	return b.opened(&reader{body: b, text: b.sent(), sent: sent})
}

// OpenFirst is like Open, with a new sent.
func (b *Body) OpenFirst() (r io.ReadCloser, sent *atomic.Bool) {
	first := &struct {
		reader
		sent atomic.Bool
	}{reader: reader{body: b, text: b.sent()}}
	first.reader.sent = &first.sent
	return b.opened(&first.reader), &first.sent
}

func (b *Body) opened(r *reader) *reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.read = r, false
	return r
}

type reader struct {
	body *Body
	text jsonscan.Reader
	sent *atomic.Bool
	set  bool // sent, by this reader
}

var errReleased = errors.New("the call has ended")

// Read implements io.Reader. The transport may still read when the call has ended: an answer may come before the whole
// request was sent.
func (r *reader) Read(p []byte) (int, error) {
	if !r.sent.Swap(true) {
		r.set = true
	}
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	var (
		n   int
		err error
	)
	switch {
	case r.text.Left() == 0:
		err = io.EOF
	case r.body.text == nil:
		return 0, errReleased
	default:
		n, err = r.text.Read(p)
	}
	if r == r.body.last && r.text.Left() == 0 {
		r.body.read = true
	}
	return n, err
}

// Unsent takes back that something was read: none of it has gone to upstream.
func (r *reader) Unsent() {
	if r.set {
		r.sent.Store(false)
	}
}

// Close ends this reader only; the body stays for another attempt.
func (r *reader) Close() error { return nil }

// Grow adds a piece to a body that is full, and returns it.
func (b *Body) Grow() ([]byte, error) {
	pool, size := &b.pool.large, int64(largePiece)
	if b.capacity < provenSize || b.declared >= 0 && b.declared-b.capacity <= smallPiece {
		pool, size = &b.pool.small, smallPiece
	}
	capacity := b.capacity + size
	if need := min(capacity, b.pool.max); need > b.held {
		switch {
		case b.capacity < provenSize:
		case b.declared >= 0:
			need = max(need, capacityOf(b.declared))
		default:
			need = 2 * b.held
		}
		need = min(need, b.pool.max)
		if err := b.room.Acquire(need-b.held, b.held); err != nil {
			return nil, err
		}
		b.held = need
	}
	var piece []byte
	if size == smallPiece {
		piece = pool.Get().(*[smallPiece]byte)[:]
	} else {
		piece = pool.Get().(*[largePiece]byte)[:]
	}
	b.capacity = capacity
	b.text = append(b.text, piece)
	return piece, nil
}

// capacityOf returns the memory that a body of the given length takes, if it is more than provenSize.
func capacityOf(length int64) int64 {
	rest := (length - provenSize) % largePiece
	switch {
	case rest == 0:
		return length
	case rest <= smallPiece:
		return length - rest + smallPiece
	}
	return length - rest + largePiece
}

// ReadRest reads the rest of a body from src. n bytes were read into its first piece so far, the last time with err. An
// error of src is returned as it is.
func (b *Body) ReadRest(src io.Reader, n int64, err error) error {
	limit := b.pool.max
	if b.declared >= 0 {
		limit = b.declared
	}
	piece := b.text[0][n:] // what is free of the last one
	for err == nil && n <= limit {
		switch {
		case len(piece) > 0:
		case n == limit:
			piece = b.end[:] // only the end should come
		default:
			b.kinds = append(b.kinds, jsonscan.KindOf(b.text[len(b.text)-1]))
			if piece, err = b.Grow(); err != nil {
				return err
			}
		}
		var m int
		m, err = src.Read(piece)
		piece = piece[m:]
		n += int64(m)
	}
	switch {
	case n > b.pool.max:
		return ErrTooLarge
	case n > limit:
		return ErrLonger
	case err != io.EOF:
		return err
	}
	b.fit(n)
	return nil
}

// fit cuts a body to the bytes that were read, and gives back what is beyond.
func (b *Body) fit(length int64) {
	for len(b.text) > 0 {
		last := len(b.text) - 1
		piece := b.text[last]
		if rest := length - (b.capacity - int64(len(piece))); rest > 0 {
			b.text[last] = piece[:rest]
			break
		}
		b.capacity -= int64(len(piece))
		b.pool.put(piece)
		b.text = b.text[:last]
	}
	b.from, b.to = 0, length
	// Some room is kept in any case: a tenant that holds nothing is forgotten, and Release names it once more.
	if spare := b.held - min(max(b.capacity, smallPiece), b.pool.max); spare > 0 {
		b.room.Release(spare)
		b.held -= spare
	}
}

// Release gives the memory of a body back. It may be called more than once, by one goroutine.
func (b *Body) Release() {
	b.mu.Lock()
	text := b.text
	b.text, b.edited = nil, nil
	b.mu.Unlock()
	for _, piece := range text {
		b.pool.put(piece)
	}
	if b.held > 0 {
		b.room.Release(b.held)
		b.held = 0
	}
}

// ReleaseSent is Release for a body that upstream has answered and that will not be sent again. One that upstream has
// not had to its end stays, whatever an attempt before had of it.
func (b *Body) ReleaseSent() {
	b.mu.Lock()
	read := b.read
	b.mu.Unlock()
	if read {
		b.Release()
	}
}

// put gives a piece back to its pool.
func (p *Pool) put(piece []byte) {
	if cap(piece) == largePiece {
		p.large.Put((*[largePiece]byte)(piece[:largePiece]))
	} else {
		p.small.Put((*[smallPiece]byte)(piece[:smallPiece]))
	}
}
