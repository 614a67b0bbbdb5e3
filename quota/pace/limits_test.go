package pace

import (
	"strconv"
	"testing"

	"github.com/neuronward/neuronward/quota/workload"
)

// Where there are too many limits, a model with one of its own shares its task's,
// and passes where the task has none.
func TestLimiterWithTooManyLimits(t *testing.T) {
	p := New(Table{})
	for i := range maxLimits {
		key := limitKey{clientLimit, strconv.Itoa(i), 60}
		p.limits[key] = p.newLimit(key, "")
	}
	for _, key := range []Key{
		{Task: workload.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true},
		{Task: workload.TextToSpeech, Model: "@cf/a/paid", PaidOnly: true, Client: "a", ClientLimit: 60},
	} {
		if d, err := p.Acquire(t.Context(), key, 0); !d.OK || err != nil {
			t.Errorf("%+v: got %+v, %v, want it passed", key, d, err)
		}
	}
	if len(p.limits) > maxLimits+1 {
		t.Errorf("limits: got %d, want at most %d", len(p.limits), maxLimits+1)
	}
}
