package quota

import (
	"context"
	"sync"
	"time"
)

// KeepDays is how many days a store keeps.
const KeepDays = 35

// Memory is a Store that lives and dies with the process. Several ledgers of
// one process may share it.
type Memory struct {
	now func() time.Time

	mu       sync.Mutex
	books    *Books
	watchers Watchers
}

// NewMemory returns an empty store; now is its clock, nil stands for time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, books: NewBooks()}
}

// Sync implements Store.
func (m *Memory) Sync(ctx context.Context, r Report) (Reply, error) {
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, events, _, err := m.books.Exchange(r, m.now())
	m.books.Prune(KeepDays)
	m.watchers.Publish(events...)
	return s, err
}

// History implements Store.
func (m *Memory) History(ctx context.Context, from, to Day) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.books.History(from, to), nil
}

// Hours implements Store.
func (m *Memory) Hours(ctx context.Context, day Day) (Hours, error) {
	if err := ctx.Err(); err != nil {
		return Hours{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.books.Hours(day), nil
}

// Lease implements Store.
func (m *Memory) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.books.Lease(name, ttl, m.now()), nil
}

// Watch implements Store.
func (m *Memory) Watch(ctx context.Context) (<-chan Event, error) {
	return m.watchers.Add(ctx), nil
}

// Publish implements Store.
func (m *Memory) Publish(ctx context.Context, e Event) error {
	m.watchers.Publish(e)
	return ctx.Err()
}

// Watchers passes events to those who watch a store within this process. The
// zero value has none.
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
	if len(events) == 0 {
		return
	}
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
