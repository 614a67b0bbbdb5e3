package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// Replicas whose clocks differ begin the day one after the other. None takes the other for dead meanwhile: both would
// have the whole of a shared limit.
func TestReplicasWithDifferentClocksStayTwoAtMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const off = 2900 * time.Millisecond
		store := memstore.New(nil)
		clock := func(off time.Duration) func() time.Time {
			return func() time.Time { return time.Now().Add(off) }
		}
		time.Sleep(23 * time.Hour)
		ahead := open(t, quota.Options{Store: store, Now: clock(off)})
		behind := open(t, quota.Options{Store: store, Now: clock(-off)})
		midnight := time.Now().Add(time.Hour)
		time.Sleep(time.Until(midnight.Add(-time.Minute)))
		for time.Now().Before(midnight.Add(time.Minute)) {
			if a, b := ahead.Snapshot().Replicas, behind.Snapshot().Replicas; a != 2 || b != 2 {
				t.Fatalf("%v after midnight: the one ahead got %d replicas, the one behind %d, want 2",
					time.Since(midnight), a, b)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if err := behind.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		equal(t, "replicas when the other one has left", ahead.Snapshot().Replicas, 1)
	})
}
