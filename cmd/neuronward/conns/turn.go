package conns

import (
	"net"
	"sync/atomic"
)

// A turn lets a few connections work at a time on what has come, and any number wait for their callers. One handshake
// makes 100 KiB of garbage, and one record of TLS may hold a hundred requests, each of which takes 14 KiB at once:
// thousands that begin together hold too much, and end too late all together.
type turn struct {
	places chan struct{}
	has    atomic.Bool // one of the places
	ended  atomic.Bool // it needs none any longer
}

// read reads what the connection works on until it reads again.
func (t *turn) read(c net.Conn, b []byte) (int, error) {
	t.release()
	n, err := c.Read(b)
	if err == nil && !t.ended.Load() {
		t.places <- struct{}{}
		t.has.Store(true)
		if t.ended.Load() { // meanwhile
			t.release()
		}
	}
	return n, err
}

func (t *turn) release() {
	if t.has.CompareAndSwap(true, false) {
		<-t.places
	}
}

// end lets everything be read at once from now on.
func (t *turn) end() {
	t.ended.Store(true)
	t.release()
}
