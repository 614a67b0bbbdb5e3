package quota

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota/ahead"
	"github.com/neuronward/neuronward/quota/clock"
	"github.com/neuronward/neuronward/quota/schedule"
)

// ErrClosed is returned by Reserve after Close.
var ErrClosed = errors.New("quota: the ledger is closed")

// A Ledger decides which calls may be made and keeps count of what they cost. It serves reservations from what it
// holds in memory of each budget, and asks its store for more ahead of need, so that a call almost never waits for
// the store. A Ledger is used by many goroutines at once.
type Ledger struct {
	o       Options
	started time.Time

	wake    wakeup
	life    context.Context // ends with Close
	end     context.CancelFunc
	stopped chan struct{}
	syncing chan struct{} // full during a sync; filled before mu is locked
	trip    ahead.Trip

	mu             sync.Mutex // guards what follows; never held while the store is asked
	clock          clock.Clock
	day            Day
	dayEnd         time.Time
	account        *budget // budgets.account
	budgets        budgets
	queue          queue
	block          blockState
	tallies        tallies
	hours          hours
	forecast       forecast
	reconciliation reconciliation
	audit          audit
	outbox         outbox
	replicas       replicaCount
	place          schedule.Place[*waiter]
	inFlight       schedule.InFlight[*budget, Neurons]
	idle           chan struct{} // closed when nothing is in flight; nil: nobody waits for it
	closed         bool
	left           bool  // the last report was made
	failure        error // of the last sync
	late           bool  // the answer to the last sync is, which alone is no failure
	failures       int64 // syncs that failed
}

// New returns a Ledger on o.Store, after a first sync with it. It is no error here if the store cannot be reached:
// Healthy says so, and Reserve.
func New(ctx context.Context, o Options) (*Ledger, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		o: o, started: time.Now(), clock: clock.New(o.Now), wake: wakeup{due: make(chan struct{}, 1)},
		outbox:  outbox{replica: o.Replica},
		stopped: make(chan struct{}), syncing: make(chan struct{}, 1),
		budgets: newBudgets(Limits{o.Limit, o.MonthLimit}), tallies: newTallies(),
		replicas: replicaCount{delay: 2 * o.Heartbeat},
	}
	l.o.Store = newTimeoutStore(o.Store, o.StoreTimeout, o.OnStoreEvent)
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.account = l.budgets.account
	now := l.clock.Now()
	l.setDay(DayOf(now), false)
	l.forecast.Begin(now)
	_ = l.sync(ctx) // Healthy has the error
	if day := DayOf(l.clock.Now()); day < l.day {
		// The store's clock is behind ours. Nothing has happened yet on a day that has not begun.
		l.setDay(day, false)
		l.account.newDay(0) // the sync reads what earlier days of its month spent
		_ = l.sync(ctx)
	}
	go l.run()
	return l, nil
}

// setDay begins d. fromStart says that this replica has been there since d began.
func (l *Ledger) setDay(d Day, fromStart bool) {
	l.day, l.dayEnd = d, d.End()
	l.reconciliation.newDay(fromStart)
}

// lockAndRoll takes l.mu, begins a new day if it is time, and returns the time.
func (l *Ledger) lockAndRoll() time.Time {
	l.mu.Lock()
	now := l.clock.Now()
	l.roll(now)
	return now
}

// roll begins a new day if now is in one. The clock alone never takes it back.
func (l *Ledger) roll(now time.Time) {
	if !now.Before(l.dayEnd) {
		l.beginDay(now)
	}
}

// beginDay begins the day of now. Every call runs roll, whose stack stays small without it.
func (l *Ledger) beginDay(now time.Time) {
	next := DayOf(now)
	l.outbox.add(Report{
		Day: l.day, Replica: l.outbox.replica, Leave: true,
		Requests: l.budgets.newDay(l.day, next), Records: l.tallies.newDay(), Hours: l.hours.newDay(),
	})
	l.setDay(next, true)
	l.forecast.spentAt = time.Time{}
	l.block.newDay(now)
	l.replicas.expect(clockApart + l.replicas.delay)
	l.wake.syncNow()
}

// Observe takes the Date of an answer that upstream has just made, by which the ledger corrects its clock. A date
// more than a day away from the machine's clock is ignored, one more than a minute ahead until the next answer's
// agrees with it. When three of a minute agree that the ledger's day has not begun, it goes on with the day that it is.
func (l *Ledger) Observe(date time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.Observe(date)
	now := l.clock.Now()
	l.roll(now)
	if now.Before(l.day.Start()) && l.clock.Confirmed() {
		l.takeBack(DayOf(now), now)
	}
}
