package websocket

import (
	"sync"

	"github.com/neuronward/neuronward/normalize"
)

// Sessions are those that are open. The zero value is ready for use.
type Sessions struct {
	mu    sync.Mutex // taken before that of a Session
	open  map[*Session]struct{}
	ended Status                    // of those that are not open any more
	why   func() *normalize.Failure // Finish was called with; nil: it was not
}

// Status is how many sessions there are and what has passed in all of them, since the process began.
type Status struct {
	Open        int     `json:"open"`
	Limit       int64   `json:"limit"` // of those that are open
	Ended       int64   `json:"ended"`
	Seconds     float64 `json:"sound_seconds"` // of sound that was given to models
	Characters  int64   `json:"characters"`    // that were given to be spoken
	MessagesIn  int64   `json:"messages_in"`   // from apps
	MessagesOut int64   `json:"messages_out"`  // from models
}

// add adds what has passed in one session.
func (st *Status) add(r *Report) {
	st.Seconds += r.Passed.Seconds
	st.Characters += r.Passed.Characters
	st.MessagesIn += r.Messages[FromCaller]
	st.MessagesOut += r.Messages[FromUpstream]
}

// Status returns the present Status, without its limit.
func (ss *Sessions) Status() Status {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	st := ss.ended
	st.Open = len(ss.open)
	for s := range ss.open {
		s.mu.Lock()
		r := s.reportNow()
		s.mu.Unlock()
		st.add(&r)
	}
	return st
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
		go s.Finish(why())
	}
}

// remove takes out a session that has ended.
func (ss *Sessions) remove(s *Session, r *Report) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if _, ok := ss.open[s]; ok {
		delete(ss.open, s)
		ss.ended.Ended++
		ss.ended.add(r)
	}
}

// Finish begins to finish all sessions, and all that come after. It waits for none: upstream may take nothing.
func (ss *Sessions) Finish(why func() *normalize.Failure) {
	ss.mu.Lock()
	all := make([]*Session, 0, len(ss.open))
	for s := range ss.open {
		all = append(all, s)
	}
	ss.why = why
	ss.mu.Unlock()
	for _, s := range all {
		go s.Finish(why())
	}
}
