package quota

import "time"

// Restart takes back what this process has booked today and lifts the quota block; calls in flight still count. It is
// for simulated accounts: a real one forgets nothing.
func (l *Ledger) Restart() {
	l.Unblock()
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	before := l.account.spent
	for key, t := range l.tallies.all {
		spent := t.Reported + t.Priced + t.Estimated
		for _, b := range []*budget{l.account, l.budgets.byName[ClientBudget(key.client)]} {
			if b != nil {
				b.correct(-spent, false)
			}
		}
		t.book(-t.Reported, Reported, 0)
		t.book(-t.Priced, Priced, 0)
		t.book(-t.Estimated, Estimated, 0)
	}
	l.hours.book(l.day, now, l.account.spent-before)
	l.forecast.spentAt = time.Time{}
	l.serve(now)
	l.wake.syncNow()
}
