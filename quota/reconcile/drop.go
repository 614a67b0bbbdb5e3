package reconcile

import "time"

const (
	// confirmAfter is how long a figure must stay lower than one before until it is taken: the higher one must have
	// been wrong then, and would otherwise keep calls from neurons that nobody has spent until the reset.
	confirmAfter = time.Hour

	// tolerance is how much lower a figure may be only because fractions were added up in another order: a hundredth
	// of a neuron, in millionths.
	tolerance = 10_000
)

// A Figure is what the account was billed on a day until a time.
type Figure[N ~int64] struct {
	At     time.Time
	Billed N
}

// A Drop knows the last of the figures of a day that were lower than one before them. The zero value knows none.
type Drop[N ~int64] struct {
	First bool // the figure that counts was compared with none: if it was too high, the next one shows it

	since  time.Time // until when the first of them counted; zero: there is none
	billed N
}

// Accept takes a figure that was read after last, the one that counts, and reports whether it may count in its place.
// It returns what counts as billed. settled is the least that all had settled until then.
func (d *Drop[N]) Accept(f, last Figure[N], settled N) (billed N, ok bool) {
	switch {
	case f.Billed < 0:
		return f.Billed, false
	case f.Billed >= last.Billed-tolerance:
		*d = Drop[N]{}
		return max(f.Billed, last.Billed), true
	case d.First && f.Billed >= settled:
		return f.Billed, true
	}
	return f.Billed, d.confirms(f, last.At, settled)
}

// confirms takes another figure that is lower than the one of last, and reports whether such figures have lasted long
// enough to be right: they do not drop themselves, no replica has read a higher one since, and the last of them lacks
// nothing of what all had settled.
func (d *Drop[N]) confirms(f Figure[N], last time.Time, settled N) bool {
	if d.since.IsZero() || f.Billed < d.billed-tolerance || last.After(d.since) {
		*d = Drop[N]{First: d.First, since: f.At}
	}
	d.billed = f.Billed
	if f.At.Sub(d.since) < confirmAfter || f.Billed < settled {
		return false
	}
	*d = Drop[N]{}
	return true
}
