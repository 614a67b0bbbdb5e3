package minutes

import (
	"sync"
	"sync/atomic"
)

// A ring has a slot for each of the last units of time (minutes, say); a new unit reuses the slot of the oldest. Only
// the first write in a new unit takes the lock, to clear the slot. When the clock goes back by more than a whole ring,
// writes are added to the newer unit.
type ring[S any] struct {
	mu    sync.Mutex
	slots []slot[S]
	clear func(*S)
}

type slot[S any] struct {
	unit atomic.Int64 // which one s holds, counted since 1970
	s    S
}

func newRing[S any](size int, clearSlot func(*S)) ring[S] {
	return ring[S]{slots: make([]slot[S], size), clear: clearSlot}
}

// at returns the slot to add to in unit.
func (r *ring[S]) at(unit int64) *S {
	s := &r.slots[unit%int64(len(r.slots))]
	if s.unit.Load() != unit {
		r.advance(s, unit)
	}
	return &s.s
}

// advance clears s for a newer unit.
func (r *ring[S]) advance(s *slot[S], unit int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.unit.Load() < unit {
		r.clear(&s.s)
		s.unit.Store(unit)
	}
}

// of returns the slot of unit, or nil where nothing was added in it.
func (r *ring[S]) of(unit int64) *S {
	s := &r.slots[unit%int64(len(r.slots))]
	if s.unit.Load() != unit {
		return nil
	}
	return &s.s
}
