package websocket

import (
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// closedBy notes a close frame. The other side has as long to answer it as upstream has to finish.
func (s *Session) closedBy(direction, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Closed[direction] = code
	s.cutLater(s.o.Finish)
	if direction == FromCaller && !s.closing[FromCaller] {
		close(s.answered)
	}
	s.closing[direction] = true
	if direction == FromUpstream && s.over.IsZero() {
		s.over = time.Now()
	}
}

// Finish ends the session in order: nothing more is taken of the caller, upstream is asked to finish, and what it sends
// within Options.Finish is passed. Then the caller is told why, by a close code and the name of the failure. The first
// reason counts.
func (s *Session) Finish(f *normalize.Failure) {
	code := ClosePolicy
	if f.Code == normalize.ShuttingDown {
		code = CloseGoingAway
	}
	s.mu.Lock()
	done := !s.endFor(code, f)
	if !done {
		s.cutLater(s.o.Finish)
	}
	s.mu.Unlock()
	if !done && s.sending.TryLock() { // else who holds it asks, behind what is being sent
		defer s.sending.Unlock()
		s.ask()
	}
}

// fail ends the session at once: the caller is told why, and that is all.
func (s *Session) fail(code int, f *normalize.Failure) {
	s.mu.Lock()
	s.endFor(code, f)
	s.mu.Unlock()
	s.cut()
}

// endFor notes why the session ends, and reports whether it was not ending yet, by a side's own close frame either;
// s.mu is held.
func (s *Session) endFor(code int, f *normalize.Failure) bool {
	if s.ending != nil || s.closed || s.closing[FromCaller] || s.closing[FromUpstream] {
		return false
	}
	s.ending = &Ending{code, f}
	close(s.ended)
	return true
}

// isEnding reports whether the session was ended from here.
func (s *Session) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending != nil
}

// cutLater has the connection to upstream cut; s.mu is held.
func (s *Session) cutLater(after time.Duration) {
	if s.cutting == nil && !s.closed {
		s.cutting = time.AfterFunc(after, s.cut)
	}
}

// cut cuts the connection to upstream, by which the session is concluded. A caller who does not read cannot hold that
// up.
func (s *Session) cut() {
	s.up.Close() //nolint:errcheck // it may be closed already
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.caller != nil {
		_ = s.caller.SetWriteDeadline(time.Now().Add(lingerTime))
	}
}
