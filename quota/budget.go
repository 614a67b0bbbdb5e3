package quota

import (
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota/ahead"
	"github.com/neuronward/neuronward/quota/schedule"
)

// budget is one budget of a day as this replica knows it. Of what the store granted (spent + held), held may still be
// spent, and reserved of it belongs to calls in flight. After an overrun held may be below reserved.
type budget struct {
	name    Budget
	limits  Limits
	earlier Neurons // spent by earlier days of the month
	limit   Neurons // of today, by both; 0: none
	ofMonth bool    // limit is the rest of the month's

	marginPart float64 // part of limit that no call may reserve now

	spent, reserved, held Neurons
	elsewhere             Neurons // of what other replicas booked: taken back here, so that spent is less

	// As of the last sync.
	others    Balance // without this replica
	free      Neurons // left in the store
	external  External
	replicas  int
	keep      Neurons               // what may stay free here
	need      ahead.Need[Neurons]   // with a limit
	recent    ahead.Recent[Neurons] // without a limit
	published BudgetRequest         // what the store has; zero: that is not known

	lastUse      time.Time // when a call last asked
	next         schedule.Next[*waiter, Neurons]
	calls        int // in flight here
	told         schedule.Told[Neurons]
	offlineGrant Neurons // taken without the store's consent, while it failed
}

// available is what a new call may reserve here, or what may be given back.
func (b *budget) available() Neurons { return b.held - b.reserved }

// left is what new calls may reserve here, or what the store has left for them.
func (b *budget) left() Neurons { return b.available() + max(b.free, 0) }

// committed is what cannot come back today, over all replicas.
func (b *budget) committed() Neurons { return b.others.Spent + b.lost() + b.spent + b.external.Spent }

// lost is what replicas that died held and may have spent.
func (b *budget) lost() Neurons { return max(b.others.Lost-b.external.Released, 0) }

// inFlight is what calls in flight have reserved, over all replicas.
func (b *budget) inFlight() Neurons { return b.others.Reserved + b.reserved }

// othersLack reports whether calls wait at other replicas for more than the store has left.
func (b *budget) othersLack() bool { return b.others.Waiting > max(b.free, 0) }

// margin is what of the limit no call may reserve.
func (b *budget) margin() Neurons { return marginOf(b.limit, b.marginPart) }

// reservable is what can be reserved today, if all calls in flight cost nothing. Without a limit it says nothing.
func (b *budget) reservable() Neurons { return b.limit - b.margin() - b.committed() }

// remaining is what is left over all replicas, never negative.
func (b *budget) remaining() Neurons { return max(0, b.reservable()-b.inFlight()) }

// exhausted reports whether n cannot fit any more, even if all calls in flight cost nothing.
func (b *budget) exhausted(n Neurons) bool { return b.limit > 0 && b.reservable() < n }

// nearlySpent reports whether a hundredth at most is left, even if all calls in flight cost nothing.
func (b *budget) nearlySpent() bool { return b.limit > 0 && b.reservable() <= b.limit/100 }

// fits reports whether w fits into what is here. Without a limit, too: what is spent must be in the store before, or
// it is forgotten if the process is killed.
func (b *budget) fits(w *waiter) bool { return b.next.For(w, b.available()) >= w.call.Estimate }

// runningLow reports whether more should be fetched before it is needed.
func (b *budget) runningLow() bool {
	if b.limit == 0 {
		return b.available() < b.keep/4
	}
	return b.free > 0 && b.available() < b.need.Low(b.chunk())
}

// debit reserves n.
func (b *budget) debit(n Neurons) { b.reserved += n }

// credit ends a reservation of n that cost c.
func (b *budget) credit(n, c Neurons) {
	b.reserved -= n
	b.spent += c
	b.held -= c
}

// correct books c, which may be negative, beside any reservation. It takes back no more than is booked: a client's
// budget may be younger than the charge that is corrected. Of a charge that was booked elsewhere all is taken back:
// what is spent here may then be below nothing, and over all replicas it is not.
func (b *budget) correct(c Neurons, elsewhere bool) {
	if elsewhere {
		b.elsewhere -= min(c, 0)
	} else {
		c = max(c, min(-b.spent-b.elsewhere, 0))
	}
	b.credit(0, c)
}

// forget takes up that the store has lost what other replicas booked: nothing is left of it to be taken back.
func (b *budget) forget() { b.spent, b.elsewhere = b.spent+b.elsewhere, 0 }

// setLimit sets the limits, and what earlier days of the month spent. They count from now on: after a lower one nothing
// stays free here that the store has not granted again.
func (b *budget) setLimit(limits Limits, earlier Neurons) {
	before := b.limit
	b.limits, b.earlier = limits, earlier
	if b.limit, b.ofMonth = limits.today(earlier); b.limit == before {
		return
	}
	if b.ofMonth && b.limit < before || before == 0 {
		b.dropFree() // without a limit the store was not asked for it
	}
	b.free = max(b.reservable()-b.others.Held-b.held, 0)
}

// newDay begins a new day, before which the month had spent earlier. What is reserved goes with it, and is requested
// anew.
func (b *budget) newDay(earlier Neurons) {
	b.earlier = earlier
	b.limit, b.ofMonth = b.limits.today(earlier)
	b.spent, b.elsewhere, b.held, b.offlineGrant = 0, 0, 0, 0
	b.others, b.external, b.published = Balance{}, External{}, BudgetRequest{}
	b.free, b.recent = b.limit-b.margin(), ahead.Recent[Neurons]{}
}

// dropFree gives up what is free here.
func (b *budget) dropFree() { b.held = min(b.held, b.reserved) }

// chunk is how much to have free after a request: less where others share what is left.
func (b *budget) chunk() Neurons {
	if b.replicas > 1 {
		return min(b.keep, max(b.free, 0)/Neurons(2*b.replicas))
	}
	return b.keep
}

