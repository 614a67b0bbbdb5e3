package pace

import (
	"maps"
	"slices"
)

// crowd is the calls that wait in a lane, fairly between clients: the calls of
// one client in order of arrival, and of the clients the one that was served
// longest ago, or never, is next. So those that always have calls waiting go in
// turns, what one has piled up does not stand before another's first call, and
// one that has just one call at a time gets no more turns than the rest. A call
// costs the same whoever makes it, so that a turn is one call.
type crowd struct {
	lines []*line           // by turn, then in order of arrival; none is empty
	last  map[string]uint64 // the number of the last turn of each client that had one lately
	turns uint64            // that there were
}

// line is the calls of one client that wait, in order of arrival.
type line struct {
	client string
	last   uint64 // the client's last turn
	turns  []*turn
}

// turnsKept is for how many turns of others at least a client's last turn is
// remembered, and twice that how many are at most.
const turnsKept = 512

func (c *crowd) empty() bool { return len(c.lines) == 0 }

// find returns where the line of client is in the order of turns, or where a new
// one would be.
func (c *crowd) find(client string) (at int, waits bool) {
	last := c.last[client]
	for i, n := range c.lines {
		if n.client == client {
			return i, true
		}
		if n.last <= last {
			at = i + 1
		}
	}
	return at, false
}

func (c *crowd) add(t *turn) {
	at, waits := c.find(t.client)
	if !waits {
		c.lines = slices.Insert(c.lines, at, &line{client: t.client, last: c.last[t.client]})
	}
	c.lines[at].turns = append(c.lines[at].turns, t)
}

// remove takes out a call that leaves unserved, if it waits.
func (c *crowd) remove(t *turn) {
	if at, waits := c.find(t.client); waits {
		if i := slices.Index(c.lines[at].turns, t); i >= 0 {
			c.cut(at, i)
		}
	}
}

// cut takes a call out of a line, and the line if it was the last.
func (c *crowd) cut(at, i int) {
	n := c.lines[at]
	if n.turns = slices.Delete(n.turns, i, i+1); len(n.turns) == 0 {
		c.lines = slices.Delete(c.lines, at, at+1)
	}
}

// pass takes a call out that is served: its client has had its turn.
func (c *crowd) pass(at, i int) {
	n := c.lines[at]
	c.turns++
	n.last = c.turns
	if c.last == nil {
		c.last = make(map[string]uint64)
	}
	c.last[n.client] = c.turns
	if len(c.last) > 2*turnsKept {
		maps.DeleteFunc(c.last, func(_ string, turn uint64) bool { return turn+turnsKept <= c.turns })
	}
	c.lines = append(slices.Delete(c.lines, at, at+1), n)
	c.cut(len(c.lines)-1, i)
}

// before returns how many of the calls that by holds back get its tokens before
// a call of client that comes now, if they all stay and nobody comes.
func (c *crowd) before(client string, by *lane) int {
	at, waits := c.find(client)
	own := 0
	if waits {
		own = c.lines[at].heldBy(by)
	}
	n := own
	for i, other := range c.lines {
		switch {
		case i < at:
			n += min(other.heldBy(by), own+1)
		case i > at:
			n += min(other.heldBy(by), own)
		}
	}
	return n
}

// heldBy counts those that by holds back.
func (n *line) heldBy(by *lane) (held int) {
	for _, t := range n.turns {
		if t.by == by {
			held++
		}
	}
	return held
}
