package schedule

import (
	"slices"
	"time"
)

// Next is the call that gets what it lacks of a budget before others do. Of what comes back meanwhile half is set aside
// for it; the other half is for calls that ask for less. So they go on, and a large call need not wait until none of
// them comes. The zero value is no call. W is a call that waits, by its identity; its zero value is none.
type Next[W comparable, N ~int64] struct {
	call, last W // last: before the present pass
	wants      N
	setAside   N

	since   time.Time // since when call is the next
	free    N         // what was free then
	younger N         // reserved by calls that were let in since
}

// Call returns the next call.
func (x *Next[W, N]) Call() W { return x.call }

// none reports whether no call is the next.
func (x *Next[W, N]) none() bool {
	var none W
	return x.call == none
}

// Begin begins a pass through the calls that wait, in their order: the first one that lacks something is to be Set.
func (x *Next[W, N]) Begin() {
	var none W
	x.last, x.call = x.call, none
}

// Set makes w the next, which asks for wants while free is not reserved. It reports whether there was none.
func (x *Next[W, N]) Set(w W, wants, free N, now time.Time) bool {
	if !x.none() {
		return false
	}
	x.call, x.wants = w, wants
	if x.last != w {
		x.since, x.free, x.younger = now, free, 0
	}
	return true
}

// End ends a pass, after which free is not reserved.
func (x *Next[W, N]) End(free N) {
	var none W
	if x.none() {
		*x = Next[W, N]{}
	}
	x.last, x.setAside = none, min(x.setAside, max(free, 0))
}

// Drop makes w no longer the next.
func (x *Next[W, N]) Drop(w W) {
	var none W
	x.Replace(w, none)
}

// Replace makes w the next in the place of old, if that is the next.
func (x *Next[W, N]) Replace(old, w W) {
	if x.call == old {
		x.call = w
	}
}

// For returns what w may have of what is free.
func (x *Next[W, N]) For(w W, free N) N {
	if x.none() || x.call == w {
		return free
	}
	return free - x.setAside
}

// KeepRoom sets all aside that the next call asks for.
func (x *Next[W, N]) KeepRoom() { x.setAside = x.wants }

// SetNothingAside gives free what is set aside.
func (x *Next[W, N]) SetNothingAside() { x.setAside = 0 }

// Took takes up that a call got n in its turn: if no other one before it is the next, n was set aside for it.
func (x *Next[W, N]) Took(n N) {
	if x.none() {
		x.setAside = max(x.setAside-n, 0)
	}
}

// Began takes up that a call has reserved n.
func (x *Next[W, N]) Began(at time.Time, n N) {
	if x.isYounger(at) {
		x.younger += n
	}
}

// Ended takes up that a call which began at a time and had reserved n gave back a part; left is what all in flight
// could still spend. Calls that use no more than what was free when the next one began to wait, and fit beside it, are
// not why it waits: what comes back from them is not set aside for it.
func (x *Next[W, N]) Ended(at time.Time, n, back, left N) {
	if x.isYounger(at) {
		beside := x.younger <= min(x.free, left-x.wants)
		x.younger -= n
		if beside {
			return
		}
	}
	x.CameBack(back)
}

// isYounger reports whether a call that began at a time did so since the next call is the next.
func (x *Next[W, N]) isYounger(at time.Time) bool { return !x.none() && at.After(x.since) }

// CameBack takes up that n came free.
func (x *Next[W, N]) CameBack(n N) {
	if !x.none() && n > 0 {
		x.setAside = min(x.setAside+n/2, x.wants)
	}
}

// Expect returns how long w will wait for need if as much goes on to come free for it as since it is the next; 0: it is
// not, or nothing came.
func (x *Next[W, N]) Expect(w W, need, free N, now time.Time) time.Duration {
	if more := free - x.free; x.call == w && more > 0 {
		return time.Duration(float64(now.Sub(x.since)) * float64(need) / float64(more))
	}
	return 0
}

// maxTold bounds the calls that Told remembers.
const maxTold = 64

// Told are calls that were told when to come back and have not done so yet: they go before those that are told later.
type Told[N ~int64] []told[N]

type told[N ~int64] struct {
	back   time.Time
	amount N
}

// Add adds a call, in the place of the first one if there are too many.
func (t *Told[N]) Add(back time.Time, amount N) {
	if len(*t) == maxTold {
		*t = slices.Delete(*t, 0, 1)
	}
	*t = append(*t, told[N]{back, amount})
}

// Sum returns what those ask for that have not come back by now.
func (t *Told[N]) Sum(now time.Time) (sum N) {
	*t = slices.DeleteFunc(*t, func(c told[N]) bool { return !now.Before(c.back) })
	for _, c := range *t {
		sum += c.amount
	}
	return sum
}

const (
	// A caller that was told to come back may be late by lateness: its place is kept for as long.
	lateness = 3 * time.Second

	// After a place was kept for a caller that did not come back, none is kept for unusedPause times as long: what is
	// set aside for nobody comes to a tenth of the time at most.
	unusedPause = 10
)

// A Place is that of a call that was the next when its wait ended, and whose caller was told when to come back. A call
// that needs more than comes free within one wait would never be served without it. The zero value is none.
type Place[W comparable] struct {
	of    W // zero: no place is kept
	span  time.Duration
	end   time.Time
	after time.Time // before which no other is kept
}

// Of returns the call whose place is kept.
func (p *Place[W]) Of() W { return p.of }

// Keep keeps the place of w, which was told to come back in a while, and reports whether it may.
func (p *Place[W]) Keep(w W, in time.Duration, now time.Time) bool {
	var none W
	if p.of != none || now.Before(p.after) {
		return false
	}
	p.of, p.span = w, in+lateness
	p.end = now.Add(p.span)
	return true
}

// Kept reports whether the place is still kept.
func (p *Place[W]) Kept(now time.Time) bool { return now.Before(p.end) }

// Free ends it. unused says that its call did not come back.
func (p *Place[W]) Free(unused bool, now time.Time) {
	var none W
	p.of = none
	if unused {
		p.after = now.Add(unusedPause * p.span)
	}
}
