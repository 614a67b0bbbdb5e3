package quota_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// A virtual day has 172,800 heartbeats of half a second. In tests that take hours and are not about the heartbeat ledgers have
// another one.
const (
	longBeat   = 30 * time.Second // of a ledger alone
	sharedBeat = 2 * time.Second  // of replicas that share a store
)

// virtually runs f in virtual time, on one processor: the race detector of Go
// 1.26 crashes when two processors fire timers of one bubble at once.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
