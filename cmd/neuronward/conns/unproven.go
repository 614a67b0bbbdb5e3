package conns

import (
	"sync"
	"time"
)

const (
	// maxUnproven is how many connections of HTTP/2 there may be on which no call was taken yet. Each may hold 100 KiB:
	// a frame, headers in pieces, a table of headers, answers to frames.
	maxUnproven = 1024

	// maxRequests is how many requests of theirs may be under way before more are read: each takes 14 KiB, and one
	// record of TLS may bring a hundred. One that is under way for longer than briefly counts no longer: it was not
	// refused, and waits for something else.
	maxRequests = 512
	briefly     = time.Second
)

// unproven limits what connections of HTTP/2 may take together until a call was taken on them.
type unproven struct {
	slots chan struct{} // one for each of the connections

	mu       sync.Mutex
	fewer    sync.Cond
	requests int // that began lately
}

func newUnproven(limit int) *unproven {
	u := &unproven{slots: make(chan struct{}, limit)}
	u.fewer.L = &u.mu
	return u
}

// admit waits for room for c, which it makes by closing the one of them that has been idle for longest. It reports
// whether there was room in time.
func (u *unproven) admit(c *conn, limit time.Time) bool {
	if !u.enter(c.from, limit) {
		return false
	}
	c.setIdle(true)
	c.unproven.Store(u)
	return true
}

func (u *unproven) enter(l *Listener, limit time.Time) bool {
	for time.Now().Before(limit) {
		select {
		case u.slots <- struct{}{}:
			return true
		default:
			l.closeIdle(0, true)
		}
		select {
		case u.slots <- struct{}{}:
			return true
		case <-time.After(lookAgain / 10):
		}
	}
	return false
}

// leave makes room for another connection.
func (u *unproven) leave() { <-u.slots }

// begin counts a request. The end of it is to be told.
func (u *unproven) begin() (end func()) {
	u.add(1)
	lately := time.AfterFunc(briefly, func() { u.add(-1) })
	return func() {
		if lately.Stop() {
			u.add(-1)
		}
	}
}

func (u *unproven) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.requests += n; u.requests <= maxRequests {
		u.fewer.Broadcast()
	}
}

// wait waits until more requests may be read.
func (u *unproven) wait() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.requests > maxRequests {
		u.fewer.Wait()
	}
}
