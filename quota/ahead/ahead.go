// Package ahead says how much a process should have of a budget before calls need it, so that they do not wait for the
// store.
//
// It is arithmetic over values, which takes the time as an argument. It never knows a ledger or a budget, and imports
// no other package of this module: N is quota.Neurons. But for Trip the ledger's mutex guards what is here.
package ahead

import (
	"sync/atomic"
	"time"
)

// Recent is what a budget has lately spent, as of its syncs. The zero value is that of a process that begins.
type Recent[N ~int64] struct {
	began  time.Duration // the present span, by the age of the process
	from   N             // spent before it
	former N             // spent in the span before it
}

// At returns what was spent since the span before the present one began; spent is all that was, and span how long each
// of the two is at least.
func (r *Recent[N]) At(age, span time.Duration, spent N) N {
	if age-r.began >= span {
		*r = Recent[N]{began: age, from: spent, former: spent - r.from}
	}
	return max(r.former+spent-r.from, 0) // a correction takes back
}

const (
	// slowStart is how long after its start a process may keep the full hundredth of a limit. Before, it keeps the
	// same part of it that has passed of this time, or a quarter of what it spent, if that is more: a crash loop loses
	// little.
	slowStart = 30 * time.Minute

	// needStart is how long after its start a process may keep all that calls need, up to the hundredth; before, as
	// large a part of the hundredth as has passed of this time.
	needStart = 6 * time.Minute

	// fewCalls is how many calls find what they need although none came of late; as many as came before at most. It
	// goes back once none has come for longIdle, or soonIdle.
	fewCalls = 4
	longIdle = time.Minute
	soonIdle = 10 * time.Second

	// forgets is over how many calls a large one is forgotten.
	forgets = 16
)

// A Need is what calls of a budget take while the store is asked for more. The zero value is that of no calls.
type Need[N ~int64] struct {
	calls  N // at most fewCalls
	taken  N // by all calls
	peak   N // by one call of late
	recent Recent[N]
	all    N // together, as of the last Observe and Keep
}

// Took takes up that a call reserves an amount.
func (n *Need[N]) Took(amount N) {
	n.calls = min(n.calls+1, fewCalls)
	n.taken += amount
	n.peak = max(amount, n.peak-(n.peak-amount)/forgets)
}

// Observe is to be called before each exchange, which takes a trip; age and span are those of Recent.At.
func (n *Need[N]) Observe(age, span, trip time.Duration) {
	lately := float64(n.recent.At(age, span, n.taken))
	n.all = n.calls*n.peak + N(2*lately*float64(trip)/float64(span))
}

// Idle is how much stays free where no call came for so long. It is for less long in a budget of which the store does
// not hear anyway.
func (n *Need[N]) Idle(unused time.Duration, heard bool) N {
	if unused >= longIdle || unused >= soonIdle && !heard {
		return 0
	}
	return n.calls * n.peak
}

// Low is how much is too little to wait with the next exchange, where full is what may be kept.
func (n *Need[N]) Low(full N) N { return max(full/8, min(n.all/2, full/2)) }

// Keep is how much of a limit may stay free in a process of this age that has spent so much of it: a hundredth at most.
func (n *Need[N]) Keep(limit, spent N, age time.Duration) N {
	full := limit / 100
	part := func(of time.Duration) N { return N(float64(full) * min(1, float64(age)/float64(of))) }
	n.all = min(n.all, part(needStart))
	return min(full, max(spent/4, part(slowStart), n.all))
}

// A Trip is how long exchanges with the store take of late. The zero value is not known. It may be used without a lock.
type Trip struct{ of atomic.Int64 }

// Observe takes up how long an exchange took: a longer one at once, shorter ones slowly.
func (t *Trip) Observe(took time.Duration) {
	was := t.Usual()
	t.of.Store(int64(max(took, was-(was-took)/8)))
}

// Usual returns how long they take.
func (t *Trip) Usual() time.Duration { return time.Duration(t.of.Load()) }
