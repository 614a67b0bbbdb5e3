package conns

import (
	"cmp"
	"net/http"
	"slices"
)

// maxUnread is how many error answers over HTTP/2 may wait, on all connections together, until their callers have room
// for them: each takes 14 KiB. Flow control lets any caller have 100 of them on a connection, without a valid call.
const maxUnread = 1024

// finish writes what net/http still holds of an error answer over HTTP/2, if its length is known, and counts the answer
// until its caller has room for it. Beyond maxUnread of them the connections with the most are closed.
func (c *conn) finish(w http.ResponseWriter) {
	if w.Header().Get("Content-Length") == "" {
		return
	}
	l := c.from
	c.unread.Add(1)
	defer c.unread.Add(-1)
	if l.unread.Add(1) > maxUnread && l.looking.CompareAndSwap(false, true) {
		l.closeUnread()
		l.looking.Store(false)
	}
	defer l.unread.Add(-1)
	_ = http.NewResponseController(w).Flush() // the caller may have gone
}

// closeUnread closes connections that have the most answers which their callers do not read, until the others have
// fewer than maxUnread. It leaves those that have one.
func (l *Listener) closeUnread() {
	type candidate struct {
		*conn
		unread int
	}
	var all []candidate
	sum := 0
	l.mu.Lock()
	for c := range l.open {
		if n := int(c.unread.Load()); n > 0 && !c.dropped {
			sum += n
			if n > 1 {
				all = append(all, candidate{c, n})
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.unread, a.unread) })
	closing := 0
	for closing < len(all) && sum > maxUnread*3/4 {
		sum -= all[closing].unread
		all[closing].dropped = true
		closing++
	}
	l.mu.Unlock()
	for _, c := range all[:closing] {
		c.Close() //nolint:errcheck // nobody reads it
		l.warn(&l.unreadAt, "a connection was closed: too many requests on it failed whose answers are not read",
			"address", c.RemoteAddr().String(), "answers", c.unread)
	}
}
