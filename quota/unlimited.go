package quota

import "time"

// minSpan is how long each span of ahead.Recent is. A sync follows each Heartbeat: two spans take hardly a second.
const minSpan = Heartbeat * 9 / 10

// requestUnlimited is request of a budget without a limit. The store grants nothing of it, but is told before it is
// spent: what calls in flight have reserved, what calls that wait need, and as much ahead of need as was spent lately.
// So a process that is killed forgets nothing, calls seldom wait for the store, and an idle process holds nothing.
func (b *budget) requestUnlimited(age time.Duration, wanted Neurons) (q BudgetRequest, raise Neurons) {
	b.keep = b.recent.At(age, minSpan, b.spent)
	b.held = min(b.held, b.reserved+b.keep)
	// What waits is not taken from what is here: calls that do not wait may spend that before the store has answered.
	raise = b.reserved + b.keep + wanted - b.held
	return BudgetRequest{Budget: b.name, Spent: b.spent, Held: b.held + raise, Reserved: b.reserved}, raise
}
