package clock

import "time"

const (
	// anchorTrust is how long a date of upstream is trusted before the machine's own clock counts again, corrected by
	// how far it was off.
	anchorTrust = 10 * time.Minute

	// Tolerance is what upstream's Date, which has whole seconds and some way to go, may differ without meaning
	// anything.
	Tolerance = 3 * time.Second

	// maxCorrection is the largest there is. A date further off is somebody's mistake.
	maxCorrection = 24 * time.Hour

	// maxLeap is how far ahead one date alone may set the clock. The day never goes back: one wrong date must not
	// end it.
	maxLeap = time.Minute

	// confirmations is how many dates must agree, within confirmWithin, for a day that was begun to be taken back.
	confirmations = 3
	confirmWithin = time.Minute
)

// A Clock tells the time by which days change: the machine's, corrected by the store's, so that all replicas agree, and
// by the dates of upstream's answers. Within anchorTrust of such a date time runs on from it by the monotonic clock,
// so that a jump of the machine's clock changes nothing.
type Clock struct {
	wall    func() time.Time
	started time.Time     // has a monotonic reading
	store   time.Duration // the store's clock less the machine's
	anchor  time.Time     // upstream's date; zero: none
	at      time.Duration
	skew    time.Duration // upstream's date less the store's clock, when last seen
	doubted time.Time     // the last date, if it was not taken; zero: it was
	doubtAt time.Duration // when it came
	seen    [confirmations]observation
}

// An observation is a date of upstream, and when it came.
type observation struct {
	date time.Time
	at   time.Duration
}

// New returns a Clock that runs by wall, the machine's.
func New(wall func() time.Time) Clock { return Clock{wall: wall, started: time.Now()} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	if !c.anchor.IsZero() {
		if passed := time.Since(c.started) - c.at; passed < anchorTrust {
			return c.anchor.Add(passed)
		}
	}
	return c.agreed().Add(c.skew)
}

// agreed is the machine's time corrected by the store's.
func (c *Clock) agreed() time.Time { return c.wall().Add(c.store) }

// Agree takes the store's time. It is a little old: a difference of a few seconds means nothing.
func (c *Clock) Agree(at time.Time) {
	c.store = at.Sub(c.wall())
	if off := c.store.Abs(); off <= Tolerance || off > maxCorrection {
		c.store = 0
	}
}

// Observe takes a date of upstream. One that is a little ahead of ours counts at once. One that is far ahead, or
// behind, since an answer may be late, counts only when the next one agrees with it.
func (c *Clock) Observe(date time.Time) {
	now, wall, at := c.Now(), c.agreed(), time.Since(c.started)
	off := date.Sub(now)
	if off.Abs() > maxCorrection && date.Sub(wall).Abs() > maxCorrection {
		return
	}
	copy(c.seen[:], c.seen[1:])
	c.seen[confirmations-1] = observation{date, at}
	if off < -Tolerance || off > maxLeap {
		expected := c.doubted.Add(at - c.doubtAt)
		if c.doubted.IsZero() || date.Sub(expected).Abs() > Tolerance {
			c.doubted, c.doubtAt = date, at
			return
		}
	}
	c.doubted = time.Time{}
	if off.Abs() <= Tolerance {
		// Upstream agrees: run on from our own time, which is finer.
		date = now
	}
	c.anchor, c.at = date, at
	c.skew = date.Sub(wall)
	if c.skew.Abs() <= Tolerance {
		c.skew = 0
	}
}

// Confirmed reports whether the last three dates came within a minute and agree with each other.
func (c *Clock) Confirmed() bool {
	first := c.seen[0]
	if first.date.IsZero() || time.Since(c.started)-first.at > confirmWithin {
		return false
	}
	for _, o := range c.seen[1:] {
		if (o.date.Sub(first.date) - (o.at - first.at)).Abs() > Tolerance {
			return false
		}
	}
	return true
}

// Doubted reports whether the last date came within a minute and was not taken.
func (c *Clock) Doubted() bool {
	return !c.doubted.IsZero() && time.Since(c.started)-c.doubtAt < confirmWithin
}

// Skew returns upstream's date less the store's clock, when last seen; 0 within seconds.
func (c *Clock) Skew() time.Duration { return c.skew }
