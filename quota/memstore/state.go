package memstore

import (
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// maxLease is the longest lease.
const maxLease = 24 * time.Hour

// state is what a Store keeps: what each replica last reported, by day and budget, the quota block and the leases.
// Its methods are the operations of a quota.Store without locking and durability. Not safe for concurrent use.
type state struct {
	block  quota.Block
	leases map[string]time.Time // name to end
	days   map[quota.Day]*dayState
}

type dayState struct {
	replicas map[quota.Replica]*replicaState
	external quota.External
	batches  map[string]quota.Batch
	past     SavedDay  // of replicas of former processes, what they held is lost; and the price
	saved    *SavedDay // the sum of all; nil: something changed since it was made
}

// replicaState is what one replica last reported of a day.
type replicaState struct {
	seq     uint64
	granted map[quota.Budget]quota.Neurons // in answer to seq, to give the same answer again
	rows    map[quota.Budget]row
	records map[recordKey]quota.Record
	hours   quota.Hours
	left    bool
	seen    time.Time
}

// row is one replica's part of a budget. What is not in BudgetSum does not outlive the replica.
type row struct {
	BudgetSum
	reserved, waiting quota.Neurons
	month             bool
}

// claimed is what the replica has taken: while it stays the same, calls move neurons from held to spent, and a crash
// loses nothing that is not counted.
func (r row) claimed() quota.Neurons { return r.Spent + r.Held }

func newState(s *Saved) *state {
	st := &state{block: s.Block, leases: map[string]time.Time{}, days: map[quota.Day]*dayState{}}
	maps.Copy(st.leases, s.Leases)
	for _, d := range s.Days {
		st.days[d.Day] = &dayState{replicas: map[quota.Replica]*replicaState{}, external: d.External, past: *d}
		st.days[d.Day].batches = maps.Clone(d.Batches)
	}
	st.prune()
	st.dropHours()
	return st
}

// step is what a sync did.
type step struct {
	reply  quota.Reply
	events []quota.Event
	change Change
	undo   func()
}

// sync applies a report.
func (s *state) sync(r quota.Report, now time.Time) (step, error) {
	day := s.day(r.Day)
	former, known := day.replicas[r.Replica]
	if known && r.Seq < former.seq {
		return step{}, quota.ErrStale
	}
	if known && r.Seq == former.seq {
		former.seen = now
		return step{reply: s.reply(day, former, r, now, false), undo: func() {}}, nil
	}
	block, external := s.block, day.external
	done := step{undo: func() {
		s.block, day.external, day.saved = block, external, nil
		if known {
			day.replicas[r.Replica] = former
		} else {
			delete(day.replicas, r.Replica)
		}
	}}
	me := former.next(r, now)
	day.replicas[r.Replica], day.saved = me, nil
	if len(r.Records) > 0 || len(r.Hours) > 0 {
		done.change = Deferrable
	}
	if day.external = day.external.Later(r.External); day.external != external {
		done.change = Urgent
	}
	if s.applyBlock(r.Block, now); s.block != block {
		done.change = Urgent
		done.events = append(done.events, quota.Event{Kind: quota.BlockChanged, Replica: r.Replica})
	}
	day.applyRequests(me, r, now, &done)
	done.reply = s.reply(day, me, r, now, !known)
	return done, nil
}

// day returns a day, made if need be.
func (s *state) day(d quota.Day) *dayState {
	day := s.days[d]
	if day == nil {
		day = &dayState{replicas: map[quota.Replica]*replicaState{}}
		s.days[d] = day
		s.dropHours()
	}
	return day
}

// keepHours is of how many days hours are kept: today, yesterday, and one that was begun wrongly.
const keepHours = 3

// dropHours forgets the hours of all days but the last ones.
func (s *state) dropHours() {
	all := slices.Sorted(maps.Keys(s.days))
	for _, d := range all[:max(len(all)-keepHours, 0)] {
		day := s.days[d]
		if day.hours() == (quota.Hours{}) {
			continue
		}
		day.past.Hours, day.saved = quota.Hours{}, nil
		for name, replica := range day.replicas {
			without := *replica // undo may need the former one
			without.hours = quota.Hours{}
			day.replicas[name] = &without
		}
	}
}

// next returns the state of a replica after the report r; its receiver is nil if there is none yet. Budgets that are
// not in r stay as they were: the replica may still hold some of them.
func (r *replicaState) next(report quota.Report, now time.Time) *replicaState {
	me := &replicaState{
		seq: report.Seq, left: report.Leave, seen: now, granted: map[quota.Budget]quota.Neurons{},
		rows: make(map[quota.Budget]row, len(report.Requests)), records: map[recordKey]quota.Record{},
	}
	if r != nil {
		maps.Copy(me.rows, r.rows)
		me.records, me.hours = r.records, r.hours
	}
	for _, h := range report.Hours {
		me.hours[h.Hour] = h.Spent
	}
	if len(report.Records) > 0 {
		me.records = maps.Clone(me.records)
		for _, rec := range report.Records {
			me.records[recordKey{rec.Model, rec.Client}] = rec
		}
	}
	return me
}

// applyRequests stores what a replica says of each budget, and grants what it asks for.
func (d *dayState) applyRequests(me *replicaState, r quota.Report, now time.Time, done *step) {
	waits, returned := false, false
	for _, q := range r.Requests {
		old := me.rows[q.Budget]
		changed := row{BudgetSum{q.Limit, q.Spent, q.Held}, q.Reserved, q.Waiting, q.Month}
		me.rows[q.Budget] = changed
		balance := d.balance(q.Budget, q.Limit, r.Replica, now)
		granted := grant(q, balance.Free)
		if granted > 0 {
			changed.Held += granted
			me.granted[q.Budget] = granted
			me.rows[q.Budget] = changed
		}
		switch {
		case changed.claimed() != old.claimed():
			done.change = Urgent
		case changed.Spent != old.Spent:
			done.change = max(done.change, Deferrable)
		}
		returned = returned || balance.Waiting > 0 && changed.Spent+changed.Held < old.Spent+old.Held
		// Repeated with every report that still waits: whoever has something free by then gives it back.
		waits = waits || q.Waiting > 0 && granted < q.Min
	}
	if waits {
		done.events = append(done.events, quota.Event{Kind: quota.NeuronsWanted, Replica: r.Replica})
	}
	if returned {
		done.events = append(done.events, quota.Event{Kind: quota.NeuronsReturned, Replica: r.Replica})
	}
}

// grant is what a request gets of what is free.
func grant(q quota.BudgetRequest, free quota.Neurons) quota.Neurons {
	if q.Want <= 0 || q.Limit <= 0 || free <= 0 || free < q.Min {
		return 0
	}
	return min(q.Want, free)
}

func (s *state) applyBlock(c quota.BlockChange, now time.Time) {
	switch {
	case c.Set.Set:
		s.block = c.Set
		if s.block.At.IsZero() {
			s.block.At = now
		}
	case c.Lift:
		s.block = quota.Block{}
	}
}

// reply builds the answer to a report that was applied.
func (s *state) reply(day *dayState, me *replicaState, r quota.Report, now time.Time, joined bool) quota.Reply {
	reply := quota.Reply{
		Granted: make([]quota.Neurons, len(r.Requests)), Balances: make([]quota.Balance, len(r.Requests)),
		Block: s.block, External: day.external, Time: now, Joined: joined,
	}
	for i, q := range r.Requests {
		reply.Granted[i] = me.granted[q.Budget]
		reply.Balances[i] = day.balance(q.Budget, q.Limit, r.Replica, now)
	}
	for _, other := range day.replicas {
		if other.alive(now) {
			reply.Replicas++
		}
	}
	return reply
}

func (r *replicaState) alive(now time.Time) bool {
	return !r.left && now.Sub(r.seen) < quota.ReplicaTimeout
}

// balance sums a budget up. Waiting leaves out what asking itself waits for.
func (d *dayState) balance(b quota.Budget, limit quota.Neurons, asking quota.Replica, now time.Time) quota.Balance {
	past := d.past.Budgets[b]
	sum := quota.Balance{Limit: limit, Spent: past.Spent, Lost: past.Held}
	for name, replica := range d.replicas {
		row, ok := replica.rows[b]
		if !ok {
			continue
		}
		sum.Spent += row.Spent
		if !replica.alive(now) {
			sum.Lost += row.Held
			continue
		}
		sum.Held += row.Held
		sum.Reserved += row.reserved
		if name != asking {
			sum.Waiting += row.waiting
			if row.month {
				sum.Limit = min(sum.Limit, row.Limit)
			}
		}
	}
	if limit > 0 {
		sum.Free = sum.Limit - sum.Spent - sum.Held - sum.Lost
		if b == quota.Account {
			sum.Free -= less(d.external, sum.Lost)
		}
	}
	return sum
}

// less is how much less may be granted for e, of which lost is lost.
func less(e quota.External, lost quota.Neurons) quota.Neurons { return e.Spent - min(e.Released, lost) }

// lease is quota.Store.Lease.
func (s *state) lease(name string, ttl time.Duration, now time.Time) bool {
	for n, end := range s.leases {
		// An end that is further off than it can have been asked for comes from a clock that was wrong.
		if !now.Before(end) || end.Sub(now) > maxLease {
			delete(s.leases, n)
		}
	}
	if _, taken := s.leases[name]; taken {
		return false
	}
	s.leases[name] = now.Add(min(ttl, maxLease))
	return true
}

// prune keeps the last quota.KeepDays days that were written, whatever their dates: a clock that was far ahead for a
// moment must not cost the rest.
func (s *state) prune() {
	for len(s.days) > quota.KeepDays {
		delete(s.days, slices.Min(slices.Collect(maps.Keys(s.days))))
	}
}
