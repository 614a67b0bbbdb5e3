package conns

import (
	"net"
	"sync/atomic"
)

// readAhead is how much is read from a caller of HTTP/2 who does not read what is written to it, in bytes.
const readAhead = 4 << 10

// A pause lets a caller of HTTP/2 send no more than readAhead while it does not read. There are frames that must be
// answered, such as PING, and net/http keeps 10,000 answers to them in memory, a MiB and more. A write that goes on
// without a byte for a minute ends with its connection.
type pause struct {
	busy    chan struct{} // full while there is a write
	writing atomic.Bool
	ahead   atomic.Int64 // read since that began
}

func newPause() *pause { return &pause{busy: make(chan struct{}, 1)} }

func (p *pause) write(c net.Conn, b []byte) (int, error) {
	p.busy <- struct{}{}
	defer func() { <-p.busy }()
	p.ahead.Store(0)
	p.writing.Store(true)
	defer p.writing.Store(false)
	return c.Write(b)
}

// wait waits, if so much was read during a write, until that has ended.
func (p *pause) wait() {
	if p.writing.Load() && p.ahead.Load() > readAhead {
		p.busy <- struct{}{}
		<-p.busy
	}
}