// request makes the request of the next report, and gives back what should not stay here. wanted and one are
// what waiting calls need together and the smallest of them alone; 0: none waits. The neurons that it returns are what
// the report claims without a grant.
func (b *budget) request(now time.Time, age, trip time.Duration, wanted, one Neurons) (BudgetRequest, Neurons) {
	if b.limit == 0 {
		return b.requestUnlimited(age, wanted)
	}
	b.need.Observe(age, minSpan, trip)
	b.keep = b.need.Keep(b.limit, b.spent, age)
	unused := now.Sub(b.lastUse)
	b.held -= b.surplus(wanted, unused)
	raise := max(b.reserved-b.held, 0) // an overrun, or the new day: it has happened, whatever the store has left
	q := BudgetRequest{Budget: b.name, Spent: b.spent, Held: b.held + raise, Reserved: b.reserved}
	limit, ofMonth := b.limits.today(b.earlier)
	if q.Limit, q.Month = limit-marginOf(limit, b.marginPart), ofMonth; unused >= idleAfter {
		q.Month = false // a limit that has changed meanwhile, as a client's may, is known here when a call asks again
	}
	available, otherWaits := max(b.available(), 0), b.othersLack()
	switch {
	case wanted > available:
		q.Min, q.Want, q.Waiting = max(one-available, 1), wanted-available, wanted-available
		if !otherWaits {
			q.Want += b.chunk()
		}
	case !otherWaits && unused < idleAfter && b.runningLow():
		q.Min, q.Want = 1, b.chunk()-available
	}
	return q, raise
}

// surplus is what of the free neurons should go back to the store.
func (b *budget) surplus(wanted Neurons, unused time.Duration) Neurons {
	available := b.available()
	switch {
	case available <= 0:
		return 0
	case b.offlineGrant > 0: // the store fails: what is given back now is gone until it works again
		return 0
	case b.othersLack():
		// Also when calls wait here: what is free is not enough for them, and two replicas must not sit on two
		// halves.
		return available
	case wanted > 0:
		return 0
	case b.replicas > 1 && unused >= idleAfter:
		return max(available-min(b.need.Idle(unused, b.name == Account), b.keep), 0)
	}
	return max(available-b.keep, 0)
}

// applyReply takes the store's answer to q.
func (b *budget) applyReply(q BudgetRequest, raise, granted Neurons, sum Balance, replicas int) {
	b.held += raise + granted
	b.next.CameBack(granted - max(b.free, 0)) // to the store, from other replicas
	b.others = Balance{
		Spent: sum.Spent - q.Spent, Reserved: sum.Reserved - q.Reserved, Held: sum.Held - q.Held - granted,
		Lost: sum.Lost, Waiting: sum.Waiting,
	}
	b.free, b.replicas, b.offlineGrant, b.published = sum.Free, replicas, 0, q
	if b.limit, b.ofMonth = b.limits.today(b.earlier); b.limit-b.margin() == q.Limit && sum.Limit < q.Limit {
		b.limit, b.ofMonth = b.limit-(q.Limit-sum.Limit), true // another replica's month has less left
	}
}

// takeOffline takes n without the store, and more ahead of need as with it, up to this replica's share of what was
// left when the store last answered. The next sync that works publishes it.
func (b *budget) takeOffline(n Neurons) {
	left := max(b.free, 0)/Neurons(max(b.replicas, 1)) - b.offlineGrant
	if n > 0 && n <= left {
		n = min(max(n, b.chunk()), left)
		b.offlineGrant += n
		b.held += n
	}
}

func (b *budget) status() Status {
	return Status{
		Budget: b.name, Limit: b.limit, Used: b.others.Spent + b.spent, Reserved: b.inFlight(),
		Held: b.others.Held + b.held, Lost: b.lost(), External: b.external.Spent, Remaining: b.remaining(),
		Margin: b.margin(), MonthLimit: b.limits.Month, Earlier: b.earlier, OfMonth: b.ofMonth,
	}
}

// budgets are those of the present day.
type budgets struct {
	marginPart float64 // part of each limit that no call may reserve now

	account *budget
	month   month
	all     []*budget // the account first
	byName  map[Budget]*budget
}

func newBudgets(account Limits) budgets {
	bs := budgets{byName: map[Budget]*budget{}}
	bs.account = bs.of(Account, account)
	return bs
}

// of returns the budget called name, made if need be. Limits that have changed, as a client's may, count from now on.
func (bs *budgets) of(name Budget, limits Limits) *budget {
	b := bs.byName[name]
	if b == nil {
		b = &budget{name: name, marginPart: bs.marginPart}
		bs.byName[name] = b
		bs.all = append(bs.all, b)
	}
	if b.limits != limits {
		bs.month.limited = bs.month.limited || limits.Month > 0
		b.setLimit(limits, bs.month.earlier[name])
	}
	return b
}

// newDay begins the day next and returns what the last report of the ended one says. It forgets the budgets that no
// call has asked for on the day that has ended: their clients may be gone for good. One that comes back gets another.
func (bs *budgets) newDay(ended, next Day) (requests []BudgetRequest) {
	bs.month.newDay(ended, next, bs.all)
	for _, b := range bs.all {
		requests = append(requests, BudgetRequest{Budget: b.name, Limit: b.limit, Spent: b.spent})
		b.newDay(bs.month.earlier[b.name])
	}
	bs.all = slices.DeleteFunc(bs.all, func(b *budget) bool {
		unused := b != bs.account && b.lastUse.Before(ended.Start()) && b.inFlight() == 0 && b.held == 0
		if unused {
			delete(bs.byName, b.name)
		}
		return unused
	})
	return requests
}
