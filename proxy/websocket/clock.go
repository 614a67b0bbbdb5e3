package websocket

import (
	"context"
	"errors"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	// tickEvery is how often the clock of a session is looked at.
	tickEvery = time.Second

	// edge is how long before the end of a day what has passed is booked on it.
	edge = 50 * time.Millisecond

	// finishing is how many seconds of sound are kept for the end of a session.
	finishing = 4
)

// halfway is what must be reserved beyond what has passed, or more is; atEnd is what must be, or the session ends.
func (s *Session) halfway(passed workload.Session) workload.Session {
	passed.Seconds += s.o.Ahead.Seconds / 2
	passed.Characters += s.o.Ahead.Characters / 2
	return passed
}

// last is what is reserved ahead when there is no room for more.
func last() workload.Session { return workload.Session{Seconds: 2 * finishing} }

func atEnd(passed workload.Session) workload.Session {
	passed.Seconds += finishing
	return passed
}

// pay counts what is about to pass, as soon as it is covered. It reports false if it must not pass: the session is
// ending, and no frame of it is under way.
func (s *Session) pay(sound, characters int64) bool {
	for {
		s.mu.Lock()
		next, now := s.passed, time.Now()
		next.sound += sound
		next.characters += characters
		if sound > 0 && next.first.IsZero() {
			next.first = now
		}
		before := s.passed
		s.passed = next
		after := s.soFar(now)
		s.passed = before
		ending := s.ending != nil
		over := s.closed || !s.over.IsZero() && sound+characters > 0 // upstream listens no longer
		s.mu.Unlock()
		charge := s.o.Charge
		switch {
		case over:
			return false
		case ending && (!s.upload.at.frame || charge != nil && !charge.Covers(after)):
			return false
		case ending, charge == nil, charge.Covers(atEnd(after)):
			s.count(sound, characters, now)
			return true
		}
		s.renewNow(after)
	}
}

// count counts what passes.
func (s *Session) count(sound, characters int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed.sound += sound
	s.passed.characters += characters
	if sound > 0 && s.passed.first.IsZero() {
		s.passed.first = now
	}
}

// renewNow reserves what the next bytes need, or ends the session.
func (s *Session) renewNow(passed workload.Session) {
	select {
	case s.renewal <- struct{}{}:
		defer func() { <-s.renewal }()
	case <-s.ended:
		return
	case <-s.ctx.Done():
		return
	}
	if s.o.Charge.Covers(atEnd(passed)) { // by what another one has reserved meanwhile
		return
	}
	if s.o.Charge.Renew(s.ctx, passed, s.o.Ahead) != nil {
		s.refuse(s.o.Charge.Renew(s.ctx, passed, last()))
	}
}

// renewSoon reserves ahead while the session goes on. ends says that it ends if no more can be reserved: that must not
// take long then.
func (s *Session) renewSoon(passed workload.Session, ends bool) {
	select {
	case s.renewal <- struct{}{}:
	default:
		return
	}
	go func() {
		defer s.rescue()
		defer func() { <-s.renewal }()
		ctx, ahead := s.ctx, s.o.Ahead
		if ends {
			short, cancel := context.WithTimeout(ctx, tickEvery)
			defer cancel()
			ctx, ahead = short, last()
		}
		err := s.o.Charge.Renew(ctx, passed, ahead)
		s.mu.Lock()
		before := s.refused
		s.refused = err
		s.mu.Unlock()
		if ends {
			if errors.Is(err, context.DeadlineExceeded) {
				err = before
			}
			s.refuse(err)
		}
	}()
}

// refuse ends the session if more could not be reserved.
func (s *Session) refuse(err error) {
	if f, ok := errors.AsType[*normalize.Failure](err); ok {
		s.Finish(f)
	}
}

// tick looks at the clock.
func (s *Session) tick() {
	defer s.rescue()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	now := time.Now()
	passed, refused, ending := s.soFar(now), s.refused != nil, s.ending != nil
	why := s.tooLong(now)
	s.mu.Unlock()
	if why != "" && !ending {
		s.Finish(&normalize.Failure{
			Code: normalize.Timeout, Message: why, Origin: normalize.OriginProxy, Fault: normalize.FaultCaller,
			MatchedBy: normalize.MatchedTransport,
		})
	}
	next := tickEvery
	if charge := s.o.Charge; charge != nil {
		next = s.bookDay(charge, passed)
		switch {
		case ending, charge.Covers(s.halfway(passed)):
		case !refused:
			s.renewSoon(passed, false)
		case !charge.Covers(atEnd(passed)):
			s.renewSoon(passed, true)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.timer.Reset(next)
	}
}

// tooLong says which time limit is over, "" where none is; s.mu is held.
func (s *Session) tooLong(now time.Time) string {
	switch {
	case now.Sub(s.began) > s.o.Total:
		return "The session has lasted for {SESSION_TIMEOUT}, the longest that it may."
	case now.Sub(s.last) > s.o.Idle:
		return "Nothing has come from either side for {STREAM_IDLE_TIMEOUT}."
	}
	for _, since := range s.writing {
		if !since.IsZero() && now.Sub(since) > s.o.Stalled {
			return "One side has taken nothing for " + s.o.Stalled.String() + "."
		}
	}
	return ""
}

// bookDay books what has passed right before the day ends, and returns when the clock is to be looked at again.
func (s *Session) bookDay(charge Charge, passed workload.Session) time.Duration {
	left := charge.UntilReset()
	if left > edge {
		s.split = false
		return min(tickEvery, left-edge/2)
	}
	if !s.split {
		charge.Split(passed)
		s.split = true
	}
	return tickEvery
}
