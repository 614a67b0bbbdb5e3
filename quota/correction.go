package quota

import (
	"math"
	"time"
)

// audit is what a ledger needs to compare models with the account's own figure. The zero value begins anew.
type audit struct {
	day   Day
	next  *auditCount          // to be compared once the figure has it
	base  map[string]auditBase // by model
	fixed map[string]Neurons   // what was corrected on the day, by model
}

// auditCount is what all replicas have counted of each model and client on a day, and of which models no call was
// under way then.
type auditCount struct {
	at      time.Time
	records map[string]map[string]Record // by model and client
	fixed   map[string]Neurons           // audit.fixed at that time
	quiet   map[string]bool              // by model
}

// auditBase is where the present span of a model's calls began.
type auditBase struct {
	records map[string]Record // by client
	fixed   Neurons
	bill    ModelBill
}

// correction is what is to be booked for an Audited.
type correction struct {
	Audited
	since time.Time
	table Neurons            // what the price table makes of the calls
	parts map[string]Neurons // the same by client
}

// compare compares a count with the bills of the same span, and begins the next span of each model that was quiet.
func (a *audit) compare(c *auditCount, bills map[string]ModelBill) (found []correction) {
	for model, quiet := range c.quiet {
		if !quiet {
			continue // the span goes on
		}
		base := a.base[model]
		a.base[model] = auditBase{records: c.records[model], fixed: c.fixed[model], bill: bills[model]}
		bill := bills[model]
		bill.Neurons, bill.Calls = bill.Neurons-base.bill.Neurons, bill.Calls-base.bill.Calls
		var booked, table Neurons
		var calls, silent int64
		parts := map[string]Neurons{}
		for client, r := range c.records[model] {
			was := base.records[client]
			parts[client] = r.Table - was.Table
			table += parts[client]
			booked += r.Neurons() - was.Neurons()
			calls += r.Calls - was.Calls
			silent += r.Silent - was.Silent
		}
		booked -= c.fixed[model] - base.fixed // the correction of the span before, which was booked in this one
		ratio := bill.Neurons.Float() / table.Float()
		lowest := MinAuditRatio
		if bill.Unpriced { // any bill is better than the price of another model
			lowest, ratio = MinUnpricedRatio, max(ratio, MinUnpricedRatio)
		} else if bill.Neurons < minAudited {
			continue
		}
		switch {
		case calls <= 0, bill.Calls != calls, silent != calls, bill.Neurons < 0:
			continue
		case math.IsNaN(ratio) || ratio < lowest || ratio > MaxAuditRatio:
			continue
		}
		found = append(found, correction{
			Audited: Audited{Model: model, Calls: calls, Billed: bill.Neurons, Booked: booked, Ratio: ratio},
			since:   c.at, table: table, parts: parts,
		})
	}
	return found
}
