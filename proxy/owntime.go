package proxy

import "time"

// An ownTime measures how long this proxy itself works on a call: without upstream, without the caller and without
// waiting for limits. The zero value stands still.
type ownTime struct {
	since time.Time // zero: it stands still
	total time.Duration
}

func (t *ownTime) start() { t.since = time.Now() }

func (t *ownTime) stop() {
	if !t.since.IsZero() {
		t.total += time.Since(t.since)
		t.since = time.Time{}
	}
}
