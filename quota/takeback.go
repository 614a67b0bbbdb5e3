package quota

import (
	"crypto/rand"
	"time"
)

// takeBack goes on with d, since the present day has not begun yet by upstream's clock. What was spent since it was
// begun counts for d. This replica's row of d may be closed already: there it is another replica from now on, with
// what was spent since. What it has told the store of the present day it takes back.
func (l *Ledger) takeBack(d Day, now time.Time) {
	wrong := Report{Day: l.day, Replica: l.outbox.replica, Leave: true}
	for k, t := range l.tallies.all {
		if empty := (Record{Model: k.model, Client: k.client}); t.Record != empty {
			wrong.Records = append(wrong.Records, empty)
		}
	}
	spent := Neurons(0)
	for hour, n := range l.hours.Hours {
		if n != 0 {
			wrong.Hours = append(wrong.Hours, HourSpent{Hour: hour})
			spent += n
		}
	}
	for _, b := range l.budgets.all {
		wrong.Requests = append(wrong.Requests, BudgetRequest{Budget: b.name, Limit: b.limit})
		was := *b
		b.newDay(b.earlier)
		b.spent, b.elsewhere = was.spent, was.elsewhere
	}
	l.outbox.add(wrong)
	l.outbox.replica, l.outbox.joined, l.outbox.whole = Replica(rand.Text()), false, true
	l.budgets.month.day = 0 // is read again
	l.setDay(d, false)
	l.tallies.publishAgain()
	l.hours = hours{}
	l.hours.book(d, now, spent)
	l.forecast.Begin(now)
	l.forecast.spentAt = time.Time{}
	if l.block.takeBack(now, l.dayEnd, l.o.Probe) {
		l.block.change = BlockChange{Set: l.block.Block}
	}
	l.replicas.expect(clockApart + l.replicas.delay)
	l.wake.syncNow()
}

// takeBack lets a block that was set, or whose reset has passed, on a day that was begun wrongly wait for the end of
// the true one. It reports whether there is one.
func (b *blockState) takeBack(now, end time.Time, probeEvery time.Duration) bool {
	if !b.Set {
		return false
	}
	at, until := b.At, b.Until
	if at.After(now) {
		at = millis(now)
	}
	if until.After(end) {
		until = end
	}
	b.set(Block{Set: true, At: at, Until: until}, probeEvery)
	return true
}
