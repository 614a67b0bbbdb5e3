package quota

import "time"

const (
	// anchorTrust is how long a date of upstream is trusted before the machine's own clock counts again, corrected by
	// how far it was off.
	anchorTrust = 10 * time.Minute

	// clockTolerance is what upstream's Date, which has whole seconds and some way to go, may differ without meaning
	// anything.
	clockTolerance = 3 * time.Second

	// clockBound is the largest correction. A date further off is somebody's mistake.
	clockBound = 24 * time.Hour

	// clockLeap is how far ahead one date alone may set the clock. The day never goes back: one wrong date must not
	// end it.
	clockLeap = time.Minute
)

// clock tells the time by which days change: the machine's, corrected by the store's, so that all replicas agree, and
// by the dates of upstream's answers. Within anchorTrust of such a date time runs on from it by the monotonic clock,
// so that a jump of the machine's clock changes nothing.
type clock struct {
	wall    func() time.Time
	started time.Time     // has a monotonic reading
	store   time.Duration // the store's clock less the machine's
	anchor  time.Time     // upstream's date; zero: none
	at      time.Duration
	skew    time.Duration // upstream's date less the store's clock, when last seen
	doubted time.Time     // the last date, if it was not taken; zero: it was
	doubtAt time.Duration // when it came
}

func newClock(wall func() time.Time) clock { return clock{wall: wall, started: time.Now()} }

func (c *clock) now() time.Time {
	if !c.anchor.IsZero() {
		if passed := time.Since(c.started) - c.at; passed < anchorTrust {
			return c.anchor.Add(passed)
		}
	}
	return c.agreed().Add(c.skew)
}

// agreed is the machine's time corrected by the store's.
func (c *clock) agreed() time.Time { return c.wall().Add(c.store) }

// agree takes the store's time. It is a little old: a difference of a few seconds means nothing.
func (c *clock) agree(at time.Time) {
	c.store = at.Sub(c.wall())
	if off := c.store.Abs(); off <= clockTolerance || off > clockBound {
		c.store = 0
	}
}

// observe takes a date of upstream. One that is a little ahead of ours counts at once. One that is far ahead, or
// behind, since an answer may be late, counts only when the next one agrees with it.
func (c *clock) observe(date time.Time) {
	now, wall, at := c.now(), c.agreed(), time.Since(c.started)
	off := date.Sub(now)
	if off.Abs() > clockBound && date.Sub(wall).Abs() > clockBound {
		return
	}
	if off < -clockTolerance || off > clockLeap {
		expected := c.doubted.Add(at - c.doubtAt)
		if c.doubted.IsZero() || date.Sub(expected).Abs() > clockTolerance {
			c.doubted, c.doubtAt = date, at
			return
		}
	}
	c.doubted = time.Time{}
	if off.Abs() <= clockTolerance {
		// Upstream agrees: run on from our own time, which is finer.
		date = now
	}
	c.anchor, c.at = date, at
	c.skew = date.Sub(wall)
	if c.skew.Abs() <= clockTolerance {
		c.skew = 0
	}
}
