package quota

import (
	"context"
	"time"
)

const (
	// MinAuditRatio bounds Audited.Ratio from below: a lower one is not taken.
	MinAuditRatio = 0.05

	// MaxAuditRatio bounds Audited.Ratio from above: a higher one is not taken.
	MaxAuditRatio = 20

	// MinUnpricedRatio is the least of a model without a price: what such calls are taken for is the bound of another
	// model, and most of them cost next to nothing.
	MinUnpricedRatio = 0.001

	// minAudited is how much a model must have been billed at least for its ratio to be worth anything.
	minAudited = OneNeuron

	// auditQuiet is how long no call of a model may have ended when its calls are counted, and auditEdge how much
	// earlier the figure is asked for: Cloudflare's clock and ours differ by clock.Tolerance at most before that is
	// corrected.
	auditQuiet = 5 * time.Second
	auditEdge  = 2 * time.Second
)

// A ModelBill is what an account was billed for calls of one model.
type ModelBill struct {
	Neurons  Neurons
	Calls    int64
	Unpriced bool // the price table has no price of the model
}

// An Audited is what the account's own figure showed of a model whose calls' costs Workers AI does not say.
type Audited struct {
	Model  string
	Calls  int64
	Billed Neurons // for them
	Booked Neurons // before that was known
	Ratio  float64 // Billed divided by what the price table makes of them
}

// Audit finds out what calls cost of models of which Workers AI says it nowhere in the answer. If the account's own
// figure has just as many calls of such a model as all replicas have counted in the same span, nobody else has called
// it, and what it was billed for them is what they cost: that is booked in place of what they were taken for, on the
// models and clients they belong to, and the ratio holds from then on, once it was given to the estimator.
//
// A span begins and ends when no call of the model is under way. One with calls that failed, were cancelled or came
// out of a gateway's cache, or whose cost was reported, says nothing. Of the replicas of a store the one that reads
// the figure does it.
//
// read returns what the account was billed on a day for calls up to a time, that time included, by model.
func (l *Ledger) Audit(
	ctx context.Context, every time.Duration,
	read func(ctx context.Context, day Day, until time.Time) (map[string]ModelBill, error),
) ([]Audited, error) {
	if ours, err := l.leadReading(ctx, every); !ours || err != nil {
		return nil, err
	}
	now := l.lockAndRoll()
	if l.audit.day != l.day {
		l.audit = audit{day: l.day, base: map[string]auditBase{}, fixed: map[string]Neurons{}}
	}
	day, count := l.day, l.audit.next
	l.mu.Unlock()
	if count == nil {
		return nil, l.countForAudit(ctx)
	}
	if now.Sub(count.at) < l.o.FigureLag {
		return nil, nil
	}
	bills, err := read(ctx, day, count.at.Add(-auditEdge))
	if err != nil {
		return nil, err
	}
	var found []Audited
	l.mu.Lock()
	if l.day == day && l.audit.day == day {
		for _, c := range l.audit.compare(count, bills) {
			l.rebook(c)
			found = append(found, c.Audited)
		}
		l.audit.next = nil
	}
	l.mu.Unlock()
	return found, l.countForAudit(ctx)
}

// countForAudit counts what is to be compared next.
func (l *Ledger) countForAudit(ctx context.Context) error {
	l.mu.Lock()
	day, alone := l.day, l.replicas.n <= 1
	l.mu.Unlock()
	var before map[string]int64
	if !alone {
		var err error
		if before, err = l.callsBefore(ctx, day); err != nil {
			return err
		}
	}
	records, err := l.History(ctx, day, day)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day != day || l.audit.day != day {
		return nil
	}
	now := l.clock.Now()
	c := &auditCount{
		at: now, records: map[string]map[string]Record{}, fixed: map[string]Neurons{}, quiet: map[string]bool{},
	}
	calls := callsOf(records)
	for _, r := range records {
		if c.records[r.Model] == nil {
			c.records[r.Model] = map[string]Record{}
			c.fixed[r.Model] = l.audit.fixed[r.Model]
			othersQuiet := l.account.others.Reserved == 0 && (alone || before[r.Model] == calls[r.Model])
			c.quiet[r.Model] = r.Model != Other && othersQuiet
		}
		c.records[r.Model][r.Client] = r
	}
	for k, t := range l.tallies.all {
		if t.inFlight > 0 || now.Sub(t.ended) < auditQuiet {
			c.quiet[k.model] = false
		}
	}
	l.audit.next = c
	return nil
}

// callsBefore returns how many calls of each model there were auditQuiet before it returns. It is not known when a
// call of another replica has ended, only that it is published soon after: if none is for so long, none ended.
func (l *Ledger) callsBefore(ctx context.Context, day Day) (map[string]int64, error) {
	records, err := l.History(ctx, day, day)
	if err != nil {
		return nil, err
	}
	wait := time.NewTimer(auditQuiet)
	defer wait.Stop()
	select {
	case <-wait.C:
		return callsOf(records), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.life.Done():
		return nil, ErrClosed
	}
}

// callsOf sums up the calls of each model.
func callsOf(records []Record) map[string]int64 {
	calls := map[string]int64{}
	for _, r := range records {
		calls[r.Model] += r.Calls
	}
	return calls
}

// rebook books what calls were billed in place of what they were taken for, on each client by its part of the table.
func (l *Ledger) rebook(c correction) {
	now, before := l.clock.Now(), l.account.spent
	for client, part := range c.parts {
		t := l.tallies.of(c.Model, client)
		t.calibrate(Calibration{Paid: RatioOf(c.Ratio)})
		fix := Neurons(float64(c.Billed-c.Booked) * float64(part) / float64(c.table))
		if fix < 0 {
			// What this replica has not booked itself, it cannot take back.
			fix = min(max(fix, -t.Priced-t.Estimated-t.elsewhere, -l.account.spent-l.account.elsewhere), 0)
			priced := max(fix, -t.Priced)
			t.book(priced, Priced, 0)
			t.book(fix-priced, Estimated, 0)
		} else {
			t.book(fix, Reported, 0)
		}
		for _, b := range []*budget{l.account, l.budgets.byName[ClientBudget(client)]} {
			if b != nil {
				b.correct(fix, false)
				l.returnSoon(b)
			}
		}
	}
	fixed := l.account.spent - before
	l.audit.fixed[c.Model] += fixed
	l.hours.book(l.day, now, fixed)
	l.reconciliation.history.Correct(c.since, fixed)
	l.wake.syncNow()
}
