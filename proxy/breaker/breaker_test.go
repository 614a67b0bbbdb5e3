package breaker

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// opened returns a Set whose breaker of m opened at start.
func opened(t *testing.T) *Set {
	t.Helper()
	var s Set
	if !s.RemoteOpen("m", start) {
		t.Fatal("got a breaker that was open already, want a closed one")
	}
	return &s
}

func TestOpens(t *testing.T) {
	for _, c := range []struct {
		name                string
		failures, successes int
		period              time.Duration
		want                bool
	}{
		{"often enough and for long enough", MinFailures, 0, MinPeriod, true},
		{"too few failures", MinFailures - 1, 0, MinPeriod, false},
		{"a burst of failures", 10 * MinFailures, 0, MinPeriod - 1, false},
		{"one success in ten", 9 * MinFailures, MinFailures, MinPeriod, true},
		{"more successes than that", 9 * MinFailures, MinFailures + 1, MinPeriod, false},
		{"a tally that is old", MinFailures, 0, tallyPeriod, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Set
			for range c.failures - 1 {
				s.Failed("m", start)
			}
			for range c.successes {
				s.Succeeded("m", start, start)
			}
			open, opened := s.Failed("m", start.Add(c.period))
			if open != c.want || opened != c.want {
				t.Errorf("got open %v and opened %v, want %v", open, opened, c.want)
			}
			if got := s.IsOpen("m"); got != c.want {
				t.Errorf("IsOpen: got %v, want %v", got, c.want)
			}
			if s.IsOpen("other") {
				t.Error("another model: got an open breaker, want a closed one")
			}
		})
	}
}

// One call is let through after a pause, which doubles with each that fails.
func TestTrials(t *testing.T) {
	s, now := opened(t), start
	for _, seconds := range []int{1, 2, 4, 8, 10, 10} {
		pause := time.Duration(seconds) * time.Second
		if wait, ok := s.Allow("m", now, true); ok || wait != pause {
			t.Errorf("got %v and a wait of %v, want a refusal and %v", ok, wait, pause)
		}
		now = now.Add(pause)
		if _, ok := s.Allow("m", now, false); !ok {
			t.Errorf("after %v: got a refusal, want a trial", pause)
		}
		if _, ok := s.Allow("m", now, true); !ok {
			t.Errorf("after %v, sent: got a refusal, want a trial", pause)
		}
		if _, ok := s.Allow("m", now, true); ok {
			t.Errorf("after %v, again: got a second trial, want one", pause)
		}
		s.Failed("m", now)
	}
}

func TestCloses(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(s *Set) bool
		want bool
	}{
		{"a call that was sent since", func(s *Set) bool { return s.Succeeded("m", start.Add(1), start.Add(1)) }, true},
		{"a call that was sent before", func(s *Set) bool { return s.Succeeded("m", start, start.Add(1)) }, false},
		{"a call of another model", func(s *Set) bool { return s.Succeeded("n", start.Add(1), start.Add(1)) }, false},
		{"another replica", func(s *Set) bool { return s.RemoteClosed("m") }, true},
		{"another replica's other model", func(s *Set) bool { return s.RemoteClosed("n") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := opened(t)
			if got := c.does(s); got != c.want {
				t.Errorf("closed: got %v, want %v", got, c.want)
			}
			if got := !s.IsOpen("m"); got != c.want {
				t.Errorf("closed afterwards: got %v, want %v", got, c.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	s := opened(t)
	s.RemoteOpen("a", start.Add(time.Second+time.Microsecond))
	s.Failed("closed", start)
	want := []Status{{"a", start.Add(2 * time.Second)}, {"m", start.Add(time.Second)}}
	if got := s.Status(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A model of which one call in four still finds capacity is not shut off.
func TestStaysClosedWhileSomeSucceed(t *testing.T) {
	var s Set
	now := start
	for i := range 1000 {
		if _, ok := s.Allow("m", now, true); !ok {
			t.Fatalf("got an open breaker after %d calls, want it closed", i)
		}
		if i%4 == 0 {
			s.Succeeded("m", now, now)
		} else {
			s.Failed("m", now)
		}
		now = now.Add(50 * time.Millisecond)
	}
	for range MaxModels + 10 {
		s.Failed(strconv.Itoa(len(s.models)), now)
	}
	if n := len(s.models); n > MaxModels {
		t.Errorf("got %d models remembered, want at most %d", n, MaxModels)
	}
}
