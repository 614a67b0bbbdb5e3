// Package rate says how fast something is spent at present, by what was spent in each of the last minutes.
//
// It is arithmetic over values, which takes the time as an argument, and imports no other package of this module: N is
// quota.Neurons. Nothing here has a lock: the ledger's mutex guards it. Begin with Spending.
package rate

import "time"

// minutes is how far back the present rate looks.
const minutes = 60

// Spending is what was spent in each of the last minutes, over all replicas as far as this one knows, and across
// midnight. Begin makes it ready for use.
type Spending[N ~int64] struct {
	spent  [minutes]N
	since  int64 // the first minute that is known, of Unix time
	newest int64
}

// Begin says that nothing is known of before now.
func (s *Spending[N]) Begin(now time.Time) {
	*s = Spending[N]{since: minuteOf(now), newest: minuteOf(now)}
}

// Since returns the beginning of the first minute that is known.
func (s *Spending[N]) Since() time.Time { return time.Unix(60*s.since, 0) }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Add counts n as spent at now. A clock that went back adds to the newest minute.
func (s *Spending[N]) Add(now time.Time, n N) {
	s.advance(minuteOf(now))
	if n > 0 {
		s.spent[s.newest%minutes] += n
	}
}

// advance clears the minutes that have begun since the newest.
func (s *Spending[N]) advance(minute int64) {
	if minute-s.newest >= minutes {
		s.spent, s.newest = [minutes]N{}, minute
		return
	}
	for s.newest < minute {
		s.newest++
		s.spent[s.newest%minutes] = 0
	}
}

// Rate returns what is spent a second. The older a minute the less it counts, down to nothing after an hour. If less
// than a minute is known it counts as a whole one.
func (s *Spending[N]) Rate(now time.Time) float64 {
	s.advance(minuteOf(now))
	spent, seconds := 0.0, 0.0
	for age := range min(minutes, s.newest-s.since+1) {
		weight, length := float64(minutes-age), 60.0
		if age == 0 {
			length = float64(now.Unix()%60 + 1)
		}
		spent += weight * float64(s.spent[(s.newest-age)%minutes])
		seconds += weight * length
	}
	return spent / max(seconds, 60*minutes)
}
