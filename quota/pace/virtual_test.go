package pace_test

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// virtually runs f in virtual time, on one processor: the race detector of Go
// 1.26 crashes when two processors fire timers of one bubble at once.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
