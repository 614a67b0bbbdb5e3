package quota

import (
	"context"
	"fmt"
	"time"

	"github.com/neuronward/neuronward/quota/schedule"
)

// A Snapshot is how things stand. Figures of budgets are over all replicas, as of the last sync and what this one did
// since; Records and Hours are of this process alone.
type Snapshot struct {
	At            time.Time // by the ledger's clock
	Day           Day
	Mode          Mode
	Account       Status
	Clients       []Status           // those with a budget of their own, in the order of their first call
	Earlier       map[Budget]Neurons // spent by earlier days of the month, if there is a limit of the month; read only
	ResetsAt      time.Time
	Block         Block
	RetryAt       time.Time // of the next probe; zero: none is planned
	ExhaustedAt   time.Time // when the account's day was found spent, or blocked; zero: it is not
	ExpectedAt    time.Time // when it will be spent at the present rate, or was; zero: not before the reset, or unknown
	Rate          float64   // neurons a second that are spent at present, by all replicas and outside of them
	FigureAt      time.Time // until when the account's own figure counts that was read last, on any day; zero: none was
	Margin        float64   // part of each limit that no call may reserve now; see Options
	Replicas      int
	InFlight      int                // reservations that are not settled
	Waiting       int                // calls that wait for neurons
	Usual         map[string]Neurons // what calls of a model have lately reserved on average, in this process
	Records       []Record
	Hours         Hours
	StoreFailures int64
	StoreFailure  error         // of the last sync; nil: it worked
	ClockSkew     time.Duration // upstream's clock less this machine's; 0 within seconds
}

// A Status is how one budget stands.
type Status struct {
	Budget    Budget
	Limit     Neurons // of today; 0: none
	OfMonth   bool    // Limit is what earlier days have left of the month's
	Used      Neurons
	Reserved  Neurons
	Held      Neurons // by all replicas, with what is reserved
	Lost      Neurons // held by replicas that died, which may have spent it
	External  Neurons // spent outside of all replicas, by the account's own figure; 0 but for the account
	Margin    Neurons // of the limit, kept for calls that cost more than they reserved
	Remaining Neurons // 0 if there is no limit

	MonthLimit Neurons // of the UTC calendar month; 0: none
	Earlier    Neurons // spent by earlier days of the month, external and lost included, if any budget has a MonthLimit
}

// Snapshot returns how things stand, without asking the store.
func (l *Ledger) Snapshot() Snapshot {
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	s := Snapshot{
		At: now, Day: l.day, Mode: l.o.Mode, Account: l.account.status(), ResetsAt: l.dayEnd, Block: l.block.Block,
		ExhaustedAt: l.forecast.exhaustedAt(&l.block, now),
		ExpectedAt:  l.forecast.expectedAt(l.account, &l.block, l.dayEnd, now), Rate: l.forecast.neuronsPerSecond(now),
		FigureAt: l.reconciliation.readUntil, Margin: l.budgets.marginPart,
		Replicas: l.replicas.n,
		InFlight: l.inFlight.Len(), Waiting: l.queue.Len(),
		Usual: schedule.Amounts[Neurons](l.tallies.usuals), Records: l.tallies.records(l.day), Hours: l.hours.Hours,
		StoreFailures: l.failures, StoreFailure: l.failure, ClockSkew: l.clock.Skew(), Earlier: l.budgets.month.earlier,
	}
	if l.place.Of() != nil { // it is answered
		s.Waiting--
	}
	if l.block.Set {
		s.RetryAt = l.block.next
	}
	for _, b := range l.budgets.all[1:] {
		s.Clients = append(s.Clients, b.status())
	}
	return s
}

// Peek returns how the budgets of a call stand without it, as the Decision on one that is allowed.
func (l *Ledger) Peek(c Call) Decision {
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	w := waiter{call: c}
	w.findBudgets(l, now)
	return l.decision(Allowed, &w, now)
}

// Mode returns what the ledger does with a call that does not fit.
func (l *Ledger) Mode() Mode { return l.o.Mode }

// Reset returns when the day ends, and in how long Workers AI may be asked again once it has said that the day is
// spent: at the end of the day, but earlier if the last reset is late.
func (l *Ledger) Reset() (at time.Time, retry time.Duration) {
	now := l.lockAndRoll()
	defer l.mu.Unlock()
	if b := &l.block; b.Set && b.resetPassed(now) {
		return l.dayEnd, max(b.next.Sub(now), unclearPause)
	}
	return l.dayEnd, l.dayEnd.Sub(now)
}

// Healthy returns nil, or why the last sync with the store failed.
func (l *Ledger) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// History returns what was spent on the days from to to, both included, by all replicas. What this one has not
// published yet it publishes first. It takes no longer than two operations of the store may.
func (l *Ledger) History(ctx context.Context, from, to Day) ([]Record, error) {
	// Behind those who asked before.
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.StoreTimeout)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)() // the last report is more urgent
	l.mu.Lock()
	l.outbox.whole = true // so that a Snapshot agrees with it
	l.mu.Unlock()
	if err := l.sync(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return l.o.Store.History(ctx, from, to)
}

// Archive returns what the store keeps of days, as far as replicas have published it: History publishes what this one
// has. Each operation takes no longer than one of the store may.
func (l *Ledger) Archive() Archive { return l.o.Store }
