package minutes

import (
	"sync"
	"sync/atomic"
)

// A ring has a slot for each of the last units of time, of which the newest
// takes the place of the oldest. Only the first who comes to a new unit takes a
// lock. A clock that goes back by more than a whole ring adds to the newer
// unit.
type ring[S any] struct {
	mu    sync.Mutex
	slots []slot[S]
	clear func(*S)
}

type slot[S any] struct {
	unit atomic.Int64 // that s is of, as a number since 1970
	s    S
}

func newRing[S any](size int, clearSlot func(*S)) ring[S] {
	return ring[S]{slots: make([]slot[S], size), clear: clearSlot}
}

// at returns the slot to add to in unit.
func (r *ring[S]) at(unit int64) *S {
	s := &r.slots[unit%int64(len(r.slots))]
	if s.unit.Load() != unit {
		r.turn(s, unit)
	}
	return &s.s
}

func (r *ring[S]) turn(s *slot[S], unit int64) {
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
