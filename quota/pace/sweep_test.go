package pace

import (
	"strconv"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Where there are too many limits, a model with one of its own shares its task's,
// and passes where the task has none.
func TestPaceWithTooManyLimits(t *testing.T) {
	p := New(Table{})
	for i := range mostLanes {
		key := laneKey{laneOfClient, strconv.Itoa(i), 60}
		p.lanes[key] = newLane(&p.mu, key, "", 1, 1, time.Time{})
	}
	for _, key := range []Key{
		{Task: quota.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true},
		{Task: quota.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true, Client: "a", ClientLimit: 60},
	} {
		if d, err := p.Acquire(t.Context(), key, 0); !d.OK || err != nil {
			t.Errorf("%+v: %+v, %v", key, d, err)
		}
	}
	if len(p.lanes) > mostLanes+1 {
		t.Errorf("%d limits are kept", len(p.lanes))
	}
}
