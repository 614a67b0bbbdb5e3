package jsonlog

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

var errNoReader = errors.New("the log's reader does not read")

// An output writes in a goroutine, so that whoever waits for a write can give it up: nothing else ends a write to a
// pipe that nobody reads. A Batch makes one write at a time.
type output struct {
	to      io.Writer
	busy    atomic.Bool // a write is under way, which may have been given up
	text    []byte      // what it writes
	limited chan struct{}
	once    sync.Once
	limit   time.Duration // of a write; set before limited is closed
}

func newOutput(w io.Writer) *output { return &output{to: w, limited: make(chan struct{})} }

// limitWaits lets nobody wait for longer than d from now on, also for the write that is under way.
func (o *output) limitWaits(d time.Duration) {
	o.once.Do(func() {
		o.limit = d
		close(o.limited)
	})
}

// Write implements io.Writer. What comes while a write lasts that was given up is lost.
func (o *output) Write(p []byte) (int, error) {
	if !o.busy.CompareAndSwap(false, true) {
		return 0, errNoReader
	}
	o.text = append(o.text[:0], p...)
	written := make(chan error, 1)
	go func() {
		_, err := o.to.Write(o.text)
		o.busy.Store(false)
		written <- err
	}()
	select {
	case err := <-written:
		return len(p), err
	case <-o.limited:
	}
	timer := time.NewTimer(o.limit)
	defer timer.Stop()
	select {
	case err := <-written:
		return len(p), err
	case <-timer.C:
		return 0, errNoReader
	}
}
