package proxy

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// limits are how long upstream may take.
type limits struct {
	firstByte time.Duration // until the answer's headers, or a stream's first event
	idle      time.Duration // between bytes after that
}

// A watchdog ends a call whose upstream is silent for too long. Only waits for
// upstream count: a caller who reads slowly is not upstream being silent.
//
// Its timer is not set anew for each read, which would wake the runtime's poller
// every time; it looks at when the present wait began and sleeps on.
type watchdog struct {
	limits  limits
	expired func(cause error)
	began   time.Time
	waiting atomic.Int64 // when the present wait began, 1 + ns after began; 0: none

	mu      sync.Mutex
	timer   *time.Timer
	passing bool // the answer is on its way to the caller
	stopped bool
}

// await begins the wait for the answer of an attempt.
func (w *watchdog) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait()
	w.passing, w.stopped = false, false
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limits.firstByte, w.look)
		return
	}
	w.timer.Reset(w.limits.firstByte)
}

// pass ends that wait: the answer's first bytes are there. more says that the
// rest of it is still to be read.
func (w *watchdog) pass(more bool) {
	w.waiting.Store(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !more {
		w.stopped = true
		w.timer.Stop()
		return
	}
	w.passing = true
	w.timer.Reset(w.limits.idle)
}

// read reads once from upstream, on its time.
func (w *watchdog) read(src io.Reader, p []byte) (int, error) {
	w.wait()
	n, err := src.Read(p)
	w.waiting.Store(0)
	return n, err
}

// stop ends the watch.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) wait() { w.waiting.Store(1 + int64(time.Since(w.began))) }

// look is called by the timer.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped { // while the timer was on its way here
		return
	}
	limit, cause := w.limits.firstByte, errFirstByte
	if w.passing {
		limit, cause = w.limits.idle, errIdle
	}
	since := w.waiting.Load()
	if since == 0 {
		w.timer.Reset(limit)
		return
	}
	if left := limit - (time.Since(w.began) - time.Duration(since-1)); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.expired(cause)
}
