package schedule

import (
	"iter"
	"slices"
	"time"
)

// A Call is one that is in flight: it has reserved Amount in each of its budgets. B is a budget, by its identity.
type Call[B comparable, N ~int64] struct {
	Budgets [2]B
	Amount  N
	Began   time.Time
	Usual   *Usual

	older, newer *Call[B, N]
}

// InFlight are the calls in flight, the oldest first. The zero value has none.
type InFlight[B comparable, N ~int64] struct {
	n           int
	first, last *Call[B, N]
}

// Len returns how many calls are in flight.
func (f *InFlight[B, N]) Len() int { return f.n }

// Add adds c, which has just begun.
func (f *InFlight[B, N]) Add(c *Call[B, N]) {
	f.n++
	if c.older = f.last; c.older == nil {
		f.first = c
	} else {
		c.older.newer = c
	}
	f.last = c
}

// Remove takes out c, which has ended.
func (f *InFlight[B, N]) Remove(c *Call[B, N]) {
	f.n--
	if c.older == nil {
		f.first = c.newer
	} else {
		c.older.newer = c.newer
	}
	if c.newer == nil {
		f.last = c.older
	} else {
		c.newer.older = c.older
	}
	c.older, c.newer = nil, nil // who keeps c does not keep them in memory
}

// A Return is what comes back, and when.
type Return[N ~int64] struct {
	In     time.Duration
	Amount N
}

// Returns yields what the calls in flight will give back to b. elsewhere is reserved by other processes, of whose calls
// nothing else is known; what comes back of it is the last.
func (f *InFlight[B, N]) Returns(b B, now time.Time, elsewhere N) iter.Seq[Return[N]] {
	back := func(u *Usual, amount N, age time.Duration) Return[N] {
		return Return[N]{u.left(age), N(float64(amount) * u.returned())}
	}
	return func(yield func(Return[N]) bool) {
		for c := f.first; c != nil; c = c.newer {
			if slices.Contains(c.Budgets[:], b) && !yield(back(c.Usual, c.Amount, now.Sub(c.Began))) {
				return
			}
		}
		if elsewhere > 0 {
			yield(back(&Usual{}, elsewhere, 0))
		}
	}
}

// steps are those by which Expect tells times apart.
const (
	step  = 250 * time.Millisecond
	steps = 240
)

// MaxWait is the longest wait that Expect returns.
const MaxWait = steps * step

// Expect returns how long it takes until need has come back: at most MaxWait. Where too little comes back, as much is
// taken to come again in as long.
func Expect[N ~int64](need N, returns iter.Seq[Return[N]]) (wait time.Duration) {
	var by [steps]N // in as many steps
	var all N
	for r := range returns {
		by[min(max(r.In, 0)/step, steps-1)] += r.Amount
		all += r.Amount
	}
	left := need
	for i, amount := range by {
		if amount > 0 {
			wait = time.Duration(i+1) * step
		}
		if left -= amount; left <= 0 {
			return wait
		}
	}
	return min(time.Duration(float64(wait)*float64(need)/float64(max(all, 1))), MaxWait)
}
