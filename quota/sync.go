package quota

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrStore is wrapped by what Reserve returns when the store that it needs
// fails.
var ErrStore = errors.New("quota: the store fails")

// run exchanges with the store: on every heartbeat, when a call waits, when too
// much is free, and when other holders want something.
func (l *Ledger) run() {
	defer close(l.stopped)
	ctx := l.life
	var events <-chan Event
	beat, trim := time.NewTimer(l.o.Heartbeat), time.NewTimer(time.Hour)
	trim.Stop()
	defer beat.Stop()
	defer trim.Stop()
	for {
		if events == nil {
			events, _ = l.o.Store.Watch(ctx) // without it there still is the heartbeat
		}
		select {
		case <-ctx.Done():
			return
		case <-l.trimmed:
			trim.Reset(trimDelay)
			continue
		case e, ok := <-events:
			if !ok {
				events = nil
				// A store that closes at once must not make this spin.
				select {
				case <-ctx.Done():
					return
				case <-beat.C:
				}
			} else if !l.concerns(e) {
				continue
			}
		case <-l.kicked:
		case <-trim.C:
		case <-beat.C:
		}
		_ = l.exchange(ctx) // Healthy tells
		beat.Reset(l.o.Heartbeat)
	}
}

// concerns reports whether e is a reason to ask the store at once.
func (l *Ledger) concerns(e Event) bool {
	if e.Replica == l.o.Replica {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case NeuronsWanted:
		for _, p := range l.pots {
			if p.limit > 0 && p.spare() > 0 {
				return true
			}
		}
		return false
	case NeuronsReturned:
		return len(l.queue) > 0
	case BlockChanged:
		return true
	default: // not the ledger's business
		return false
	}
}

