package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// collectAt is by how much, in percent of what is alive, memory grows until the next collection.
	collectAt = 400

	// maxGarbage bounds that growth, in bytes, unless it would be less than minCollectAt.
	maxGarbage   = 32 << 20
	minCollectAt = 25
)

// tuneMemory trades memory for CPU unless the environment sets GOGC or GOMEMLIMIT. The live heap is small, and most of
// what a call allocates dies with it: with a collection at four times the live heap, a call through a bare reverse
// proxy took 0.82 of the CPU. The soft limit keeps the heap below what request bodies may take and a fixed rest.
//
// Thousands of connections make the live heap and the stacks large. So that garbage does not add four times as much,
// the percentage is set again after each collection, until untuned is called.
func tuneMemory(environ map[string]string, maxHeld int64) (untuned func()) {
	const rest = 64 << 20
	if environ["GOGC"] != "" || environ["GOMEMLIMIT"] != "" {
		return func() {}
	}
	debug.SetGCPercent(collectAt)
	limit := min(maxHeld, math.MaxInt64-rest) + rest
	debug.SetMemoryLimit(limit)
	var over atomic.Bool
	afterEachCollection(func() bool {
		if over.Load() {
			return false
		}
		now := alive()
		debug.SetGCPercent(percentOf(now))
		debug.SetMemoryLimit(limitOf(now, limit))
		return true
	})
	return func() { over.Store(true) }
}

// percentOf returns the percentage at which to collect, with so many bytes alive.
func percentOf(alive uint64) int {
	return int(max(minCollectAt, min(collectAt, maxGarbage*100/max(alive, 1))))
}

// limitOf returns the soft limit of memory, at most limit, with so many bytes alive. It keeps what a burst leaves free
// from staying with the process.
func limitOf(alive uint64, limit int64) int64 {
	return min(limit, max(160<<20, int64(alive)*3/2+32<<20))
}

// alive is what the last collection found that counts for the time of the next one, in bytes.
func alive() (sum uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	return sum
}

// afterEachCollection calls f after each collection until it returns false.
func afterEachCollection(f func() bool) {
	type sentinel struct{ _ *int } // with a pointer it is an object of its own
	var next func(struct{})
	next = func(struct{}) {
		if f() {
			runtime.AddCleanup(new(sentinel), next, struct{}{})
		}
	}
	runtime.AddCleanup(new(sentinel), next, struct{}{})
}
