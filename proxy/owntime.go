package proxy

import "time"

// An ownTime measures how long this proxy itself works on a call: without upstream, without the caller and without
// waiting for limits. The zero value stands still.
type ownTime struct {
	runs         bool
	since, total time.Duration // since counts from epoch
}

// epoch is a moment at which the process had begun: the time since then takes one reading of a clock, not two.
var epoch = time.Now() //nolint:gochecknoglobals // it does not change

func now() time.Duration { return time.Since(epoch) }

func (t *ownTime) start() { t.runs, t.since = true, now() }

func (t *ownTime) stop() {
	if t.runs {
		t.runs, t.total = false, t.total+now()-t.since
	}
}
