package timelimit

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What a watchdog ends a call with.
var (
	ErrFirstByte = errors.New("no answer within the time limit of a first byte")
	ErrIdle      = errors.New("nothing more within the time limit of an idle stream")
)

// Limits are how long upstream and the caller may take.
type Limits struct {
	FirstByte time.Duration // until the answer's headers, or a stream's first event
	Idle      time.Duration // between bytes after that
	Stalled   time.Duration // until the caller has read what is written to it at once
}

// A Watchdog ends a call whose upstream sends nothing for too long, or whose caller reads nothing for too long. Only
// the waits for one of them count against it: a caller who reads slowly does not use up upstream's time, nor the other
// way round.
//
// Its timer is not reset for each read, which would wake the runtime's poller every time. When it fires, it looks at
// when the present wait began, and is set to what is left of the limit. mu guards what the timer's goroutine shares
// with the call's; waiting and writing are atomic, so that a read costs no lock.
type Watchdog struct {
	Limits  Limits
	Began   time.Time           // any moment before the first wait
	Expired func(cause error)   // ends the call, with ErrFirstByte or ErrIdle
	Caller  http.ResponseWriter // all writes to it go through the watchdog

	waiting atomic.Int64 // when the present wait for upstream began, 1 + ns after Began; 0: none
	writing atomic.Int64 // the same of a write to the caller

	mu      sync.Mutex
	timer   *time.Timer
	begun   bool // the answer has
	stopped bool
	cut     bool // a write to the caller was ended
}

// Await starts the wait for the answer of an attempt.
func (w *Watchdog) Await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait()
	w.begun, w.stopped = false, false
	if w.timer == nil {
		w.timer = time.AfterFunc(w.Limits.FirstByte, w.look)
		return
	}
	w.timer.Reset(w.Limits.FirstByte)
}

// Begin ends that wait: the answer's first bytes have come. From now on the caller is watched and, if there is more,
// the rest of the answer.
func (w *Watchdog) Begin(more bool) {
	w.waiting.Store(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	if more {
		w.timer.Reset(min(w.Limits.Idle, w.Limits.Stalled))
		return
	}
	w.timer.Reset(w.Limits.Stalled)
}

// Read reads once from upstream, which counts as waiting for it.
func (w *Watchdog) Read(src io.Reader, p []byte) (int, error) {
	w.wait()
	n, err := src.Read(p)
	w.waiting.Store(0)
	return n, err
}

// Write writes to the caller. It ends when the caller reads nothing for too long.
func (w *Watchdog) Write(p []byte) (int, error) {
	w.writing.Store(w.mark())
	n, err := w.Caller.Write(p)
	w.writing.Store(0)
	return n, err
}

// Flush sends what net/http still holds of the answer. Like a write, it ends when the caller reads nothing for too
// long.
func (w *Watchdog) Flush() error {
	w.writing.Store(w.mark())
	err := http.NewResponseController(w.Caller).Flush()
	w.writing.Store(0)
	return err
}

// HasCut reports whether a write to the caller was ended.
func (w *Watchdog) HasCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// Stop ends the watch.
func (w *Watchdog) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *Watchdog) wait() { w.waiting.Store(w.mark()) }

// mark is the present moment as waiting and writing hold it.
func (w *Watchdog) mark() int64 { return 1 + int64(time.Since(w.Began)) }

// left is what is left of a limit on something that began at a mark; all of it, if nothing did.
func (w *Watchdog) left(limit time.Duration, mark int64) time.Duration {
	if mark == 0 {
		return limit
	}
	return limit - (time.Since(w.Began) - time.Duration(mark-1))
}

// look is called by the timer.
func (w *Watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped { // after the timer had fired
		return
	}
	limit, cause := w.Limits.FirstByte, ErrFirstByte
	if w.begun {
		limit, cause = w.Limits.Idle, ErrIdle
	}
	next := w.left(limit, w.waiting.Load())
	if next <= 0 {
		w.Expired(cause)
		return
	}
	if w.begun {
		stalled := w.left(w.Limits.Stalled, w.writing.Load())
		if stalled <= 0 {
			w.cut = true
			// A deadline long ago ends the write.
			_ = http.NewResponseController(w.Caller).SetWriteDeadline(time.Unix(1, 0))
			return
		}
		next = min(next, stalled)
	}
	w.timer.Reset(next)
}
