package jsonlog

import (
	"cmp"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// interval is how long what was written waits for more, unless the last write was longer ago than that.
	interval = 5 * time.Millisecond

	// fullBatch is how many bytes do not wait. While they are being written, maxBatch may wait.
	fullBatch = 32 << 10
	maxBatch  = 256 << 10
)

var errNoReader = errors.New("the log's reader does not read")

// A Batch is a writer that joins writes which come close together. One that comes alone is written at once. Nobody
// waits for w but in Flush, or while too much waits: a goroutine makes each write, one after the other. It is safe for
// concurrent use.
type Batch struct {
	to io.Writer

	mu       sync.Mutex
	changed  sync.Cond // the fields below have changed
	waiting  []byte
	spare    []byte // memory
	accepted int64  // bytes
	ended    int64  // bytes of them that were written, or lost
	writes   int64  // that were begun
	busy     bool   // the last one has not ended
	stuck    bool   // it was given up; what comes until it ends is lost
	last     time.Time
	timer    *time.Timer
	armed    bool
	limit    time.Duration // of a write, for those who wait for it; 0: none
	err      error         // of writes, for Flush
}

// NewBatch returns a Batch of writes to w.
func NewBatch(w io.Writer) *Batch {
	b := &Batch{to: w}
	b.changed.L = &b.mu
	return b
}

// Write implements io.Writer. It does not wait for p to be written: Flush does, and has the error.
func (b *Batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.busy && !b.stuck && len(b.waiting) >= maxBatch {
		b.changed.Wait()
	}
	if b.stuck {
		return 0, errNoReader
	}
	b.waiting = append(b.waiting, p...)
	b.accepted += int64(len(p))
	if !b.armed && time.Since(b.last) >= interval {
		b.write()
	} else {
		b.goOn()
	}
	return len(p), nil
}

// Flush waits until what has come was written, and returns the error of a write since the last Flush.
func (b *Batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for all := b.accepted; b.ended < all && !b.stuck; b.changed.Wait() {
		b.write()
	}
	if b.stuck {
		return errNoReader
	}
	err := b.err
	b.err = nil
	return err
}

// LimitWaits lets no write to w keep anybody for longer than d from now on, also the one that is under way. What w does
// not take in time is lost. It is for the end of a process, which nobody may prevent by not reading what it logs.
func (b *Batch) LimitWaits(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit == 0 {
		b.limit = d
		b.limitWrite()
	}
}

// limitWrite lets nobody wait for longer than the limit for the write that is under way.
func (b *Batch) limitWrite() {
	if !b.busy || b.limit == 0 {
		return
	}
	this := b.writes
	time.AfterFunc(b.limit, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.busy && b.writes == this {
			b.stuck, b.waiting = true, b.waiting[:0]
			b.changed.Broadcast()
		}
	})
}

// write begins to write what waits, unless there is a write: whoever ends that sees to the rest.
func (b *Batch) write() {
	if b.busy || len(b.waiting) == 0 {
		return
	}
	text, upTo := b.waiting, b.accepted
	b.waiting, b.spare, b.busy = b.spare[:0], nil, true
	b.writes++
	b.limitWrite()
	go func() {
		_, err := b.to.Write(text)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.busy, b.last, b.err = false, time.Now(), cmp.Or(b.err, err)
		b.ended = upTo
		if b.stuck {
			b.stuck, b.ended, b.err = false, b.accepted, cmp.Or(b.err, errNoReader)
		}
		if cap(text) <= 2*fullBatch {
			b.spare = text
		}
		b.goOn()
		b.changed.Broadcast()
	}()
}

// goOn sees to it that what waits is written: now where it is much, else soon.
func (b *Batch) goOn() {
	switch {
	case b.busy, len(b.waiting) == 0:
	case len(b.waiting) >= fullBatch:
		b.write()
	case b.armed:
	case b.timer == nil:
		b.armed, b.timer = true, time.AfterFunc(interval, b.late)
	default:
		b.armed = true
		b.timer.Reset(interval)
	}
}

func (b *Batch) late() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	b.write()
}
