package pace

import (
	"maps"
	"slices"
)

// fairQueue is the waiters of a limit, fairly between clients: those of one
// client in order of arrival, and of the clients the one is next that was served
// longest ago, or never. So clients that always have calls waiting are served in
// turns, the first call of a client does not wait for all that another one has
// queued, and a client with one call at a time is not served more often than the
// rest. Every call costs one token, whoever makes it.
type fairQueue struct {
	clients    []*clientQueue    // by lastServed, then in order of arrival; none is empty
	lastServed map[string]uint64 // the value of served when a client was served last; only clients of late
	served     uint64            // calls that were served
}

// clientQueue is the waiters of one client, in order of arrival.
type clientQueue struct {
	client     string
	lastServed uint64
	waiters    []*waiter
}

// lastServedKept is for how many calls of others at least it is remembered when a client was served last. At most
// twice as many clients are remembered.
const lastServedKept = 512

func (f *fairQueue) empty() bool { return len(f.clients) == 0 }

// find returns the index of the queue of client, or where a new one belongs.
func (f *fairQueue) find(client string) (at int, found bool) {
	lastServed := f.lastServed[client]
	for i, q := range f.clients {
		if q.client == client {
			return i, true
		}
		if q.lastServed <= lastServed {
			at = i + 1
		}
	}
	return at, false
}

func (f *fairQueue) add(w *waiter) {
	at, found := f.find(w.client)
	if !found {
		f.clients = slices.Insert(f.clients, at, &clientQueue{client: w.client, lastServed: f.lastServed[w.client]})
	}
	f.clients[at].waiters = append(f.clients[at].waiters, w)
}

// remove takes out a waiter that leaves unserved.
func (f *fairQueue) remove(w *waiter) {
	if at, found := f.find(w.client); found {
		if i := slices.Index(f.clients[at].waiters, w); i >= 0 {
			f.delete(at, i)
		}
	}
}

// delete takes a waiter out of the queue of a client, and the queue if it was the last.
func (f *fairQueue) delete(at, i int) {
	q := f.clients[at]
	if q.waiters = slices.Delete(q.waiters, i, i+1); len(q.waiters) == 0 {
		f.clients = slices.Delete(f.clients, at, at+1)
	}
}

// serve takes a waiter out that is served, and puts its client last.
func (f *fairQueue) serve(at, i int) {
	q := f.clients[at]
	f.served++
	q.lastServed = f.served
	if f.lastServed == nil {
		f.lastServed = make(map[string]uint64)
	}
	f.lastServed[q.client] = f.served
	if len(f.lastServed) > 2*lastServedKept {
		maps.DeleteFunc(f.lastServed, func(_ string, n uint64) bool { return n+lastServedKept <= f.served })
	}
	f.clients = append(slices.Delete(f.clients, at, at+1), q)
	f.delete(len(f.clients)-1, i)
}

// ahead returns how many of the waiters that l blocks get its tokens before a call of client that comes now, if all
// stay and no other call comes.
func (f *fairQueue) ahead(client string, l *limit) int {
	at, found := f.find(client)
	own := 0
	if found {
		own = f.clients[at].blockedBy(l)
	}
	n := own
	for i, q := range f.clients {
		switch {
		case i < at:
			n += min(q.blockedBy(l), own+1)
		case i > at:
			n += min(q.blockedBy(l), own)
		}
	}
	return n
}

// blockedBy counts the waiters that l blocks.
func (q *clientQueue) blockedBy(l *limit) (n int) {
	for _, w := range q.waiters {
		if w.blocker == l {
			n++
		}
	}
	return n
}
