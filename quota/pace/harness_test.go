package pace_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// virtually runs f in virtual time, on one processor: the race detector of Go
// 1.26 crashes when two processors fire timers of one bubble at once.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

const pacedModel = "@cf/paced/model"

// paced returns a Pace that gives pacedModel perMinute, and its key.
func paced(t *testing.T, perMinute int) (*pace.Limiter, pace.Key) {
	t.Helper()
	limits, err := pace.ParseTable(fmt.Sprintf("%s=%d", pacedModel, perMinute))
	if err != nil {
		t.Fatal(err)
	}
	return pace.New(limits), pace.Key{Task: workload.TextGeneration, Model: pacedModel}
}

// drain makes calls until one is refused and returns how many passed.
func drain(t *testing.T, p *pace.Limiter, key pace.Key) (passed int) {
	t.Helper()
	for {
		d, err := p.Acquire(t.Context(), key, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !d.OK {
			return passed
		}
		passed++
	}
}

// queued is a call that may wait.
type queued struct {
	d    pace.Decision
	err  error
	at   time.Duration // since the start, when it was decided; 0: not yet
	done bool
}

// queueUp makes a call in a goroutine of its own and returns once it is decided
// or waits.
func queueUp(ctx context.Context, p *pace.Limiter, key pace.Key, maxWait time.Duration, started time.Time) *queued {
	q := &queued{}
	go func() {
		q.d, q.err = p.Acquire(ctx, key, maxWait)
		q.at, q.done = time.Since(started), true
	}()
	synctest.Wait()
	return q
}

// wantPass fails the test unless q passed at the time at.
func wantPass(t *testing.T, name string, q *queued, at time.Duration) {
	t.Helper()
	if !q.done {
		t.Errorf("%s: got a call that still waits, want it passed at %v", name, at)
	} else if !q.d.OK || (q.at-at).Abs() > time.Microsecond {
		t.Errorf("%s: got OK %v at %v, want true at %v", name, q.d.OK, q.at, at)
	}
}

// wantRefusedAtOnce fails the test unless q was refused without a wait.
func wantRefusedAtOnce(t *testing.T, name string, q *queued) {
	t.Helper()
	if !q.done {
		t.Errorf("%s: got a call that waits, want it refused at once", name)
	} else if q.d.OK || q.at != 0 {
		t.Errorf("%s: got OK %v at %v, want false at 0s", name, q.d.OK, q.at)
	}
}

// busiest returns how many of the times lie within one window at most, both ends
// of it included.
func busiest(times []time.Duration, window time.Duration) (count int) {
	slices.Sort(times)
	first := 0
	for i, at := range times {
		for at-times[first] > window {
			first++
		}
		count = max(count, i-first+1)
	}
	return count
}

// paceOf returns the pace at which a model stands, as shown; 0 where it is not
// shown.
func paceOf(p *pace.Limiter, model string) float64 {
	for _, s := range p.Snapshot(time.Now()) {
		if s.Model == model {
			return s.Pace
		}
	}
	return 0
}
