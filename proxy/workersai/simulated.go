package workersai

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// simulate does what x-simulate asks for in place of an answer. It reports
// whether that was all; a failure that it returns is still to be written.
func (x *exchange) simulate(name string) (bool, *failure) {
	d := &x.directive
	if d.deed == deedNone && d.stream == breakNone {
		return false, nil
	}
	x.model.name = name // for texts that mention it
	if d.times > 0 && !x.session.times.due(d.raw+"\x00"+name, d.times) {
		d.deed, d.stream = deedNone, breakNone
		return false, nil
	}
	if d.deed != deedNone {
		x.billFailed(name)
	}
	switch d.deed {
	case deedReset, deedHang, deedEmpty, deedEmptyStream:
		x.log(0) // before whoever sees it asks
	case deedNone, deedFail:
	}
	switch d.deed {
	case deedFail:
		return true, &d.failure
	case deedReset:
		x.reset()
		return true, nil
	case deedHang:
		x.hang()
		panic(http.ErrAbortHandler)
	case deedEmpty:
		x.write(http.StatusOK, nil)
		return true, nil
	case deedEmptyStream:
		x.w.Header().Set("Content-Type", "text/event-stream")
		x.w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(x.w).Flush()
		return true, nil
	}
	return false, nil
}

// wait waits for d, and reports whether nothing came in between: the caller
// leaving, or the simulator closing.
func (x *exchange) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
	case <-x.s.o.Closing:
	}
	return false
}

// hang waits until the caller has gone or the simulator closes.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
	case <-x.s.o.Closing:
	}
}

// reset breaks the connection with RST rather than FIN. Where the connection
// cannot be had (HTTP/2), the stream is cut off.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		inner = wrapped.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close()
}

// maxTallies bounds how many x-simulate values with times= are remembered.
const maxTallies = 1024

// tally counts how often each value of x-simulate has struck.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// due reports whether key strikes once more. After times strikes it lets one call
// through and begins anew.
func (t *tally) due(key string, times int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int)
	}
	n, ok := t.counts[key]
	if n >= times {
		delete(t.counts, key)
		return false
	}
	if !ok && len(t.counts) >= maxTallies {
		for other := range t.counts { // any one will do
			delete(t.counts, other)
			break
		}
	}
	t.counts[key] = n + 1
	return true
}
