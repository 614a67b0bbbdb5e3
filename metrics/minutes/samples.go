package minutes

import (
	"sync"
	"time"
)

// keptSamples are the minutes of 25 hours: a whole day, also where the account's day and the clock differ.
const keptSamples = int64(25 * time.Hour / time.Minute)

// A Sample is how the account's day stood at one moment, in neurons.
type Sample struct {
	At       time.Time
	Day      int64 // the account's day, as days since 1970; not At's where clocks differ
	Used     float64
	Reserved float64 // by calls in flight
	External float64 // spent outside this proxy
}

// samples holds the last sample of each minute.
type samples struct {
	mu   sync.Mutex
	ring [keptSamples]Sample
}

// Sample keeps s as the sample of its minute and replaces an earlier one.
func (m *Minutes) Sample(s Sample) {
	m.samples.mu.Lock()
	defer m.samples.mu.Unlock()
	m.samples.ring[minuteOf(s.At)%keptSamples] = s
}

// Samples returns the samples of one of the account's days up to now, at most one a minute, the oldest first.
func (m *Minutes) Samples(day int64, now time.Time) []Sample {
	m.samples.mu.Lock()
	defer m.samples.mu.Unlock()
	var all []Sample
	newest := minuteOf(now)
	for minute := newest - keptSamples + 1; minute <= newest; minute++ {
		s := m.samples.ring[minute%keptSamples]
		if !s.At.IsZero() && minuteOf(s.At) == minute && s.Day == day {
			all = append(all, s)
		}
	}
	return all
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }
