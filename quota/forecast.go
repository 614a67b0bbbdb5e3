package quota

import "time"

// rateMinutes is how far back the present rate of spending looks.
const rateMinutes = 60

// spending is what was spent in each of the last minutes, over all replicas as far as this one knows, and across
// midnight.
type spending struct {
	minutes [rateMinutes]Neurons
	since   int64 // the first minute that is known, of Unix time
	newest  int64
}

// begin says that nothing is known of before now.
func (s *spending) begin(now time.Time) { *s = spending{since: minuteOf(now), newest: minuteOf(now)} }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// add counts n as spent at now. A clock that went back adds to the newest minute.
func (s *spending) add(now time.Time, n Neurons) {
	s.advance(minuteOf(now))
	if n > 0 {
		s.minutes[s.newest%rateMinutes] += n
	}
}

// advance clears the minutes that have begun since the newest.
func (s *spending) advance(minute int64) {
	if minute-s.newest >= rateMinutes {
		s.minutes, s.newest = [rateMinutes]Neurons{}, minute
		return
	}
	for s.newest < minute {
		s.newest++
		s.minutes[s.newest%rateMinutes] = 0
	}
}

// rate returns the neurons spent a second. The older a minute the less it counts, down to nothing after an hour. If
// less than a minute is known it counts as a whole one.
func (s *spending) rate(now time.Time) float64 {
	s.advance(minuteOf(now))
	spent, seconds := 0.0, 0.0
	for age := range min(rateMinutes, s.newest-s.since+1) {
		weight, length := float64(rateMinutes-age), 60.0
		if age == 0 {
			length = float64(now.Unix()%60 + 1)
		}
		spent += weight * s.minutes[(s.newest-age)%rateMinutes].Float()
		seconds += weight * length
	}
	return spent / max(seconds, 60*rateMinutes)
}

// forecast is when the account's day was spent, or will be.
type forecast struct {
	spending
	spentAt time.Time // when hardly anything was left of the day; zero: something is
}

// foundSpent notes that hardly anything is left of the day.
func (f *forecast) foundSpent(now time.Time) {
	if f.spentAt.IsZero() {
		f.spentAt = now
	}
}

// exhaustedAt is when the day was first found spent: by count, or by the quota block as long as that lasts.
func (f *forecast) exhaustedAt(b *blockState, now time.Time) time.Time {
	if b.Set && !b.resetPassed(now) && (f.spentAt.IsZero() || b.At.Before(f.spentAt)) {
		return b.At
	}
	return f.spentAt
}

// expectedAt is when the day, which ends at end, will be spent at the present rate, or was; zero stands for not before
// the reset. Calls in flight count once they are settled.
func (f *forecast) expectedAt(account *budget, b *blockState, end, now time.Time) time.Time {
	if at := f.exhaustedAt(b, now); !at.IsZero() || account.limit == 0 {
		return at
	}
	left := max(account.limit-account.committed(), 0).Float()
	rate := f.rate(now)
	if left >= rate*end.Sub(now).Seconds() {
		return time.Time{}
	}
	return now.Add(time.Duration(left / rate * float64(time.Second)))
}
