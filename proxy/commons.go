package proxy

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// shareOfFree is how many times of what is free a client may hold. One that
// floods leaves a fifth free, two leave a ninth, so that others need not wait,
// and no part lies idle that is kept for somebody who does not come. The rule is
// that of Choudhury and Hahne for shared memory switches, Dynamic Queue Length
// Thresholds, 1998.
const shareOfFree = 4

// A commons is something scarce that calls share: places in which they are
// served, or bytes of bodies. A call that gets nothing at once may wait: those of
// a client in order of arrival, and of the clients the one that would hold least
// is next. Nobody passes a client that would hold less: a large body does not
// starve, nor does it stand before the small one of another client.
//
// A configured client may only hold its share; its only call, whatever there is.
type commons struct {
	size int64
	most int           // calls that may wait; 0: any number
	wait time.Duration // how long each
	over chan struct{} // closed when nobody waits any longer; nil: never

	mu      sync.Mutex
	free    int64
	waiting int
	members map[string]*member // clients that hold something or wait
	lines   []*member          // those of them that wait
	spare   *member            // for the next one, so that a lone caller costs no memory each time
}

// A member is one client of a commons.
type member struct {
	client string
	shares bool // may hold its share only
	held   int64
	line   []*request // those that wait, in order of arrival
}

// request is a call that waits.
type request struct {
	n, has  int64 // what it asks for, and what it holds already
	arrived time.Time
	granted chan struct{} // closed once it has it
}

// An admission is what became of a call that asked.
type admission uint8

const (
	served  admission = iota // give must be called
	full                     // as many wait as may, or so much there is not
	late                     // it did not come free in time
	gone                     // the caller, or the whole proxy, ended the wait
	closing                  // the proxy drains
)

// A decision says what became of a call, and why.
type decision struct {
	admission
	member *member // to give back; nil unless served
	share  bool    // the client's share is used up, not the whole
	held   int64   // by the client, where it is not served
}

func newCommons(size int64, most int, wait time.Duration, over chan struct{}) *commons {
	return &commons{size: size, free: size, most: most, wait: wait, over: over, members: make(map[string]*member)}
}

// take takes n if it is there at once, and returns nil if not.
func (c *commons) take(client string, shares bool, n, has int64) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.member(client, shares)
	if len(m.line) > 0 || !c.fits(m, n, has) || c.passed(m, n) {
		c.leave(m)
		return nil
	}
	c.free -= n
	m.held += n
	return m
}

// stand waits for n.
func (c *commons) stand(ctx context.Context, client string, shares bool, n, has int64) decision {
	if n > c.size {
		return decision{admission: full}
	}
	c.mu.Lock()
	m := c.member(client, shares)
	if c.most > 0 {
		left, own := c.most-c.waiting-1, len(m.line)
		share := left >= 0 && m.shares && own > 0 && own+1 > shareOfFree*left
		if left < 0 || share {
			d := decision{admission: full, share: share, held: m.held}
			c.leave(m)
			c.mu.Unlock()
			return d
		}
	}
	r := &request{n: n, has: has, arrived: time.Now(), granted: make(chan struct{})}
	if len(m.line) == 0 {
		c.lines = append(c.lines, m)
	}
	m.line = append(m.line, r)
	c.waiting++
	c.serve() // something may have come free since take
	c.mu.Unlock()

	timer := time.NewTimer(c.wait)
	defer timer.Stop()
	why := served
	select {
	case <-r.granted:
		return decision{member: m}
	case <-timer.C:
		why = late
	case <-ctx.Done():
		why = gone
	case <-c.over:
		why = closing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-r.granted: // at the same moment
		if why == late {
			return decision{member: m}
		}
		c.free += n
		m.held -= n
	default:
		c.cut(m, slices.Index(m.line, r))
	}
	d := decision{admission: why, share: n <= c.free && !c.fits(m, n, has), held: m.held}
	c.leave(m)
	c.serve()
	return d
}

// give gives n back that m holds.
func (c *commons) give(m *member, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free += n
	m.held -= n
	c.leave(m)
	if c.waiting > 0 {
		c.serve()
	}
}

// fits reports whether n is there for a call of m that holds has.
func (c *commons) fits(m *member, n, has int64) bool {
	free := c.free - n
	return free >= 0 && (!m.shares || m.held == has || m.held+n <= shareOfFree*free)
}

// passed reports whether a client waits that would hold no more than m with n.
func (c *commons) passed(m *member, n int64) bool {
	for _, other := range c.lines {
		if other.held+other.line[0].n <= m.held+n {
			return true
		}
	}
	return false
}

// serve gives to those that wait, until the next one cannot have what it asks
// for.
func (c *commons) serve() {
	for len(c.lines) > 0 {
		m := slices.MinFunc(c.lines, func(a, b *member) int {
			return cmp.Or(cmp.Compare(a.held+a.line[0].n, b.held+b.line[0].n), a.line[0].arrived.Compare(b.line[0].arrived))
		})
		r := m.line[0]
		if !c.fits(m, r.n, r.has) {
			return
		}
		c.free -= r.n
		m.held += r.n
		c.cut(m, 0)
		close(r.granted)
	}
}

// cut takes a call out of its client's line.
func (c *commons) cut(m *member, i int) {
	m.line = slices.Delete(m.line, i, i+1)
	c.waiting--
	if len(m.line) == 0 {
		at := slices.Index(c.lines, m)
		c.lines = slices.Delete(c.lines, at, at+1)
	}
}

// member returns the record of a client.
func (c *commons) member(client string, shares bool) *member {
	m := c.members[client]
	if m == nil {
		if m = c.spare; m == nil {
			m = &member{}
		}
		c.spare = nil
		m.client, m.shares = client, shares
		c.members[client] = m
	}
	return m
}

// leave drops the record of a client that holds nothing and does not wait.
func (c *commons) leave(m *member) {
	if m.held == 0 && len(m.line) == 0 {
		delete(c.members, m.client)
		c.spare = m
	}
}

// standing returns how much is taken and how many calls wait.
func (c *commons) standing() (taken, waiting int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size - c.free, int64(c.waiting)
}
