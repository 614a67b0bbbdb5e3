package reconcile

import "time"

// Until a second reading has shown it, others have not spent more since the figure that counts than the largest of
// these:
const (
	minGrowth  = 100 // one part in so many of the limit,
	paceFactor = 2   // so many times what they spent in the same time before, but of that
	maxGrowth  = 10  // one part in so many of the limit at most.
)

// A Spending is what others had spent on a day by a time, as a figure shows it.
type Spending[N ~int64] struct {
	At     time.Time
	Amount N
}

// A Jump holds back a figure that shows more than others can have spent since the one before, until a second one
// shows it as well: a single wrong figure must not refuse calls. The zero value knows no figure and no pace.
type Jump[N ~int64] struct {
	waits Spending[N] // what a figure that waits has shown; At zero: none does
	grown N           // between the last two figures that counted
	took  time.Duration
}

// Accept takes what a figure shows, and what the last one showed that counts, and returns how much of it counts. It
// reports false if nothing of it does yet. If less counts than was shown, the rest waits for another figure. limit is
// that of the day; explained is how much more than usual there is a reason for.
func (j *Jump[N]) Accept(shown, last Spending[N], limit, explained N) (counts N, ok bool) {
	w := j.waits
	if w.At.IsZero() || last.At.After(w.At) { // one that was read later counts already
		w = Spending[N]{}
	}
	j.waits = Spending[N]{}
	switch took := shown.At.Sub(last.At); {
	case shown.Amount <= last.Amount+explained+allowed(limit, j.grown, j.took, took):
		counts = shown.Amount
	case w.At.IsZero():
		j.waits = shown
		return last.Amount, false
	case shown.Amount <= w.Amount+allowed(limit, w.Amount-last.Amount, w.At.Sub(last.At), shown.At.Sub(w.At)):
		counts = shown.Amount
	default:
		counts, j.waits = w.Amount, shown
	}
	if took := shown.At.Sub(last.At); took > 0 {
		j.grown, j.took = max(counts-last.Amount, 0), took
	}
	return counts, true
}

// allowed is what others may spend in a time, if they have grown by so much in another one.
func allowed[N ~int64](limit, grown N, took, passed time.Duration) N {
	pace := N(0)
	if took > 0 {
		pace = N(paceFactor * float64(grown) * passed.Seconds() / took.Seconds())
	}
	return max(limit/minGrowth, min(pace, limit/maxGrowth))
}