// exchange publishes days that are over, then today, and serves those who wait
// with what comes back.
func (l *Ledger) exchange(ctx context.Context) error {
	select {
	case l.exchanging <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.exchanging }()
	l.mu.Lock()
	if l.left { // another report would bring this holder back to life
		l.mu.Unlock()
		return ErrClosed
	}
	l.roll(l.clock.now())
	for len(l.over) > 0 {
		ended := l.number(l.over[0])
		l.mu.Unlock()
		_, err := l.send(ctx, ended)
		l.mu.Lock()
		if err != nil {
			break // today's exchange tells the failure
		}
		if len(l.over) > 0 && l.over[0].Day == ended.Day {
			l.over = l.over[1:]
		}
	}
	r, raised, rows := l.report()
	l.mu.Unlock()
	s, err := l.send(ctx, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.now()
	if err != nil {
		for _, r := range rows {
			r.dirty = true
		}
		l.hours.again(r.Hours)
		if ctx.Err() != nil { // whoever asked has left, which says nothing of the store
			l.kick()
			return err
		}
		l.storeFailed(err, now)
		return err
	}
	failed := l.failure != nil
	l.failure = nil
	l.figure.heard = time.Now()
	l.clock.agree(s.Time)
	l.heardOf(s, now)
	if l.day == r.Day {
		if l.joined { // before, it is not known since when others have spent it
			l.spending.add(now, s.Balances[0].Spent-r.Requests[0].Spent-l.account.others.Spent)
		}
		for i, c := range r.Requests {
			l.byName[c.Budget].answered(c, raised[i], s.Granted[i], s.Balances[i], l.holders)
		}
		if s.Joined && l.joined {
			l.publishAgain()
		}
		l.figure.ages.saw(now, l.day, s, failed)
		l.takeExternal(s.External, now)
		l.joined = true
	} else {
		// The day ended meanwhile, and what was granted ended with it.
		for _, w := range l.queue {
			w.asked = false
		}
		l.kick()
	}
	l.gate.answered(r.Block, s.Block, l.o.Probe, now)
	l.afterExchange(now)
	return nil
}

func (l *Ledger) send(ctx context.Context, r Report) (Reply, error) {
	s, err := l.o.Store.Sync(ctx, r)
	if err == nil && (len(s.Granted) != len(r.Requests) || len(s.Balances) != len(r.Requests)) {
		return Reply{}, fmt.Errorf("%d grants and %d balances for %d claims", len(s.Granted), len(s.Balances), len(r.Requests))
	}
	return s, err
}

// number gives r its holder and the next number.
func (l *Ledger) number(r Report) Report {
	l.seq++
	r.Seq, r.Replica = l.seq, l.o.Replica
	return r
}

// quietFor is every how many reports a pot is in one of which there is nothing to
// tell, to hear what others spent of it.
const quietFor = 16

// report makes the report of today. The rows are those that it publishes. Pots of
// clients of which the store knows all, and of which nothing is held here, are
// left out of most reports: of a thousand clients few call at a time.
func (l *Ledger) report() (r Report, raised []Neurons, rows []*tally) {
	now := l.clock.now()
	age := time.Since(l.started)
	l.giveUp()
	r = l.number(Report{Day: l.day, Block: l.gate.change, External: l.account.external})
	for i, p := range l.pots {
		sum, least := l.wanted(p)
		c, raise := p.claim(now, age, sum, least)
		turn := (uint64(i)+r.Seq)%quietFor == 0
		if p != l.account && c == p.told && c.Held == 0 && c.Want == 0 && !turn && !l.whole {
			continue
		}
		p.told = BudgetRequest{} // until it is answered, the store may know this or what was before
		r.Requests, raised = append(r.Requests, c), append(raised, raise)
	}
	l.whole = false
	r.Records, rows = l.dirtyRows()
	r.Hours = l.hours.publish()
	l.trim = false
	select {
	case <-l.trimmed:
	default:
	}
	return r, raised, rows
}

// afterExchange serves those who wait, and judges those whose report was
// answered.
func (l *Ledger) afterExchange(now time.Time) {
	for _, w := range l.queue {
		w.seen = w.asked
	}
	l.serve(now)
	for _, p := range l.pots {
		l.freed(p)
	}
}

// storeFailed decides on those who wait for the store without it.
func (l *Ledger) storeFailed(err error, now time.Time) {
	l.failure = fmt.Errorf("%w: %w", ErrStore, err)
	l.failed++
	var left []*waiter
	for _, w := range l.queue {
		if w.asked && !l.gate.holds(w) {
			left = append(left, w)
		}
	}
	for _, w := range left {
		if w.done {
			continue
		}
		if !l.o.AllowOfflineGrant {
			l.finish(w, nil, Decision{}, l.failure)
			continue
		}
		for i, p := range w.pots {
			if w.short[i] {
				p.takeUnbacked(w.call.Estimate - p.spare())
			}
		}
		w.seen = true
	}
	l.serve(now)
}

// takeUnbacked takes n without the store's word, and more ahead of need as with
// it, up to the holder's share of what was left when it was last heard. The next
// exchange that works makes it known.
func (p *pot) takeUnbacked(n Neurons) {
	left := max(p.free, 0)/Neurons(max(p.holders, 1)) - p.unbacked
	if n > 0 && n <= left {
		n = min(max(n, p.chunk()), left)
		p.unbacked += n
		p.held += n
	}
}

// publishAgain makes all rows known to a store that has lost them.
func (l *Ledger) publishAgain() {
	for _, r := range l.rows {
		r.dirty = r.dirty || r.Calls != 0 || r.Neurons() != 0
	}
	l.hours.all()
	l.whole = true
	l.kick()
}

// leave is the last exchange: nothing stays here but what is reserved.
func (l *Ledger) leave(ctx context.Context) error {
	select {
	case l.exchanging <- struct{}{}:
		defer func() { <-l.exchanging }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	l.left = true
	for _, p := range l.pots {
		if p.limit > 0 {
			p.held = min(p.held, p.reserved)
		}
	}
	reports := make([]Report, 0, len(l.over)+1)
	for _, r := range l.over {
		reports = append(reports, l.number(r))
	}
	r, _, _ := l.report()
	for i := range r.Requests {
		r.Requests[i].Want = 0
	}
	r.Leave = true
	reports = append(reports, r)
	l.mu.Unlock()
	var errs []error
	for _, r := range reports {
		errs = append(errs, l.sendLast(ctx, r))
	}
	return errors.Join(errs...)
}

// sendLast is send, repeated until the store has heard it or ctx ends: a store
// that was away for a moment would never be told, and what is held here be lost.
func (l *Ledger) sendLast(ctx context.Context, r Report) error {
	var failure error
	for {
		_, err := l.send(ctx, r)
		if err == nil {
			return nil
		}
		if failure == nil || ctx.Err() == nil { // not that time is over, but why it took so long
			failure = err
		}
		select {
		case <-time.After(Heartbeat / 5):
		case <-ctx.Done():
			return failure
		}
	}
}
