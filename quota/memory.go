package quota

import (
	"context"
	"sync"
	"time"
)

// KeepDays is how many days a store keeps: the present month and the one before, whatever their lengths.
const KeepDays = 62

// A Change says how much of what an operation changed must outlive a crash of the process.
type Change uint8

// The changes, the more important the greater.
const (
	Unchanged  Change = iota
	Deferrable        // which model and client has spent, and when, of what was granted before: it may be written later
	Urgent            // what was granted, given back or spent beyond; the block; external neurons; a lease
)

// A Keeper makes the state of a Memory durable. It is called before each operation is answered, one at a time, also
// for one that has changed nothing. If it fails the operation fails, and has changed nothing.
type Keeper func(c Change, saved func() *Saved) error

// Memory is a Store in the memory of the process. Several ledgers of one process may share it.
type Memory struct {
	now  func() time.Time
	keep Keeper

	mu       sync.Mutex
	state    *state
	watchers Watchers
}

// NewMemory returns an empty store that ends with the process; now is its clock, nil stands for time.Now.
func NewMemory(now func() time.Time) *Memory {
	return NewDurable(&Saved{}, now, func(Change, func() *Saved) error { return nil })
}

// NewDurable returns a store that begins with what was saved, less the days beyond KeepDays, and passes what changes
// to keep.
func NewDurable(saved *Saved, now func() time.Time, keep Keeper) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, keep: keep, state: newState(saved)}
}

// Save passes the present state to write, while no operation is under way.
func (m *Memory) Save(write func(*Saved) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return write(m.state.saved())
}

// Sync implements Store.
func (m *Memory) Sync(ctx context.Context, r Report) (Reply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	done, err := m.state.sync(r, m.now())
	if err != nil {
		return Reply{}, err
	}
	if err := m.keep(done.change, m.state.saved); err != nil {
		done.undo()
		return Reply{}, err
	}
	m.state.prune()
	m.watchers.Publish(done.events...)
	return done.reply, nil
}

// History implements Store.
func (m *Memory) History(ctx context.Context, from, to Day) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.history(from, to), nil
}

// Committed implements Store.
func (m *Memory) Committed(ctx context.Context, from, to Day) (map[Budget]Neurons, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.committed(from, to), nil
}

// Hours implements Store.
func (m *Memory) Hours(ctx context.Context, day Day) (Hours, error) {
	if err := ctx.Err(); err != nil {
		return Hours{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.state.days[day]; d != nil {
		return d.hours(), nil
	}
	return Hours{}, nil
}

// Lease implements Store.
func (m *Memory) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.state.lease(name, ttl, m.now()) {
		return false, nil
	}
	if err := m.keep(Urgent, m.state.saved); err != nil {
		delete(m.state.leases, name)
		return false, err
	}
	return true, nil
}

// Watch implements Store.
func (m *Memory) Watch(ctx context.Context) (<-chan Event, error) { return m.watchers.Add(ctx), nil }

// Publish implements Store.
func (m *Memory) Publish(ctx context.Context, e Event) error {
	m.watchers.Publish(e)
	return ctx.Err()
}

// Watchers passes events to those who watch a store within this process. The zero value has none.
type Watchers struct {
	mu  sync.Mutex
	all map[chan Event]struct{}
}

// Add returns a channel of the events from now on. It is closed when ctx ends.
func (w *Watchers) Add(ctx context.Context) <-chan Event {
	c := make(chan Event, 16)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan Event]struct{}{}
	}
	w.all[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
		close(c)
	})
	return c
}

// Publish passes the events on. Whoever has not read the former ones misses them.
func (w *Watchers) Publish(events ...Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		for _, e := range events {
			select {
			case c <- e:
			default:
			}
		}
	}
}
