package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/fairshare"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/timelimit"
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

// bodies reads request bodies within two limits: the size of one, and what all buffered ones take at once.
type bodies struct {
	max     int64
	room    *fairshare.Pool // bytes of all buffered bodies
	slowest timelimit.UploadRate
	gateway bool // calls go to an AI Gateway
	metrics *metrics.Metrics
	small   sync.Pool // of *[smallPiece]byte
	large   sync.Pool // of *[largePiece]byte
}

// A bufferedBody is a body that was read whole, because what it says decides what may be done with it and because it
// may have to be sent again. Its memory may be read until release.
type bufferedBody struct {
	json     *measure.JSON // nil: it is none
	from, to int64         // the part that goes to upstream

	tenant   *fairshare.Tenant // of bodies.room
	room     int64             // bytes taken there, before their memory is
	capacity int64             // bytes of memory

	mu    sync.Mutex
	text  jsonscan.Pieces // nil once released
	first [1][]byte       // memory of text for a body of one piece
	end   [1]byte         // for the read that finds the end
}

// size returns the length of what goes to upstream.
func (h *bufferedBody) size() int64 { return h.to - h.from }

// open returns a reader over what goes to upstream. It sets sent once something was read: from then on upstream may
// have seen the call.
func (h *bufferedBody) open(sent *atomic.Bool) io.ReadCloser {
	return &bodyReader{body: h, text: *h.text.Reader(h.from, h.to), sent: sent}
}

type bodyReader struct {
	body *bufferedBody
	text jsonscan.Reader
	sent *atomic.Bool
}

var errReleased = errors.New("the call has ended")

// Read implements io.Reader. The transport may still read when the call has ended: an answer may come before the whole
// request was sent.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.sent.Store(true)
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.body.text == nil {
		return 0, errReleased
	}
	return r.text.Read(p)
}

// Close ends this reader only; the body stays for another attempt.
func (r *bodyReader) Close() error { return nil }

// grow adds a piece to a body that is full, and returns it. declared is the length that the caller declared, -1 if it
// did not.
func (b *bodies) grow(c *call, h *bufferedBody, declared int64) ([]byte, error) {
	pool, size := &b.large, int64(largePiece)
	if h.capacity < provenSize || declared >= 0 && declared-h.capacity <= smallPiece {
		pool, size = &b.small, smallPiece
	}
	capacity := h.capacity + size
	if need := min(capacity, b.max); need > h.room {
		switch {
		case h.capacity < provenSize:
		case declared >= 0:
			need = max(need, capacityOf(declared))
		default:
			need = 2 * h.room
		}
		if err := b.acquire(c, h, min(need, b.max)-h.room); err != nil {
			return nil, err
		}
	}
	var piece []byte
	if size == smallPiece {
		piece = pool.Get().(*[smallPiece]byte)[:]
	} else {
		piece = pool.Get().(*[largePiece]byte)[:]
	}
	h.capacity = capacity
	h.text = append(h.text, piece)
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

// fit cuts a body to the bytes that were read, and gives back what is beyond.
func (b *bodies) fit(h *bufferedBody, length int64) {
	for len(h.text) > 0 {
		last := len(h.text) - 1
		piece := h.text[last]
		if rest := length - (h.capacity - int64(len(piece))); rest > 0 {
			h.text[last] = piece[:rest]
			break
		}
		h.capacity -= int64(len(piece))
		b.put(piece)
		h.text = h.text[:last]
	}
	h.from, h.to = 0, length
	// Some room is kept in any case: a tenant that holds nothing is forgotten, and release names it once more.
	if spare := h.room - min(max(h.capacity, smallPiece), b.max); spare > 0 {
		b.room.Release(h.tenant, spare)
		h.room -= spare
	}
}

// release gives the memory of a body back.
func (b *bodies) release(h *bufferedBody) {
	if h == nil {
		return
	}
	h.mu.Lock()
	text := h.text
	h.text = nil
	h.mu.Unlock()
	for _, piece := range text {
		b.put(piece)
	}
	b.room.Release(h.tenant, h.room)
}

// put gives a piece back to its pool.
func (b *bodies) put(piece []byte) {
	if cap(piece) == largePiece {
		b.large.Put((*[largePiece]byte)(piece[:largePiece]))
	} else {
		b.small.Put((*[smallPiece]byte)(piece[:smallPiece]))
	}
}

// acquire takes n more bytes of room for a body, and waits for them.
func (b *bodies) acquire(c *call, h *bufferedBody, n int64) error {
	r := fairshare.Request{Client: c.client, Limited: c.limited(), Amount: n, Held: h.room}
	if tenant := b.room.TryAcquire(r); tenant != nil {
		h.tenant = tenant
		h.room += n
		return nil
	}
	c.own.stop()
	result := b.room.Acquire(c.ctx, r)
	c.own.start()
	switch result.Outcome {
	case fairshare.Granted:
		h.tenant = result.Tenant
		h.room += n
		return nil
	case fairshare.Canceled:
		return context.Cause(c.ctx)
	}
	b.metrics.Preempted("overload", metrics.ModeEnforce)
	what := "The request bodies held at once have reached this proxy's limit of"
	if result.OverShare {
		what = "The request bodies of your client have used up its share of what this proxy holds at once,"
	}
	return refuse(normalize.Overloaded, fmt.Sprintf("%s %s ({MAX_HELD}).", what, bytesText(b.room.Size())), "")
}
