package reconcile

import (
	"math"
	"time"
)

// historyMinutes is how far back it is known, minute by minute, what all replicas had settled.
const historyMinutes = 32

// A State is how the account's budget stands, over all replicas, by the store's answer to a report.
type State[N ~int64] struct {
	Spent, Lost N
	Joined      bool // the store had no row of this replica
	Failed      bool // the report before was not answered: that answer may have been Joined
}

// minute is how the account's budget stood, over all replicas, when a minute ended.
type minute[N ~int64] struct {
	number           int64 // of Unix time
	spent            N
	maxLost, minLost N // during the minute
}

// A History has the last minutes of a day, without those in which the store did not answer. The account's own figure
// is always some minutes old: it is compared with what had been settled then. Each day begins with another one.
type History[N ~int64] struct {
	MaxWait   time.Duration // how long a store that may have lost rows is waited for
	Forgotten N             // by the store for good, since the caller last set it to 0

	minutes    [historyMinutes]minute[N]
	begun      bool      // something was recorded
	spent      N         // the last that was recorded
	doubtUntil time.Time // until when a store that may have lost rows is waited for; zero: it has not
	emptied    bool      // it said itself that it had no rows of this replica
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Known reports whether a figure can be compared: something was recorded, and no store is doubted.
func (h *History[N]) Known() bool { return h.begun && h.doubtUntil.IsZero() }

// Record notes how the account's budget stands at now.
func (h *History[N]) Record(now time.Time, s State[N]) {
	h.begun = true
	if s.Spent < h.spent && h.doubtUntil.IsZero() && (s.Joined || s.Failed) {
		h.doubtUntil = now.Add(h.MaxWait)
	}
	if !h.doubtUntil.IsZero() {
		h.emptied = h.emptied || s.Joined
		if now.Before(h.doubtUntil) && s.Spent < h.spent {
			return
		}
		if h.emptied {
			// What the store has forgotten for good was not settled as far as it says: the figure has it, which then
			// counts.
			forgotten := max(h.spent-s.Spent, 0)
			h.Forgotten += forgotten
			for i := range h.minutes {
				h.minutes[i].spent = max(h.minutes[i].spent-forgotten, 0)
			}
		}
		h.doubtUntil, h.emptied = time.Time{}, false
	}
	if s.Spent < h.spent {
		// A cost was corrected, as a batch's: what it was charged with was never billed. It is not known when it was
		// charged, but at no time before was more settled than now.
		for i := range h.minutes {
			h.minutes[i].spent = min(h.minutes[i].spent, s.Spent)
		}
	}
	h.spent = s.Spent
	number := minuteOf(now)
	m := &h.minutes[number%historyMinutes]
	if m.number != number {
		*m = minute[N]{number: number, maxLost: s.Lost, minLost: s.Lost}
	}
	m.spent, m.maxLost, m.minLost = s.Spent, max(m.maxLost, s.Lost), min(m.minLost, s.Lost)
}

// Settled returns the least and the most that had been settled of what the figure counts until a time, whose minute
// ends then. The most allows calls another minute, since the figure may have them before they are settled. If a
// minute is not known, the least is nothing and the most what had been settled at the next one that is.
func (h *History[N]) Settled(until time.Time) (least, most N) {
	from := minuteOf(until) + 1
	if m := h.minutes[minuteOf(until)%historyMinutes]; m.number == minuteOf(until) {
		least = m.spent
	}
	most = h.spent
	next := int64(math.MaxInt64)
	for _, m := range h.minutes {
		if m.number >= from && m.number < next {
			next, most = m.number, m.spent
		}
	}
	return least, max(least, most)
}

// lost returns the most that was lost at any time since from, and the least. In a minute that is not known nothing
// was lost.
func (h *History[N]) lost(from, now time.Time) (most, least N) {
	known := int64(0)
	for _, m := range h.minutes {
		if m.number < minuteOf(from) || m.number > minuteOf(now) {
			continue
		}
		most = max(most, m.maxLost)
		if known == 0 || m.minLost < least {
			least = m.minLost
		}
		known++
	}
	if known < minuteOf(now)-minuteOf(from)+1 {
		least = 0
	}
	return most, least
}

// Correct notes that so much more had been spent since a time.
func (h *History[N]) Correct(since time.Time, more N) {
	for i := range h.minutes {
		if h.minutes[i].number >= minuteOf(since) {
			h.minutes[i].spent = max(h.minutes[i].spent+more, 0)
		}
	}
}

// Compare returns what is external, of what was billed until a time, and what is released of what is lost, which was
// so since lostSince. It moves former, what was external before, no further than the figure demands: a burst of our
// own calls just then, or a replica that does not know what had been settled, must not hide it.
func (h *History[N]) Compare(lostSince, now, until time.Time, billed, former N) (external, released N) {
	least, most := h.Settled(until)
	everLost, stillLost := h.lost(lostSince, now)
	external = min(former, max(billed-least, 0))
	external = max(external, billed-most-everLost)
	// What is lost may have been spent where the figure has more than is accounted for, and may be lacking where it
	// lacks some of what was settled.
	return external, max(stillLost-max(billed-least-external, least-billed, 0), 0)
}
