package quota

import (
	"testing"
	"time"
)

// A call that has found its limit and one that drops it as idle: the call must
// look again, or two buckets of one limit would be spent.
func TestPaceDropsALimitThatACallHasFound(t *testing.T) {
	p := NewPace(RateLimits{})
	key := PaceKey{Task: TextGeneration, Model: "@cf/a/b", Client: "a", ClientLimit: 60}
	found := p.way(&key)
	later := time.Now().Add(time.Hour)
	p.sweep(later)
	if found.lock(later) {
		t.Error("locked what is dropped")
	}
	again := p.way(&key)
	if again.lanes[0] == found.lanes[0] || !again.lock(later) {
		t.Error("did not find another")
	}
}
