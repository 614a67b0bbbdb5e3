package quota

import "time"

// minSpan is how long each of the two spans is, at least, whose spending recentSpent knows. A sync follows each
// Heartbeat, so the two are hardly longer than a second together.
const minSpan = Heartbeat * 9 / 10

// recentSpent is what a budget has lately spent, as of its syncs.
type recentSpent struct {
	began  time.Duration // the present span, by the age of the process
	from   Neurons       // spent before it
	former Neurons       // spent in the span before it
}

// at returns what was spent since the span before the present one began; spent is all that was.
func (r *recentSpent) at(age time.Duration, spent Neurons) Neurons {
	if age-r.began >= minSpan {
		*r = recentSpent{began: age, from: spent, former: spent - r.from}
	}
	return max(r.former+spent-r.from, 0) // a correction takes back
}

// requestUnlimited is request of a budget without a limit. The store grants nothing of it, but is told before it is
// spent: what calls in flight have reserved, what calls that wait need, and as much ahead of need as was spent lately.
// So a process that is killed forgets nothing, calls seldom wait for the store, and an idle process holds nothing.
func (b *budget) requestUnlimited(age time.Duration, wanted Neurons) (q BudgetRequest, raise Neurons) {
	b.keep = b.recent.at(age, b.spent)
	b.held = min(b.held, b.reserved+b.keep)
	// What waits is not taken from what is here: calls that do not wait may spend that before the store has answered.
	raise = b.reserved + b.keep + wanted - b.held
	return BudgetRequest{Budget: b.name, Spent: b.spent, Held: b.held + raise, Reserved: b.reserved}, raise
}
