package quota

import (
	"context"
	"math"
	"time"
)

const (
	// Ratios beyond these are not believed.
	MinAuditRatio, MaxAuditRatio = 0.05, 20

	// leastAudited is the least that a model must have been billed for its ratio to be worth anything.
	leastAudited = OneNeuron

	// auditQuiet is how long no call of a model may have ended when its calls are counted, and auditEdge how much earlier the figure
	// is asked for: Cloudflare's clock and ours differ by clockTolerance at most before that is corrected.
	auditQuiet = 5 * time.Second
	auditEdge  = 2 * time.Second
)

// A ModelBill is what an account was billed for calls of one model.
type ModelBill struct {
	Neurons Neurons
	Calls   int64
}

// A Breakdown reads what the account was billed on a day for calls up to a time,
// that time included, by model.
type Breakdown func(ctx context.Context, day Day, until time.Time) (map[string]ModelBill, error)

// An Audited is what the account's own figure showed of a model whose calls'
// costs Workers AI does not say.
type Audited struct {
	Model  string
	Calls  int64
	Billed Neurons // for them
	Booked Neurons // before that was known
	Ratio  float64 // Billed divided by what the price table makes of them
}

// count is what all holders have counted of each model and client on a day, and
// of which models no call was under way then.
type count struct {
	day     Day
	at      time.Time
	records map[string]map[string]Record // by model and client
	own     map[string]Neurons           // corrections that Audit has made, by model
	quiet   map[string]bool
}

// audit is what a ledger needs to compare models with the account's own figure.
type audit struct {
	next  *count               // to be compared once the figure has it
	base  map[string]auditBase // by model
	day   Day                  // of base
	fixed map[string]Neurons   // corrections of the day, by model
}

// auditBase is where the present span of a model's calls began.
type auditBase struct {
	records map[string]Record // by client
	fixed   Neurons
	bill    ModelBill
}

// Audit finds out what calls cost of models of which Workers AI says it nowhere
// in the answer. Where the account's own figure has just as many calls of such a
// model as all holders have counted in the same span, nobody else has called it,
// and what it was billed for them is what they cost: that is booked in place of
// what they were taken for, on the models and clients they belong to, and the
// ratio holds from then on, once it was given to Estimator.Correct.
//
// A span begins and ends where no call of the model is under way. One with calls
// that failed, were broken off or came out of a gateway's cache, or whose cost
// was reported, says nothing. Of the holders of a store the one that reads the figure does it.
func (l *Ledger) Audit(ctx context.Context, every time.Duration, read Breakdown) ([]Audited, error) {
	if ours, err := l.lead(ctx, every); !ours || err != nil {
		return nil, err
	}
	var found []Audited
	l.mu.Lock()
	now := l.clock.now()
	l.roll(now)
	if l.audit.day != l.day {
		l.audit = audit{day: l.day, base: map[string]auditBase{}, fixed: map[string]Neurons{}}
	}
	next, lag := l.audit.next, l.o.FigureLag
	l.mu.Unlock()
	if next != nil {
		if now.Sub(next.at) < lag {
			return nil, nil
		}
		bills, err := read(ctx, next.day, next.at.Add(-auditEdge))
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		if l.day == next.day && l.audit.day == next.day {
			found = l.settleAudit(next, bills)
			l.audit.next = nil
		}
		l.mu.Unlock()
	}
	return found, l.countCalls(ctx)
}

// countCalls counts what is to be compared next.
func (l *Ledger) countCalls(ctx context.Context) error {
	l.mu.Lock()
	day, alone := l.day, l.holders <= 1
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
	now := l.clock.now()
	if l.day != day || l.audit.day != day {
		return nil
	}
	c := &count{day: day, at: now, records: map[string]map[string]Record{}, own: map[string]Neurons{}, quiet: map[string]bool{}}
	for _, r := range records {
		if c.records[r.Model] == nil {
			c.records[r.Model] = map[string]Record{}
		}
		c.records[r.Model][r.Client] = r
		c.quiet[r.Model] = r.Model != Other && l.account.others.Reserved == 0
		c.own[r.Model] = l.audit.fixed[r.Model]
	}
	if !alone {
		for model, calls := range callsOf(records) {
			c.quiet[model] = c.quiet[model] && before[model] == calls
		}
	}
	for k, r := range l.rows {
		if r.flying > 0 || now.Sub(r.ended) < auditQuiet {
			c.quiet[k.model] = false
		}
	}
	l.audit.next = c
	return nil
}

