package quota

import (
	"slices"
	"time"
)

// pot is one pot as this holder knows it. Of what the store granted (spent +
// held), held may still be spent, and reserved of it belongs to calls in
// flight. After an overrun held may be below reserved.
type pot struct {
	name  Budget
	limit Neurons

	spent, reserved, held Neurons

	// Of the last exchange.
	others   Balance  // less our own row
	free     Neurons  // left in the store
	external External // zero but for the account's
	holders  int
	keep     Neurons       // what may stay free here
	told     BudgetRequest // as the store has it; zero: that is not known

	used     time.Time // when somebody last asked
	barrier  bool      // what is free is set aside for a call that has waited long
	unbacked Neurons   // taken without the store's word, since it fails
}

// pot returns the pot called name, made if need be. A limit that has changed,
// as a client's may, counts from now on.
func (l *Ledger) pot(name Budget, limit Neurons) *pot {
	p := l.byName[name]
	if p == nil {
		p = &pot{name: name, limit: limit, free: limit}
		l.byName[name] = p
		l.pots = append(l.pots, p)
	}
	if p.limit != limit {
		p.limit = limit
		p.free = max(limit-p.gone()-p.others.Held-p.held, 0)
	}
	return p
}

// dropUnused forgets the pots that nobody has asked for on the day that has just
// ended: their clients may be gone for good. One that comes back gets another.
func (l *Ledger) dropUnused() {
	l.pots = slices.DeleteFunc(l.pots, func(p *pot) bool {
		unused := p != l.account && p.used.Before(l.day.Start()) && p.flying() == 0 && p.held == 0
		if unused {
			delete(l.byName, p.name)
		}
		return unused
	})
}

// spare is what the holder may give to a new call, or back.
func (p *pot) spare() Neurons { return p.held - p.reserved }

// gone is what cannot come back today, over all holders.
func (p *pot) gone() Neurons { return p.others.Spent + p.lost() + p.spent + p.external.Spent }

// lost is what holders that died held and may have spent.
func (p *pot) lost() Neurons { return max(p.others.Lost-p.external.Released, 0) }

// flying is what calls in flight have reserved, over all holders.
func (p *pot) flying() Neurons { return p.others.Reserved + p.reserved }

// exhausted reports whether n cannot fit any more, whatever comes back.
func (p *pot) exhausted(n Neurons) bool {
	return p.limit > 0 && p.limit-p.gone() < n
}

// finished reports whether hardly anything is left: a hundredth at most, whatever
// comes back.
func (p *pot) finished() bool { return p.limit > 0 && p.limit-p.gone() <= p.limit/100 }

// has reports whether n fits into what is here.
func (p *pot) has(n Neurons) bool {
	return p.limit == 0 || p.spare() >= n
}

// low reports whether more should be fetched before it is needed.
func (p *pot) low() bool {
	return p.limit > 0 && p.free > 0 && p.spare() < p.chunk()/8
}

// debit reserves n.
func (p *pot) debit(n Neurons) {
	p.reserved += n
	if p.limit == 0 {
		p.held += n
	}
}

// credit ends a reservation of n that cost c.
func (p *pot) credit(n, c Neurons) {
	p.reserved -= n
	p.spent += c
	if p.limit == 0 {
		p.held -= n
	} else {
		p.held -= c
	}
}

// roll begins a new day. What is reserved goes with it and is claimed anew.
func (p *pot) roll() {
	p.spent, p.held, p.unbacked = 0, 0, 0
	p.others, p.external, p.told = Balance{}, External{}, BudgetRequest{}
	p.free = p.limit
	if p.limit == 0 {
		p.held = p.reserved
	}
}

// mayKeep is how much may stay free here, after a life of age.
func (p *pot) mayKeep(age time.Duration) Neurons {
	most := p.limit / 100
	slow := max(p.spent/4, Neurons(float64(most)*min(1, float64(age)/float64(slowStart))))
	return min(most, slow)
}

// remaining is what is left over all holders, never negative.
func (p *pot) remaining() Neurons {
	return max(0, p.limit-p.gone()-p.flying())
}

// claim makes the claim of the next report, giving back what should not stay.
// wanted and least are what waiting calls need together and the smallest of
// them alone; 0: none waits.
func (p *pot) claim(now time.Time, age time.Duration, wanted, least Neurons) (c BudgetRequest, raise Neurons) {
	p.keep = p.mayKeep(age)
	otherWaits, idle := p.others.Waiting > 0, now.Sub(p.used) >= idleAfter
	spare := p.spare()
	give := Neurons(0)
	switch {
	case spare <= 0:
	case p.unbacked > 0: // there is nobody to give it to; what is given now is gone until the store is back
	case otherWaits:
		// Also when calls wait here: what is free does not suffice for them, and two holders must not sit on two halves.
		give = spare
	case wanted > 0:
	case p.holders > 1 && idle:
		give = spare
	case spare > p.keep:
		give = spare - p.keep
	}
	if p.limit == 0 {
		give = 0
	}
	p.held -= give
	spare = max(p.spare(), 0)
	raise = max(p.reserved-p.held, 0) // an overrun, or the new day: it is so, whatever the store has left
	c = BudgetRequest{Budget: p.name, Limit: p.limit, Spent: p.spent, Held: p.held + raise, Reserved: p.reserved}
	if p.limit == 0 {
		return c, raise
	}
	switch {
	case wanted > spare:
		c.Min, c.Want, c.Waiting = max(least-spare, 1), wanted-spare, wanted-spare
		if !otherWaits {
			c.Want += p.chunk()
		}
	case !otherWaits && !idle && p.low():
		c.Min, c.Want = 1, p.chunk()-spare
	}
	return c, raise
}

// chunk is what to have free after a claim: less where others share what is
// left.
func (p *pot) chunk() Neurons {
	if p.holders > 1 {
		return min(p.keep, max(p.free, 0)/Neurons(2*p.holders))
	}
	return p.keep
}

// answered takes what the store said to c.
func (p *pot) answered(c BudgetRequest, raise, granted Neurons, b Balance, holders int) {
	p.held += raise + granted
	p.others = Balance{
		Spent: b.Spent - c.Spent, Reserved: b.Reserved - c.Reserved, Held: b.Held - c.Held - granted,
		Lost: b.Lost, Waiting: b.Waiting,
	}
	p.free, p.holders, p.unbacked, p.told = b.Free, holders, 0, c
}
