package timelimit

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// An UploadRate is how slowly a caller may send its body: with pauses, and at an average rate once a first pause is
// used up.
type UploadRate struct {
	Pause time.Duration // the longest
	Rate  int64         // bytes a second
}

// A Body ends when its caller pauses for too long or sends too little. Only time spent waiting for the caller
// counts: an upstream that reads an upload slowly is not the caller being slow.
type Body struct {
	io.ReadCloser
	rate   UploadRate
	caller http.ResponseWriter
	set    time.Time     // when the deadline was
	waited time.Duration // for the caller
	read   int64         // bytes
	behind bool          // at the last read, its average was too low to pause in full
	http2  bool          // a deadline strikes there whether anybody reads or not
	over   atomic.Bool
}

// A SlowError says how a caller was too slow.
type SlowError struct {
	UploadRate
	Behind bool // its average was too low; else it paused for too long
}

func (e *SlowError) Error() string { return "the request body comes too slowly" }

// Unwrap lets errors.Is find the deadline.
func (e *SlowError) Unwrap() error { return os.ErrDeadlineExceeded }

// Limit bounds how slowly the body of a request may come that w answers. It makes b, a zero value, the request's body.
func (b *Body) Limit(w http.ResponseWriter, r *http.Request, rate UploadRate) {
	b.ReadCloser, b.rate, b.caller, b.http2 = r.Body, rate, w, r.ProtoMajor == 2
	r.Body = b
}

// deadline ends reads at a time; the zero time: none. A writer without deadlines has no slow callers.
func (b *Body) deadline(at time.Time) { _ = http.NewResponseController(b.caller).SetReadDeadline(at) }

// Over reports whether the body has ended, well or not.
func (b *Body) Over() bool { return b.over.Load() }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	began := time.Now()
	// What may still be waited before the average is too low. It is less than a pause only for a caller who is behind,
	// and then it changes with every byte.
	left := b.rate.Pause + time.Duration(float64(b.read)/float64(b.rate.Rate)*float64(time.Second)) - b.waited
	wasBehind := b.behind
	b.behind = left < b.rate.Pause
	if b.behind || wasBehind || began.Sub(b.set) > time.Second {
		b.set = began
		b.deadline(began.Add(min(left, b.rate.Pause)))
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(began)
	b.read += int64(n)
	switch {
	case err == nil:
		if b.http2 {
			b.set = time.Time{}
			b.deadline(b.set)
		}
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The deadline stays: the rest of the body is not waited for once more.
		err = &SlowError{UploadRate: b.rate, Behind: b.behind}
	case err == io.EOF:
		// The deadline must not strike while the answer is on its way.
		b.deadline(time.Time{})
	}
	b.over.Store(true)
	return n, err
}
