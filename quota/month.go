package quota

import (
	"context"
	"maps"
	"time"
)

// monthRefresh is how often it is read again what earlier days of the month spent. It changes little: what a replica
// held at midnight counts as spent until it has reported the end of its day.
const monthRefresh = 5 * time.Minute

// FirstOfMonth returns the first day of d's month.
func (d Day) FirstOfMonth() Day {
	t := d.Start()
	return DayOf(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

// MonthEnd returns 00:00 UTC of the first day of the month after d's.
func (d Day) MonthEnd() time.Time {
	t := d.Start()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// Limits are those of one budget; 0: none.
type Limits struct {
	Day   Neurons
	Month Neurons // of the UTC calendar month
}

// today returns what a budget may spend on a day before which the month had spent earlier: the day's limit, or the
// rest of the month's, whichever is less. A month that is spent leaves a millionth of a neuron, since 0 is no limit.
func (ls Limits) today(earlier Neurons) (limit Neurons, ofMonth bool) {
	if ls.Month == 0 {
		return ls.Day, false
	}
	rest := max(ls.Month-earlier, 1)
	if ls.Day == 0 || rest <= ls.Day {
		return rest, true
	}
	return ls.Day, false
}

// Status returns how a budget stands of which only these figures are known; margin is the part of its limit that no
// call may reserve.
func (ls Limits) Status(b Budget, earlier, used Neurons, margin float64) Status {
	s := Status{Budget: b, Used: used, MonthLimit: ls.Month, Earlier: earlier}
	s.Limit, s.OfMonth = ls.today(earlier)
	s.Margin = marginOf(s.Limit, margin)
	s.Remaining = max(s.Limit-s.Margin-used, 0)
	return s
}

// month is what the earlier days of the present month spent, by budget, as far as this replica knows. It is read from
// the store, once some budget has a limit of the month, at the first sync of a day and every monthRefresh.
type month struct {
	limited bool // some budget has a limit of the month
	earlier map[Budget]Neurons
	day     Day       // before which earlier counts; 0: not read yet
	readAt  time.Time // for the next refresh
}

// due reports whether earlier must be read, or should be.
func (m *month) due(today Day) (must, should bool) {
	must = m.limited && m.day != today
	return must, must || m.limited && time.Since(m.readAt) >= monthRefresh
}

// newDay begins next. Until the store has been read, the day that has ended counts with what this replica knows of it.
func (m *month) newDay(ended, next Day, all []*budget) {
	switch {
	case next.FirstOfMonth() != ended.FirstOfMonth():
		m.earlier = nil
	case m.limited:
		m.earlier = maps.Clone(m.earlier) // a Snapshot may have it
		if m.earlier == nil {
			m.earlier = map[Budget]Neurons{}
		}
		for _, b := range all {
			m.earlier[b.name] = m.earlier[b.name].Add(b.committed() + b.others.Held)
		}
	}
}

// readMonth reads what earlier days of the month spent, if that is due. It fails only where that must be known: limits
// of today depend on it. The caller holds l.mu, which is released meanwhile.
func (l *Ledger) readMonth(ctx context.Context) error {
	m, day := &l.budgets.month, l.day
	must, should := m.due(day)
	if !should {
		return nil
	}
	var earlier map[Budget]Neurons
	if first := day.FirstOfMonth(); first < day {
		l.mu.Unlock()
		days, err := l.o.Store.Committed(ctx, first, day-1)
		earlier = days.Sum()
		l.mu.Lock()
		if l.day != day {
			return nil // the next sync reads it for the new day
		}
		if m.readAt = time.Now(); err != nil {
			if must {
				return err
			}
			return nil
		}
	}
	m.earlier, m.day, m.readAt = earlier, day, time.Now()
	for _, b := range l.budgets.all {
		b.setLimit(b.limits, earlier[b.name])
	}
	return nil
}
