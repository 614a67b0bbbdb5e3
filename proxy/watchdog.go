package proxy

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// timeLimits are how long upstream and the caller may take.
type timeLimits struct {
	firstByte time.Duration // until the answer's headers, or a stream's first event
	idle      time.Duration // between bytes after that
	stalled   time.Duration // until the caller has read what is written to it at once
}

// A watchdog ends a call whose upstream sends nothing for too long, or whose caller reads nothing for too long. Only
// the waits for one of them count against it: a caller who reads slowly does not use up upstream's time, nor the other
// way round.
//
// Its timer is not reset for each read, which would wake the runtime's poller every time. When it fires, it looks at
// when the present wait began, and is set to what is left of the limit. mu guards what the timer's goroutine shares
// with the call's; waiting and writing are atomic, so that a read costs no lock.
type watchdog struct {
	limits  timeLimits
	expired func(cause error)
	caller  http.ResponseWriter
	began   time.Time
	waiting atomic.Int64 // when the present wait for upstream began, 1 + ns after began; 0: none
	writing atomic.Int64 // the same of a write to the caller

	mu      sync.Mutex
	timer   *time.Timer
	begun   bool // the answer has
	stopped bool
	cut     bool // a write to the caller was ended
}

// await starts the wait for the answer of an attempt.
func (w *watchdog) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait()
	w.begun, w.stopped = false, false
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limits.firstByte, w.look)
		return
	}
	w.timer.Reset(w.limits.firstByte)
}

// begin ends that wait: the answer's first bytes have come. From now on the caller is watched and, if there is more,
// the rest of the answer.
func (w *watchdog) begin(more bool) {
	w.waiting.Store(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	if more {
		w.timer.Reset(min(w.limits.idle, w.limits.stalled))
		return
	}
	w.timer.Reset(w.limits.stalled)
}

// read reads once from upstream, which counts as waiting for it.
func (w *watchdog) read(src io.Reader, p []byte) (int, error) {
	w.wait()
	n, err := src.Read(p)
	w.waiting.Store(0)
	return n, err
}

// write and wrote surround what is written to the caller.
func (w *watchdog) write() { w.writing.Store(w.mark()) }
func (w *watchdog) wrote() { w.writing.Store(0) }

// hasCut reports whether a write to the caller was ended.
func (w *watchdog) hasCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
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

func (w *watchdog) wait() { w.waiting.Store(w.mark()) }

// mark is the present moment as waiting and writing hold it.
func (w *watchdog) mark() int64 { return 1 + int64(time.Since(w.began)) }

// left is what is left of a limit on something that began at a mark; all of it, if nothing did.
func (w *watchdog) left(limit time.Duration, mark int64) time.Duration {
	if mark == 0 {
		return limit
	}
	return limit - (time.Since(w.began) - time.Duration(mark-1))
}

// look is called by the timer.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped { // after the timer had fired
		return
	}
	limit, cause := w.limits.firstByte, errFirstByte
	if w.begun {
		limit, cause = w.limits.idle, errIdle
	}
	next := w.left(limit, w.waiting.Load())
	if next <= 0 {
		w.expired(cause)
		return
	}
	if w.begun {
		stalled := w.left(w.limits.stalled, w.writing.Load())
		if stalled <= 0 {
			w.cut = true
			// A deadline long ago ends the write.
			_ = http.NewResponseController(w.caller).SetWriteDeadline(time.Unix(1, 0))
			return
		}
		next = min(next, stalled)
	}
	w.timer.Reset(next)
}
