package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/watch"
)

// A Change says how much of what an operation changed must outlive a crash of the process.
type Change uint8

// The changes, the more important the greater.
const (
	Unchanged  Change = iota
	Deferrable        // which model and client has spent, and when, of what was granted before: it may be written later
	Urgent            // what was granted, given back or spent beyond; the block; external neurons; a lease
)

// A Keeper makes the state of a Store durable. It is called before each operation is answered, one at a time, also
// for one that has changed nothing. If it fails the operation fails, and has changed nothing.
type Keeper func(c Change, saved func() *Saved) error

// Store is a quota.Store in the memory of the process. Several ledgers of one process may share it.
type Store struct {
	now  func() time.Time
	keep Keeper

	mu       sync.Mutex
	state    *state
	watchers watch.Watchers
}

// New returns an empty store that ends with the process; now is its clock, nil stands for time.Now.
func New(now func() time.Time) *Store {
	return NewDurable(&Saved{}, now, func(Change, func() *Saved) error { return nil })
}

// NewDurable returns a store that begins with what was saved, less the days beyond quota.KeepDays, and passes what
// changes to keep.
func NewDurable(saved *Saved, now func() time.Time, keep Keeper) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, keep: keep, state: newState(saved)}
}

// Save passes the present state to write, while no operation is under way.
func (s *Store) Save(write func(*Saved) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return write(s.state.saved())
}

// Sync implements quota.Store.
func (s *Store) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return quota.Reply{}, err
	}
	done, err := s.state.sync(r, s.now())
	if err != nil {
		return quota.Reply{}, err
	}
	if err := s.keep(done.change, s.state.saved); err != nil {
		done.undo()
		return quota.Reply{}, err
	}
	s.state.prune()
	s.watchers.Publish(done.events...)
	return done.reply, nil
}

// History implements quota.Store.
func (s *Store) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.history(from, to), nil
}

// Committed implements quota.Store.
func (s *Store) Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.committed(from, to), nil
}

// Hours implements quota.Store.
func (s *Store) Hours(ctx context.Context, day quota.Day) (quota.Hours, error) {
	if err := ctx.Err(); err != nil {
		return quota.Hours{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.state.days[day]; d != nil {
		return d.hours(), nil
	}
	return quota.Hours{}, nil
}

// Prices implements quota.Store.
func (s *Store) Prices(ctx context.Context, day quota.Day, p quota.DayPrice) (map[quota.Day]quota.DayPrice, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.Since.IsZero() {
		d := s.state.day(day)
		former := d.past.Price
		if p != former && !p.Since.Before(former.Since) {
			d.past.Price, d.saved = p, nil
			if err := s.keep(Deferrable, s.state.saved); err != nil {
				d.past.Price, d.saved = former, nil
				return nil, err
			}
			s.state.prune()
		}
	}
	all := map[quota.Day]quota.DayPrice{}
	for day, d := range s.state.days {
		if d.past.Price != (quota.DayPrice{}) {
			all[day] = d.past.Price
		}
	}
	return all, nil
}

// Lease implements quota.Store.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.lease(name, ttl, s.now()) {
		return false, nil
	}
	if err := s.keep(Urgent, s.state.saved); err != nil {
		delete(s.state.leases, name)
		return false, err
	}
	return true, nil
}

// Watch implements quota.Store.
func (s *Store) Watch(ctx context.Context) (<-chan quota.Event, error) {
	return s.watchers.Add(ctx), nil
}

// Publish implements quota.Store.
func (s *Store) Publish(ctx context.Context, e quota.Event) error {
	s.watchers.Publish(e)
	return ctx.Err()
}
