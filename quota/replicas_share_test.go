package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Holders whose clocks differ begin the day one after the other. None takes the
// other for gone meanwhile: both would have the whole of a shared limit.
func TestHoldersWithDifferentClocksStayTwoAtMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const off = 2900 * time.Millisecond
		store := quota.NewMemory(nil)
		clock := func(off time.Duration) func() time.Time {
			return func() time.Time { return time.Now().Add(off) }
		}
		time.Sleep(23 * time.Hour)
		ahead, behind := open(t, quota.Options{Store: store, Now: clock(off)}), open(t, quota.Options{Store: store, Now: clock(-off)})
		midnight := time.Now().Add(time.Hour)
		time.Sleep(time.Until(midnight.Add(-time.Minute)))
		for time.Now().Before(midnight.Add(time.Minute)) {
			if a, b := ahead.Snapshot().Replicas, behind.Snapshot().Replicas; a != 2 || b != 2 {
				t.Fatalf("%v after midnight: the one ahead knows of %d, the one behind of %d", time.Since(midnight), a, b)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if err := behind.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if a := ahead.Snapshot().Replicas; a != 1 {
			t.Errorf("%d when the other one has left", a)
		}
	})
}
