package quota

import (
	"math"
	"time"
)

// historyMinutes is how far back it is known, minute by minute, what all replicas had settled.
const historyMinutes = 32

// settledMinute is how the account's budget stood, over all replicas, when a minute ended.
type settledMinute struct {
	minute           int64 // of Unix time
	spent            Neurons
	maxLost, minLost Neurons // during the minute
}

// settledHistory has the last minutes of a day, without those in which the store did not answer. The account's own
// figure is always some minutes old: it is compared with what had been settled then.
type settledHistory struct {
	minutes    [historyMinutes]settledMinute
	day        Day
	spent      Neurons   // the last that was recorded
	doubtUntil time.Time // until when a store that may have lost rows is waited for; zero: it has not
	emptied    bool      // it said itself that it had no rows of this replica
}

// record notes how the account's budget stands at now, by the store's reply. failed says that the sync before this
// one failed, in whose reply the store may have said that it is empty.
func (h *settledHistory) record(now time.Time, day Day, reply Reply, failed bool) {
	spent, lost := reply.Balances[0].Spent, reply.Balances[0].Lost
	if h.day != day {
		*h = settledHistory{day: day}
	}
	if spent < h.spent && h.doubtUntil.IsZero() && (reply.Joined || failed) {
		h.doubtUntil = now.Add(ReplicaTimeout)
	}
	if !h.doubtUntil.IsZero() {
		h.emptied = h.emptied || reply.Joined
		if now.Before(h.doubtUntil) && spent < h.spent {
			return
		}
		if h.emptied {
			// What the store has forgotten for good was not settled as far as it says: the figure has it, which then
			// counts.
			forgotten := max(h.spent-spent, 0)
			for i := range h.minutes {
				h.minutes[i].spent = max(h.minutes[i].spent-forgotten, 0)
			}
		}
		h.doubtUntil, h.emptied = time.Time{}, false
	}
	if spent < h.spent {
		// A cost was corrected, as a batch's: what it was charged with was never billed. It is not known when it was
		// charged, but at no time before was more settled than now.
		for i := range h.minutes {
			h.minutes[i].spent = min(h.minutes[i].spent, spent)
		}
	}
	h.spent = spent
	m := minuteOf(now)
	minute := &h.minutes[m%historyMinutes]
	if minute.minute != m {
		*minute = settledMinute{minute: m, maxLost: lost, minLost: lost}
	}
	minute.spent, minute.maxLost, minute.minLost = spent, max(minute.maxLost, lost), min(minute.minLost, lost)
}

// at returns the least and the most that had been settled of what the figure counts until a time, whose minute ends
// then. The most allows calls another minute, since the figure may have them before they are settled. If a minute is
// not known, the least is nothing and the most what had been settled at the next one that is.
func (h *settledHistory) at(until time.Time) (least, most Neurons) {
	from := minuteOf(until) + 1
	if m := h.minutes[minuteOf(until)%historyMinutes]; m.minute == minuteOf(until) {
		least = m.spent
	}
	most = h.spent
	next := int64(math.MaxInt64)
	for _, m := range h.minutes {
		if m.minute >= from && m.minute < next {
			next, most = m.minute, m.spent
		}
	}
	return least, max(least, most)
}

// lost returns the most that was lost at any time since from, and the least. In a minute that is not known nothing
// was lost.
func (h *settledHistory) lost(from, now time.Time) (most, least Neurons) {
	known := int64(0)
	for _, m := range h.minutes {
		if m.minute < minuteOf(from) || m.minute > minuteOf(now) {
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

// correct notes that so much more had been spent since a time.
func (h *settledHistory) correct(since time.Time, more Neurons) {
	for i := range h.minutes {
		if h.minutes[i].minute >= minuteOf(since) {
			h.minutes[i].spent = max(h.minutes[i].spent+more, 0)
		}
	}
}
