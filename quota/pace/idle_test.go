package pace_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestLimiterDropsIdleLimits(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		drain(t, p, key)
		p.Throttled(key, time.Now())
		time.Sleep(2 * time.Minute)
		if n := len(p.Snapshot(time.Now())); n != 1 {
			t.Errorf("limits while it recovers: got %d, want 1", n)
		}
		time.Sleep(time.Minute)
		p.Snapshot(time.Now()) // recovered; now the bucket fills up to its old size
		time.Sleep(2*time.Minute - 1)
		if n := len(p.Snapshot(time.Now())); n != 1 {
			t.Errorf("limits less than five minutes after the last call: got %d, want 1", n)
		}
		time.Sleep(time.Nanosecond)
		if n := len(p.Snapshot(time.Now())); n != 0 {
			t.Errorf("limits five minutes after the last call: got %d, want 0", n)
		}
		if n := drain(t, p, key); n != 30 {
			t.Errorf("when it is made anew: got %d calls passed at once, want 30", n)
		}
	})
}

// Nobody has called a model for long, but a call to it waits, for its client.
func TestLimiterKeepsALimitThatACallWaitsFor(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 300)
		key.Client, key.ClientLimit = "a", 1
		p.SetShare(0.1, time.Now()) // one in 610 s
		drain(t, p, key)
		waits := queueUp(t.Context(), p, key, 15*time.Minute, time.Now())
		time.Sleep(9 * time.Minute)
		if shown := p.Snapshot(time.Now()); len(shown) != 1 || shown[0].Waiting != 1 {
			t.Errorf("status: got %+v, want one limit with one call that waits", shown)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !waits.d.OK {
			t.Errorf("waiting call: got %+v, want it passed", waits.d)
		}
	})
}

// Names of models and clients without end: what is kept is bounded, and limits
// still hold.
func TestLimiterIsBounded(t *testing.T) {
	const names, kept = 6000, 4096
	virtually(t, func(t *testing.T) {
		p := pace.New(pace.Table{})
		passed, client := 0, 0
		for i := range names {
			key := pace.Key{Task: workload.TextGeneration, Model: fmt.Sprintf("@cf/paid/m%d", i), PaidOnly: true}
			for range 5 {
				if d, _ := p.Acquire(context.Background(), key, 0); d.OK {
					passed++
				}
			}
		}
		if want := kept*4 + 30; passed != want {
			t.Errorf("got %d calls passed, want %d: 4 of each of %d models and 30 of the others", passed, want, kept)
		}
		if n := len(p.Snapshot(time.Now())); n != kept+1 {
			t.Errorf("limits: got %d, want %d", n, kept+1)
		}
		for i := range 100 {
			key := pace.Key{Task: workload.TextToSpeech, Client: fmt.Sprint("c", i), ClientLimit: 60}
			if d, _ := p.Acquire(context.Background(), key, 0); d.OK {
				client++
			}
		}
		if client != 6 {
			t.Errorf("calls of clients: got %d passed, want the 6 that they share", client)
		}
		if late := (pace.Key{Task: workload.TextToSpeech, Model: "@cf/late/one"}); p.Throttled(late, time.Now()) {
			t.Error("one more model: got its pace halved, want no limit made")
		}
		time.Sleep(6 * time.Minute)
		if n := len(p.Snapshot(time.Now())); n != 0 {
			t.Errorf("limits when all are idle: got %d, want 0", n)
		}
	})
}
