package breaker

import (
	"strconv"
	"testing"
	"time"
)

// A model of which one call in four still finds capacity is not shut off.
func TestBreakerStaysClosedWhileSomeSucceed(t *testing.T) {
	var s Set
	now := time.Now()
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
