package guard

import (
	"context"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// Ahead is how much a session has reserved beyond what has passed: 30 seconds of sound, or as many characters as are
// spoken in them.
func Ahead() workload.Session { return workload.Session{Seconds: 30, Characters: 500} }

// A Session is the charge of a call over a WebSocket, which costs more the longer it goes on. What it may cost is
// reserved piece by piece, ahead of what passes, and booked piece by piece, so that a process that is killed loses
// no more than what is ahead. It is safe for concurrent use. The nil Session is that of a call that is not metered.
type Session struct {
	charge *Charge
	ledger *quota.Ledger
	call   quota.Call // to the ledger

	renewing sync.Mutex // held during Renew; taken before mu

	told bool // it was counted as refused; of renewing

	mu     sync.Mutex
	pieces []piece       // that are reserved, the oldest first; there is one until the end
	booked quota.Neurons // of what has passed
	split  bool          // over two days
	ended  bool
}

// A piece is one reservation of a session.
type piece struct {
	*quota.Reservation
	paid quota.Neurons // of it, booked already
}

func (p piece) left() quota.Neurons { return p.Neurons() - p.paid }

// Session makes the charge of a call that was reserved with Call.Session that of a session. The charge itself has
// nothing more to settle.
func (ch *Charge) Session() *Session {
	if ch == nil || ch.reservation == nil {
		return nil
	}
	s := &Session{
		charge: ch, ledger: ch.guard.ledger, call: ch.request, pieces: []piece{{Reservation: ch.reservation}},
		told: ch.decision.Would != quota.Allowed,
	}
	ch.reservation, ch.session = nil, true
	return s
}

// cost is what a session has cost when so much has passed.
func (s *Session) cost(passed workload.Session) quota.Neurons {
	return s.charge.guard.o.Estimator.SessionCost(*s.charge.call.Model, passed)
}

// Covers reports whether as much is reserved as passed may cost.
func (s *Session) Covers(passed workload.Session) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cost(passed) <= s.covered()
}

// covered is how much is booked and reserved; s.mu is held.
func (s *Session) covered() quota.Neurons {
	sum := s.booked
	for _, p := range s.pieces {
		sum = sum.Add(max(p.left(), 0))
	}
	return sum
}

// Renew books what has passed and reserves as much ahead of it. Its error is that of Guard.Reserve.
func (s *Session) Renew(ctx context.Context, passed, ahead workload.Session) error {
	if s == nil {
		return nil
	}
	s.renewing.Lock()
	defer s.renewing.Unlock()
	ahead.Seconds += passed.Seconds
	ahead.Characters += passed.Characters
	s.mu.Lock()
	missing := s.cost(ahead) - s.covered()
	s.mu.Unlock()
	if missing <= 0 {
		return nil
	}
	ch := s.charge
	ch.request.Estimate, ch.estimate.Neurons = missing, missing
	d := s.foresee(missing)
	if d.Outcome == quota.Allowed {
		var err error
		if d, err = ch.reserve(ctx); err != nil {
			return undecided(ctx, err)
		}
	}
	res := ch.reservation
	ch.reservation = nil
	if res != nil && res.Probe() { // for a call to make: Workers AI says nothing to what goes on
		res.Release()
		res, d.Outcome = nil, quota.Blocked
	}
	s.tell(d)
	if res == nil {
		return ch.explain(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		res.Release()
		return nil
	}
	s.pieces = append(s.pieces, piece{Reservation: res})
	s.book(s.cost(passed))
	return nil
}

// foresee decides against what cannot fit any more, whatever other calls give back: what this session has reserved it
// has used. The ledger, to which the session is a call like others, would have it wait.
func (s *Session) foresee(missing quota.Neurons) quota.Decision {
	d := s.ledger.Peek(s.charge.request)
	s.mu.Lock()
	defer s.mu.Unlock()
	own := quota.Neurons(0)
	for _, p := range s.pieces {
		own = own.Add(p.Neurons())
	}
	if s.ledger.Mode() == quota.Enforce && !d.Unlimited && d.Left() < own.Add(missing) {
		d.Outcome, d.Used, d.Reserved = quota.Exhausted, d.Used.Add(own), max(d.Reserved-own, 0)
		if d.Kept > d.Margin {
			d.Outcome = quota.PriorityFloor
		}
	}
	return d
}

// tell counts the session among the calls that were refused, or would have been, once.
func (s *Session) tell(d quota.Decision) {
	outcome, mode := d.Outcome, modeEnforce
	if d.Would != quota.Allowed {
		outcome, mode = d.Would, modeObserve
	}
	if outcome != quota.Allowed && !s.told {
		s.told = true
		s.charge.preempted(reasonOf(outcome, d.Budget), mode)
	}
}

// book books whole pieces of what has passed, all but the last one; s.mu is held.
func (s *Session) book(total quota.Neurons) {
	for len(s.pieces) > 1 && total-s.booked >= s.pieces[0].left() {
		cost := quota.Cost{Neurons: s.pieces[0].left(), Basis: quota.Priced}
		s.pieces[0].SettlePart(cost)
		s.charge.spent(cost)
		s.booked += cost.Neurons
		s.pieces = s.pieces[1:]
	}
}

// Split books what has passed on the present day, which is about to end: the rest of the session counts for the next.
func (s *Session) Split(passed workload.Session) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	total := s.cost(passed)
	s.book(total)
	cost := quota.Cost{Neurons: total - s.booked, Basis: quota.Priced}
	if cost.Neurons <= 0 {
		return
	}
	// The piece is needed on the other side of midnight as well: it stays reserved.
	s.ledger.Correct(s.call, quota.Day(0), 0, cost)
	s.charge.spent(cost)
	s.pieces[0].paid += cost.Neurons
	s.booked, s.split = total, true
}

// UntilReset returns how long the account's day still is.
func (s *Session) UntilReset() time.Duration {
	_, left := s.charge.guard.Reset()
	return left
}

// Settle books what the whole session has cost and gives the rest back.
func (s *Session) Settle(passed workload.Session) *Settlement {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	total := s.cost(passed)
	s.book(total)
	cost := quota.Cost{Neurons: max(total-s.booked, 0), Basis: quota.Priced}
	if !s.split { // else the days have parts of it that say nothing of its price
		cost.Table = total
	}
	s.pieces[0].Settle(cost)
	for _, p := range s.pieces[1:] {
		p.Release()
	}
	s.charge.spent(cost)
	return &Settlement{Neurons: s.booked + cost.Neurons, Basis: cost.Basis, Because: Observed}
}
