package conns

import (
	"net/netip"
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

// unproven limits what connections of HTTP/2 may take together until a call was taken on them. One address beyond
// loopback may have half of them.
type unproven struct {
	limit, share int           // of connections, of all and of one address
	left         chan struct{} // full: one has left since somebody looked

	mu       sync.Mutex
	open     int
	counts   map[netip.Prefix]int // those of open by address
	fewer    sync.Cond
	requests int // that began lately
}

func newUnproven(limit int) *unproven {
	u := &unproven{
		limit: limit, share: max(limit/2, 1), left: make(chan struct{}, 1), counts: map[netip.Prefix]int{},
	}
	u.fewer.L = &u.mu
	return u
}

// admit waits for room for c, which it makes by closing the one of them that has been idle for longest: one of the same
// address, if that has its share. It reports whether there was room in time.
func (u *unproven) admit(c *conn, limit time.Time) bool {
	for time.Now().Before(limit) {
		ok, full := u.take(c.address)
		if ok {
			c.setIdle(true)
			c.unproven.Store(u)
			return true
		}
		c.from.closeIdle(0, true, full)
		select {
		case <-u.left:
		case <-time.After(lookAgain / 10):
		}
	}
	return false
}

// take takes room for a connection of an address, if there is some. full is the address if that has its share.
func (u *unproven) take(address netip.Prefix) (ok bool, full netip.Prefix) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if address.IsValid() && u.counts[address] >= u.share {
		return false, address
	}
	if u.open >= u.limit {
		return false, full
	}
	u.open++
	if address.IsValid() {
		u.counts[address]++
	}
	return true, full
}

// leave makes room for another connection than one of an address.
func (u *unproven) leave(address netip.Prefix) {
	u.mu.Lock()
	u.open--
	if address.IsValid() {
		if u.counts[address]--; u.counts[address] == 0 {
			delete(u.counts, address)
		}
	}
	u.mu.Unlock()
	select {
	case u.left <- struct{}{}:
	default:
	}
}

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
