package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Callers that are too slow hold what others need: a slot, memory, a connection. net/http bounds only their headers;
// the bounds on their bodies are here, those on reading the answer in watchdog.go.

// A minUploadRate is how slowly a caller may send its body: with pauses, and at an average rate once a first pause is
// used up.
type minUploadRate struct {
	pause time.Duration // the longest
	rate  int64         // bytes a second
}

// A ratedBody ends when its caller pauses for too long or sends too little. Only time spent waiting for the caller
// counts: an upstream that reads an upload slowly is not the caller being slow.
type ratedBody struct {
	io.ReadCloser
	minUploadRate
	deadline func(time.Time) error
	set      time.Time     // when the deadline was
	waited   time.Duration // for the caller
	read     int64         // bytes
	behind   bool          // at the last read, its average was too low to pause in full
	http2    bool          // a deadline strikes there whether anybody reads or not
	over     atomic.Bool   // it has ended, well or not
}

// errSlow says how a caller was too slow.
type errSlow struct{ how string }

func (e *errSlow) Error() string { return e.how }
func (e *errSlow) Unwrap() error { return os.ErrDeadlineExceeded }

func (b *ratedBody) Read(p []byte) (int, error) {
	began := time.Now()
	// What may still be waited before the average is too low. It is less than a pause only for a caller who is behind,
	// and then it changes with every byte.
	left := b.pause + time.Duration(float64(b.read)/float64(b.rate)*float64(time.Second)) - b.waited
	wasBehind := b.behind
	b.behind = left < b.pause
	if b.behind || wasBehind || began.Sub(b.set) > time.Second {
		b.set = began
		_ = b.deadline(began.Add(min(left, b.pause))) // a writer without deadlines has no slow callers
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(began)
	b.read += int64(n)
	switch {
	case err == nil:
		if b.http2 {
			b.set = time.Time{}
			_ = b.deadline(b.set)
		}
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The deadline stays: the rest of the body is not waited for once more.
		how := "nothing more of the body came for " + durationText(b.pause)
		if b.behind {
			how = "the body came too slowly, at less than " + bytesText(b.rate) + " a second"
		}
		err = &errSlow{how}
	case err == io.EOF:
		// The deadline must not strike while the answer is on its way.
		_ = b.deadline(time.Time{})
	}
	b.over.Store(true)
	return n, err
}
