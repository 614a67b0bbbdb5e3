package schedule

import (
	"iter"
	"slices"
)

// A Queue has calls that wait, in the order in which they are to be served, which is start-time fair queueing: each
// client has a clock that goes on by what its calls ask for, and the call whose client's clock showed the least goes
// first. So a large call of one client waits for no more than as much as it asks for itself of each other client. The
// zero value is empty. W is a call, by its identity.
type Queue[W comparable, N ~int64] struct {
	waiting []waiting[W, N]
	now     N            // the turn of the last call that was served
	clocks  map[string]N // by client
}

type waiting[W comparable, N ~int64] struct {
	call   W
	client string
	amount N
	turn   N // what the clock of its client showed
}

// Len returns how many wait.
func (q *Queue[W, N]) Len() int { return len(q.waiting) }

// All yields those that wait, in order. The queue must not change meanwhile.
func (q *Queue[W, N]) All() iter.Seq[W] {
	return func(yield func(W) bool) {
		for _, w := range q.waiting {
			if !yield(w.call) {
				return
			}
		}
	}
}

// List returns those that wait, in order.
func (q *Queue[W, N]) List() []W { return slices.AppendSeq(make([]W, 0, len(q.waiting)), q.All()) }

// Add puts in w, which has just come and asks for amount, behind those of the same turn.
func (q *Queue[W, N]) Add(w W, client string, amount N) {
	turn := q.Pass(client, amount)
	i := slices.IndexFunc(q.waiting, func(other waiting[W, N]) bool { return other.turn > turn })
	if i < 0 {
		i = len(q.waiting)
	}
	q.waiting = slices.Insert(q.waiting, i, waiting[W, N]{w, client, amount, turn})
}

// Pass says that a client asks for amount, and gets it at once if it does not wait. It returns the turn.
func (q *Queue[W, N]) Pass(client string, amount N) N {
	turn := max(q.now, q.clocks[client])
	if q.clocks == nil {
		q.clocks = make(map[string]N)
	}
	q.clocks[client] = turn + amount
	return turn
}

// Replace puts w where old is.
func (q *Queue[W, N]) Replace(old, w W) {
	if i := q.index(old); i >= 0 {
		q.waiting[i].call = w
	}
}

// Remove takes w out, if it is there. If it was not served, what it asked for is not counted for its client.
func (q *Queue[W, N]) Remove(w W, served bool) {
	i := q.index(w)
	if i < 0 {
		return
	}
	if left := q.waiting[i]; served {
		q.now = max(q.now, left.turn)
	} else {
		q.clocks[left.client] -= left.amount
	}
	if q.waiting = slices.Delete(q.waiting, i, i+1); len(q.waiting) == 0 {
		q.now = 0
		clear(q.clocks)
	}
}

func (q *Queue[W, N]) index(w W) int {
	return slices.IndexFunc(q.waiting, func(other waiting[W, N]) bool { return other.call == w })
}
