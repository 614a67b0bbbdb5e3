package jsonlog

import (
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

// A Batch is a writer that joins writes which come close together. One that comes alone is written at once. It is safe
// for concurrent use.
type Batch struct {
	to *output

	mu      sync.Mutex
	written sync.Cond // what was being written is
	waiting []byte
	spare   []byte // memory
	busy    bool   // there is a write
	last    time.Time
	timer   *time.Timer
	armed   bool
	err     error // of a write that nobody waited for
}

// NewBatch returns a Batch of writes to w.
func NewBatch(w io.Writer) *Batch {
	b := &Batch{to: newOutput(w)}
	b.written.L = &b.mu
	return b
}

// Write implements io.Writer. It returns once p is written, or waits to be.
func (b *Batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.busy && len(b.waiting) >= maxBatch {
		b.written.Wait()
	}
	b.waiting = append(b.waiting, p...)
	switch {
	case b.busy: // whoever writes sees to it
	case len(b.waiting) >= fullBatch || !b.armed && time.Since(b.last) >= interval:
		return len(p), b.write()
	default:
		b.arm()
	}
	return len(p), nil
}

// Flush writes what waits, and returns the error of a write that nobody waited for.
func (b *Batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.busy {
		b.written.Wait()
	}
	if err := b.write(); err != nil {
		return err
	}
	err := b.err
	b.err = nil
	return err
}

// LimitWaits lets no write to w keep anybody for longer than d from now on. What w does not take in time is lost. It is
// for the end of a process, which nobody may prevent by not reading what it logs.
func (b *Batch) LimitWaits(d time.Duration) { b.to.limitWaits(d) }

// arm sees to it that what waits is written.
func (b *Batch) arm() {
	if b.armed {
		return
	}
	b.armed = true
	if b.timer == nil {
		b.timer = time.AfterFunc(interval, b.late)
		return
	}
	b.timer.Reset(interval)
}

func (b *Batch) late() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	if b.busy {
		return // whoever writes sees to it
	}
	if err := b.write(); err != nil {
		b.err = err
	}
}

// write writes what waits. The lock is held but for the write itself.
func (b *Batch) write() error {
	if len(b.waiting) == 0 {
		return nil
	}
	text := b.waiting
	b.waiting, b.spare, b.busy = b.spare[:0], nil, true
	b.mu.Unlock()
	_, err := b.to.Write(text)
	b.mu.Lock()
	b.busy, b.last = false, time.Now()
	if cap(text) <= 2*fullBatch {
		b.spare = text
	}
	if len(b.waiting) > 0 {
		b.arm()
	}
	b.written.Broadcast()
	return err
}
