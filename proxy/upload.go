package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/neuronward/neuronward/normalize"
)

// An upload is a body that streams through: raw audio, an image, multipart.
type upload struct {
	io.Reader
	prefix []byte // what was read ahead of it
	closer io.Closer
	left   int64
	sent   atomic.Bool                       // upstream may have seen the call
	failed atomic.Pointer[normalize.Failure] // why reading stopped, if it was not the end
}

func (u *upload) Read(p []byte) (int, error) {
	u.sent.Store(true)
	if int64(len(p)) > u.left+1 {
		p = p[:u.left+1]
	}
	n, err := u.Reader.Read(p)
	u.left -= int64(n)
	if u.left < 0 {
		f := tooLarge()
		u.failed.Store(f)
		return 0, f
	}
	// The transport closes what it does not want to send on; that is no failure of the caller's.
	if err != nil && err != io.EOF && !errors.Is(err, http.ErrBodyReadAfterClose) {
		u.failed.Store(unreadable(err))
	}
	return n, err
}

func (u *upload) Close() error { return u.closer.Close() }