// callsBefore returns how many calls of each model there were auditQuiet before
// it returns. When a call of another holder has ended is not known, only that it
// is published soon after: where none is for so long, none ended.
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

// callsOf sums the calls of each model up.
func callsOf(records []Record) map[string]int64 {
	calls := map[string]int64{}
	for _, r := range records {
		calls[r.Model] += r.Calls
	}
	return calls
}

// settleAudit compares a count with the bills of the same span.
func (l *Ledger) settleAudit(c *count, bills map[string]ModelBill) (found []Audited) {
	for model, quiet := range c.quiet {
		if !quiet {
			continue // the span goes on
		}
		base := l.audit.base[model]
		bill := ModelBill{bills[model].Neurons - base.bill.Neurons, bills[model].Calls - base.bill.Calls}
		next := auditBase{records: c.records[model], fixed: c.own[model], bill: bills[model]}
		var sum Record
		parts := map[string]Neurons{} // of the table, by client
		for client, r := range c.records[model] {
			was := base.records[client]
			parts[client] = r.Table - was.Table
			sum.Calls += r.Calls - was.Calls
			sum.Silent += r.Silent - was.Silent
			sum.Priced += r.Neurons() - was.Neurons()
			sum.Table += r.Table - was.Table
		}
		l.audit.base[model] = next
		// Less the correction of the span before, which was booked in this one.
		booked := sum.Priced - (c.own[model] - base.fixed)
		a := Audited{Model: model, Calls: sum.Calls, Billed: bill.Neurons, Booked: booked, Ratio: bill.Neurons.Float() / sum.Table.Float()}
		switch {
		case sum.Calls <= 0, bill.Calls != sum.Calls, sum.Silent != sum.Calls, bill.Neurons < leastAudited:
			continue
		case math.IsNaN(a.Ratio) || a.Ratio < MinAuditRatio || a.Ratio > MaxAuditRatio:
			continue
		}
		l.rebook(c, model, a, sum.Table, parts)
		found = append(found, a)
	}
	return found
}

// rebook books what calls were billed in place of what they were taken for, by
// client as parts of the table.
func (l *Ledger) rebook(c *count, model string, a Audited, table Neurons, parts map[string]Neurons) {
	now := l.clock.now()
	former := l.account.spent
	for client, part := range parts {
		row := l.row(Call{Model: model, Client: client})
		row.Calibration, row.dirty = row.Calibration.Max(Calibration{Paid: RatioOf(a.Ratio)}), true
		fix := Neurons(float64(a.Billed-a.Booked) * float64(part) / float64(table))
		if fix < 0 {
			// What this holder has not booked itself, it cannot take back.
			fix = max(fix, -row.Priced-row.Estimated, -l.account.spent)
			priced := max(fix, -row.Priced)
			row.book(priced, Priced, 0)
			row.book(fix-priced, Estimated, 0)
		} else {
			row.book(fix, Reported, 0)
		}
		for _, p := range []*pot{l.account, l.byName[ClientBudget(client)]} {
			if p != nil {
				p.credit(0, max(fix, -p.spent))
				l.freed(p)
			}
		}
	}
	fixed := l.account.spent - former
	l.audit.fixed[model] += fixed
	l.hours.book(l.day, now, fixed)
	l.figure.ages.corrected(c.at, fixed)
	l.kick()
}

// corrected notes that so much more had been spent since a time.
func (a *ages) corrected(since time.Time, more Neurons) {
	for i := range a.all {
		if a.all[i].minute >= minuteOf(since) {
			a.all[i].spent = max(a.all[i].spent+more, 0)
		}
	}
}
