package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Callers that are too slow hold what others need: a place, memory, a
// connection. net/http bounds only their headers; here are the bounds on the
// rest.

// lingering is how long net/http may wait for the rest of a body that nobody
// will read. It takes up to 256 KiB of it before an answer goes out.
const lingering = 5 * time.Second

// patience is how slowly a caller may send its body: with pauses, and at a rate
// on average once a first pause is used up.
type patience struct {
	pause time.Duration
	rate  int64 // bytes a second
}

// A patient body ends when its caller pauses for too long or sends too little.
// Only time spent waiting for the caller counts: an upstream that takes an
// upload slowly is not the caller being slow.
type patient struct {
	io.ReadCloser
	patience
	deadline func(time.Time) error
	set      time.Time     // when the deadline was
	waited   time.Duration // for the caller
	got      int64         // bytes
	behind   bool          // at the last read, its average was too low to pause in full
	http2    bool          // a deadline strikes there whether anybody reads or not
	over     atomic.Bool   // it has ended, well or not
}

// errSlow says how a caller was too slow.
type errSlow struct{ how string }

func (e *errSlow) Error() string { return e.how }
func (e *errSlow) Unwrap() error { return os.ErrDeadlineExceeded }

func (p *patient) Read(b []byte) (int, error) {
	began := time.Now()
	// What may still be waited before the average is too low. It is less than a
	// pause only for a caller who is behind, and then it changes with every byte.
	left := p.pause + time.Duration(float64(p.got)/float64(p.rate)*float64(time.Second)) - p.waited
	was := p.behind
	p.behind = left < p.pause
	if p.behind || was || began.Sub(p.set) > time.Second {
		p.set = began
		_ = p.deadline(began.Add(min(left, p.pause))) // a writer that knows none has no slow callers
	}
	n, err := p.ReadCloser.Read(b)
	p.waited += time.Since(began)
	p.got += int64(n)
	switch {
	case err == nil:
		if p.http2 {
			p.set = time.Time{}
			_ = p.deadline(p.set)
		}
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		// It stays: the rest of the body is not waited for once more.
		how := "nothing more of the body came for " + text(p.pause)
		if p.behind {
			how = "the body came too slowly, at less than " + bytesText(p.rate) + " a second"
		}
		err = &errSlow{how}
	case err == io.EOF:
		// It must not strike while the answer is on its way.
		_ = p.deadline(time.Time{})
	}
	p.over.Store(true)
	return n, err
}

// hurry bounds how long a failed call waits for the rest of its body, be its
// caller slow or not.
func (c *call) hurry() {
	body := c.inbound.Body
	if p, ok := body.(*patient); body == nil || body == http.NoBody || ok && p.over.Load() {
		return
	}
	_ = http.NewResponseController(c.writer.ResponseWriter).SetReadDeadline(time.Now().Add(lingering))
}

// left returns the failure of a call whose caller has gone, by itself or because
// it took nothing of the answer.
func (c *call) left(how string, err error) *normalize.Failure {
	if c.watch.hasCut() {
		how = "the caller took nothing of the answer for " + text(c.watch.limits.stalled) + "."
	}
	return unable(normalize.Aborted, "Request was aborted: "+how, err)
}

// cut ends a write to a caller that takes nothing, by a deadline long ago.
func (w *writer) cut() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
}

// FlushError is what http.ResponseController calls; like a write, it ends when
// the caller takes nothing for too long.
func (w *writer) FlushError() error {
	w.call.watch.write()
	err := http.NewResponseController(w.ResponseWriter).Flush()
	w.call.watch.wrote()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		w.failed = true
	}
	return err
}

// finish sees the answer off and reports whether the caller has got it, as far
// as can be known here. What net/http still holds of a long one is written now,
// under watch: later nobody would notice that it can't be.
func (c *call) finish() bool {
	if !c.attempt.streaming && c.writer.written > bufferSize {
		_ = c.writer.FlushError()
	}
	return !c.writer.failed
}

// part bounds what happens after the call over HTTP/2, where a caller can leave
// its stream open and take nothing of even the shortest answer.
func (c *call) part() {
	if c.inbound.ProtoMajor == 2 {
		_ = http.NewResponseController(c.writer.ResponseWriter).SetWriteDeadline(time.Now().Add(c.watch.limits.stalled))
	}
}
