package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Callers that are too slow hold what others need: a place, memory, a
// connection. net/http bounds only their headers; here are the bounds on the
// rest.

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
		how := "nothing more of the body came for " + durationText(p.pause)
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
