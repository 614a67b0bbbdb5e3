package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTuneMemory(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	cases := []struct {
		name    string
		environ map[string]string
		held    int64
		percent int
		limit   int64
	}{
		{"left to us", nil, 256 << 20, 400, 320 << 20},
		{"left to us, empty is unset", map[string]string{"GOGC": ""}, 1 << 20, 400, 65 << 20},
		{"no overflow", nil, math.MaxInt64, 400, math.MaxInt64},
		{"GOGC set", map[string]string{"GOGC": "50"}, 1 << 20, 100, math.MaxInt64},
		{"GOMEMLIMIT set", map[string]string{"GOMEMLIMIT": "1GiB"}, 1 << 20, 100, math.MaxInt64},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			debug.SetGCPercent(100)
			debug.SetMemoryLimit(math.MaxInt64)
			defer tuneMemory(c.environ, c.held)()
			if got := debug.SetGCPercent(100); got != c.percent {
				t.Errorf("collection at %d %%, want %d", got, c.percent)
			}
			if got := debug.SetMemoryLimit(-1); got != c.limit {
				t.Errorf("memory limit %d, want %d", got, c.limit)
			}
		})
	}
}

func TestCallable(t *testing.T) {
	for addr, want := range map[string]string{
		"[::]:3036": "127.0.0.1:3036", "0.0.0.0:1": "127.0.0.1:1", ":2": "127.0.0.1:2",
		"[::1]:3": "[::1]:3", "10.0.0.1:4": "10.0.0.1:4", "localhost:5": "localhost:5",
	} {
		if got := callable(addr); got != want {
			t.Errorf("callable(%s) = %s, want %s", addr, got, want)
		}
	}
}
