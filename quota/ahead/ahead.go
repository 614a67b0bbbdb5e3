// Package ahead says how much a process should have of a budget before calls need it, so that they do not wait for the
// store.
//
// It is arithmetic over values, which takes the time as an argument. It never knows a ledger or a budget, and imports
// no other package of this module: N is quota.Neurons. Nothing here has a lock: the ledger's mutex guards it.
package ahead

import "time"

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
