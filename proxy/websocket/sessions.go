package websocket

import (
	"sync"

	"github.com/neuronward/neuronward/normalize"
)

// Sessions are those that are open. The zero value is ready for use.
type Sessions struct {
	mu   sync.Mutex
	open map[*Session]struct{}
	why  func() *normalize.Failure // Finish was called with; nil: it was not
}

// Add adds a session until it ends. Once Finish was called, it is finished at once.
func (ss *Sessions) Add(s *Session) {
	ss.mu.Lock()
	if ss.open == nil {
		ss.open = make(map[*Session]struct{})
	}
	ss.open[s] = struct{}{}
	s.ofAll = ss
	why := ss.why
	ss.mu.Unlock()
	if why != nil {
		s.Finish(why())
	}
}

func (ss *Sessions) remove(s *Session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.open, s)
}

// Finish finishes all sessions, and all that come after.
func (ss *Sessions) Finish(why func() *normalize.Failure) {
	ss.mu.Lock()
	all := make([]*Session, 0, len(ss.open))
	for s := range ss.open {
		all = append(all, s)
	}
	ss.why = why
	ss.mu.Unlock()
	for _, s := range all {
		s.Finish(why())
	}
}
