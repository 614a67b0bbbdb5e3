package pace

import (
	"github.com/neuronward/neuronward/quota"

	"strconv"
	"testing"
	"time"
)

// A call that has found its limit and one that drops it as idle: the call must
// look again, or two buckets of one limit would be spent.
func TestPaceDropsALimitThatACallHasFound(t *testing.T) {
	p := New(Table{})
	key := Key{Task: quota.TextGeneration, Model: "@cf/a/b", Client: "a", ClientLimit: 60}
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

// Where there are too many limits, a model with one of its own shares its task's,
// and passes where the task has none.
func TestPaceWithTooManyLimits(t *testing.T) {
	p := New(Table{})
	full := make(map[laneKey]*lane)
	for i := range mostLanes {
		key := laneKey{laneOfClient, strconv.Itoa(i), 60}
		full[key] = newLane(key, "", 1, 1, time.Time{})
	}
	p.lanes.Store(newLaneSet(full))
	for _, key := range []Key{
		{Task: quota.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true},
		{Task: quota.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true, Client: "a", ClientLimit: 60},
	} {
		if d, err := p.Acquire(t.Context(), key, 0); !d.OK || err != nil {
			t.Errorf("%+v: %+v, %v", key, d, err)
		}
	}
	if len(p.lanes.Load().byKey) > mostLanes+1 {
		t.Errorf("%d limits are kept", len(p.lanes.Load().byKey))
	}
}
