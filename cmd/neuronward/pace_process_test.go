package main

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

// paceMinute measures the pace of one, two and four replicas over Cloudflare's own window, in place of four over 8 s:
// go test ./cmd/neuronward -run TestReplicasShareRequests -minute
var paceMinute = flag.Bool("minute", false, "the pace of replicas over a minute, and of other numbers of replicas")

// Together replicas let no more calls through than the limit, and not much less, however many they are. quota/pace has
// the same in virtual time.
func TestReplicasShareRequestsPerMinute(t *testing.T) {
	t.Parallel()
	const perMinute = 600 // which processes of the race detector reach on a busy machine
	fleets, window, windows := []int{4}, 8*time.Second, 10
	if *paceMinute {
		fleets, window, windows = []int{1, 2, 4}, time.Minute, 1
	}
	server := startRedis(t)
	for _, replicas := range fleets {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			f := newFleet(t, server, "NEURONWARD_PLAN=paid", "NEURONWARD_DAILY_NEURONS=0",
				fmt.Sprintf("NEURONWARD_RATE_LIMITS=text-generation=%d", perMinute), "NEURONWARD_RATE_WAIT=5s")
			for range replicas {
				f.join()
			}
			for _, p := range f.live {
				p.until("all know of each other", func() bool { return p.status().Replicas == replicas })
			}
			began := time.Now()
			f.load(16)
			f.pass(2 * time.Second) // the burst
			// A busy machine holds calls up, and lets them pass in the next window: one window must be right.
			right, seen := false, []string{}
			for range windows {
				from := time.Now()
				f.pass(window)
				to := time.Now()
				passed := f.came.within(to.Sub(from)+1, from, to)
				limit := perMinute * to.Sub(from).Minutes()
				seen = append(seen, fmt.Sprintf("%.0f %%", 100*float64(passed)/limit))
				if float64(passed) <= limit && float64(passed) >= 0.85*limit {
					right = true
					break
				}
			}
			f.end()
			f.wait()
			inMinute := f.came.within(time.Minute, began, time.Now())
			t.Logf("%d replicas: of the limit %v, each in %v; in any minute %d of %d; %s",
				replicas, seen, window, inMinute, perMinute, f.summary())
			if !right {
				t.Errorf("calls in windows of %v: got %v of the limit, want 85 to 100 %% in one", window, seen)
			}
			if inMinute > perMinute {
				t.Errorf("calls in a minute: got %d, want %d at most", inMinute, perMinute)
			}
			for _, p := range f.live {
				p.stop()
			}
		})
	}
}
