package main

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

// paceMinute measures the pace of replicas over Cloudflare's own window: go test ./cmd/neuronward -run
// TestReplicasShareRequests -minute
var paceMinute = flag.Bool("minute", false, "the pace of replicas over a minute instead of 5 s")

// Together replicas let no more calls through than the limit, and not much less, however many they are.
func TestReplicasShareRequestsPerMinute(t *testing.T) {
	const perMinute = 3000
	window := 5 * time.Second
	if *paceMinute {
		window = time.Minute
	}
	server := startRedis(t)
	for _, replicas := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			f := newFleet(t, server, "NEURONWARD_PLAN=paid",
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
			from := time.Now()
			f.pass(window)
			to := time.Now()
			f.end()
			f.wait()
			limit := int(perMinute * window / time.Minute)
			passed := f.came.within(to.Sub(from)+1, from, to)
			t.Logf("%d replicas: %d of %d in %v, %.1f %%; any %v: %d at most; with the burst %d of %d; %s",
				replicas, passed, limit, window, 100*float64(passed)/float64(limit), window,
				f.came.within(window, from, to), f.came.within(time.Minute, began, to), perMinute, f.summary())
			if passed > limit || float64(passed) < 0.85*float64(limit) {
				t.Errorf("got %d calls, want 85 to 100 %% of %d", passed, limit)
			}
			if got := f.came.within(time.Minute, began, to); got > perMinute {
				t.Errorf("got %d calls in a minute, want %d at most", got, perMinute)
			}
			for _, p := range f.live {
				p.stop()
			}
		})
	}
}
