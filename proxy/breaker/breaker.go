package breaker

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A model's breaker opens when, within tallyPeriod, calls have failed for at least MinPeriod and MinFailures times, and
// no more than one call in maxSuccessShare succeeded. A burst of failures alone does not open it.
const (
	MinPeriod       = 2 * time.Second
	MinFailures     = 25
	tallyPeriod     = 30 * time.Second
	maxSuccessShare = 10
)

// While a breaker is open, one call is let through after a pause. The pause doubles with each trial that fails.
const (
	MinPause = time.Second
	MaxPause = 10 * time.Second
)

// MaxModels bounds how many models a Set watches.
const MaxModels = 1000

// A Set is one breaker for each model, closed at first. The zero value is ready for use.
//
// While a breaker is open, callers are answered at once, and a trickle of calls finds out when there is capacity again.
type Set struct {
	watched atomic.Int64 // len(models); while it is 0, nothing is locked
	mu      sync.Mutex
	models  map[string]*breaker
}

type breaker struct {
	since               time.Time // when the present tally began
	failures, successes int
	opened              time.Time // zero: it is closed
	next                time.Time // when the next trial may go
	pause               time.Duration
}

func (m *breaker) isOpen() bool { return !m.opened.IsZero() }

// open opens the breaker.
func (m *breaker) open(now time.Time) {
	m.opened, m.pause = now, MinPause
	m.next = now.Add(m.pause)
}

// age begins a new tally if the present one is old.
func (m *breaker) age(now time.Time) {
	if now.Sub(m.since) >= tallyPeriod {
		m.since, m.failures, m.successes = now, 0, 0
	}
}

// Allow reports whether a call of the model may be sent, and if not, after which time one may. With send, the call is
// sent next if it may be: it is then the trial of an open breaker, and no other is allowed until the pause has passed.
func (s *Set) Allow(model string, now time.Time, send bool) (wait time.Duration, ok bool) {
	if s.watched.Load() == 0 {
		return 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[model]
	if m == nil || !m.isOpen() {
		return 0, true
	}
	if wait := m.next.Sub(now); wait > 0 {
		return wait, false
	}
	if send {
		m.next = now.Add(m.pause) // if the trial ends without a result, another follows
	}
	return 0, true
}

// IsOpen reports whether the model's breaker is open.
func (s *Set) IsOpen(model string) bool {
	if s.watched.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[model]
	return m != nil && m.isOpen()
}

// Failed records that Workers AI had no capacity for a call of the model. It reports whether the model's breaker is
// open, and whether this call opened it.
func (s *Set) Failed(model string, now time.Time) (open, opened bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.watch(model, now)
	if m == nil {
		return false, false
	}
	if m.isOpen() {
		m.pause = min(2*m.pause, MaxPause)
		m.next = now.Add(m.pause)
		return true, false
	}
	m.age(now)
	m.failures++
	if m.failures < MinFailures || now.Sub(m.since) < MinPeriod ||
		m.successes*maxSuccessShare > m.failures+m.successes {
		return false, false
	}
	m.open(now)
	return true, true
}

// Succeeded records that a call of the model which was sent at the time sent succeeded, and reports whether this closed
// the model's breaker. A call that was sent before the breaker opened does not.
func (s *Set) Succeeded(model string, sent, now time.Time) (closed bool) {
	if s.watched.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[model]
	switch {
	case m == nil, m.isOpen() && !sent.After(m.opened):
		return false
	case m.isOpen():
		s.unwatch(model)
		return true
	}
	m.age(now)
	m.successes++
	if m.failures == 0 {
		s.unwatch(model)
	}
	return false
}

// RemoteOpen opens the model's breaker because another replica has opened its own, and reports whether it was closed.
// It then has trials of its own.
func (s *Set) RemoteOpen(model string, now time.Time) (opened bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.watch(model, now)
	if m == nil || m.isOpen() {
		return false
	}
	m.open(now)
	return true
}

// RemoteClosed closes the model's breaker because another replica has closed its own, and reports whether it was open.
func (s *Set) RemoteClosed(model string) (closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[model]
	if m == nil || !m.isOpen() {
		return false
	}
	s.unwatch(model)
	return true
}

// watch returns the breaker of model, which it makes if there is none, or nil if there are too many.
func (s *Set) watch(model string, now time.Time) *breaker {
	if m := s.models[model]; m != nil {
		return m
	}
	if len(s.models) >= MaxModels {
		maps.DeleteFunc(s.models, func(_ string, m *breaker) bool { // those without news
			return now.Sub(m.since) >= tallyPeriod && now.Sub(m.next) >= tallyPeriod
		})
	}
	if len(s.models) >= MaxModels {
		return nil
	}
	if s.models == nil {
		s.models = make(map[string]*breaker)
	}
	m := &breaker{since: now}
	s.models[model] = m
	s.watched.Store(int64(len(s.models)))
	return m
}

// unwatch forgets the breaker of model, which closes it.
func (s *Set) unwatch(model string) {
	delete(s.models, model)
	s.watched.Store(int64(len(s.models)))
}

// A Status is one open breaker, for /status.
type Status struct {
	Model     string    `json:"model"`
	NextTrial time.Time `json:"next_trial"` // when a call is let through to see
}

// Status returns the open breakers by model. It is never nil.
func (s *Set) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Status{}
	for model, m := range s.models {
		if m.isOpen() {
			list = append(list, Status{Model: model, NextTrial: m.next.UTC().Truncate(time.Millisecond)})
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Model, b.Model) })
	return list
}
