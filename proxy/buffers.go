package proxy

import "sync"

// bufferSize is the size of a pooled buffer: what httputil.ReverseProxy copies with, and how much of a JSON answer is
// inspected before the caller gets it.
const bufferSize = 32 << 10

// buffers is a httputil.BufferPool. It pools pointers to arrays: a slice put into a sync.Pool costs an allocation.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of bufferSize bytes.
func (b *buffers) Get() []byte {
	if a, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return a[:]
	}
	return new([bufferSize]byte)[:]
}

// Put takes back a buffer that Get returned.
func (b *buffers) Put(buf []byte) {
	if cap(buf) >= bufferSize {
		b.pool.Put((*[bufferSize]byte)(buf[:bufferSize]))
	}
}
