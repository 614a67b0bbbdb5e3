package conns

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxUnread is how many error answers over HTTP/2 may wait, on all connections together, until their callers have room
// for them: each takes 14 KiB. Flow control lets any caller have 100 of them on a connection, without a valid call.
const maxUnread = 1024

// finishIn is how long a caller may leave no room for the rest of an answer over HTTP/2.
const finishIn = time.Minute

// finish writes what net/http still holds of an answer over HTTP/2, for finishIn at most. It counts an error answer
// until its caller has room for it; beyond maxUnread of them the connections with the most are closed.
func (c *conn) finish(w http.ResponseWriter, failed bool) {
	answer := &answer{ResponseController: http.NewResponseController(w)}
	late := time.AfterFunc(finishIn, answer.cut)
	defer answer.done()
	defer late.Stop()
	if !failed {
		_ = answer.Flush() // the caller may have gone
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
	_ = answer.Flush()
}

// An answer is one over HTTP/2 that may be cut until it is done. A deadline that lies ahead would not do: if net/http
// hears of one when the stream has ended, it keeps the stream, and the connection with it, until then.
type answer struct {
	mu sync.Mutex
	*http.ResponseController
}

// cut ends what is being written.
func (a *answer) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ResponseController != nil {
		_ = a.SetWriteDeadline(time.Unix(1, 0)) // long ago
	}
}

// done forgets what the answer is written to, which must not be used any longer. A timer may still refer to a.
func (a *answer) done() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ResponseController = nil
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
