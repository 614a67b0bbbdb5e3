package conns

import (
	"net"
	"sync"
	"sync/atomic"
)

// A turn lets a few connections work at a time on what has come, and any number wait for their callers. One handshake
// makes 100 KiB of garbage, and one record of TLS may hold a hundred requests, each of which takes 14 KiB at once:
// thousands that begin together hold too much, and end too late all together.
type turn struct {
	places chan struct{}
	ready  func()      // waits until work may begin
	has    atomic.Bool // one of the places
	once   sync.Once
	ended  chan struct{} // closed: it needs no place any longer
}

func newTurn(places chan struct{}, ready func()) *turn {
	return &turn{places: places, ready: ready, ended: make(chan struct{})}
}

// read reads what the connection works on until it reads again.
func (t *turn) read(c net.Conn, b []byte) (int, error) {
	t.release()
	n, err := c.Read(b)
	if err != nil {
		return n, err
	}
	select {
	case <-t.ended:
		return n, nil
	default:
	}
	select {
	case <-t.ended: // or its connection was closed
		return n, nil
	case t.places <- struct{}{}:
	}
	t.has.Store(true)
	t.ready()
	select {
	case <-t.ended: // meanwhile
		t.release()
	default:
	}
	return n, nil
}

func (t *turn) release() {
	if t.has.CompareAndSwap(true, false) {
		<-t.places
	}
}

// end lets everything be read at once from now on.
func (t *turn) end() {
	t.once.Do(func() { close(t.ended) })
	t.release()
}
