package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/clock"
)

// A machine has a clock that may be off.
type machine struct {
	clock.Clock
	off time.Duration
}

// ahead is how far the clock is ahead of the true time.
func (m *machine) ahead() time.Duration { return time.Until(m.Now()) }

func TestClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		what  func(m *machine)
		ahead time.Duration // of the true time, in the end
		skew  time.Duration
	}{
		{"alone it is the machine's", func(m *machine) { m.off = time.Hour }, time.Hour, 0},
		{"the store corrects it", func(m *machine) { m.Agree(time.Now().Add(4 * time.Second)) }, 4 * time.Second, 0},
		{"the store is a little old", func(m *machine) { m.Agree(time.Now().Add(-clock.Tolerance)) }, 0, 0},
		{"the store is of another day", func(m *machine) { m.Agree(time.Now().Add(25 * time.Hour)) }, 0, 0},
		{"slow by less than a minute: one date is enough", func(m *machine) {
			m.off = -50 * time.Second
			m.Observe(time.Now())
		}, 0, 50 * time.Second},
		{"slow by more: one date is not", func(m *machine) {
			m.off = -2 * time.Minute
			m.Observe(time.Now())
		}, -2 * time.Minute, 0},
		{"two dates that agree are", func(m *machine) {
			m.off = -2 * time.Minute
			m.Observe(time.Now())
			time.Sleep(time.Minute)
			m.Observe(time.Now())
		}, 0, 2 * time.Minute},
		{"a date within seconds changes nothing", func(m *machine) {
			m.Observe(time.Now().Add(-clock.Tolerance))
		}, 0, 0},
		{"two dates of another day are a mistake", func(m *machine) {
			m.Observe(time.Now().Add(25 * time.Hour))
			m.Observe(time.Now().Add(25 * time.Hour))
		}, 0, 0},
		{"a date trusted outlasts a jump", func(m *machine) {
			m.Observe(time.Now())
			m.off = time.Hour
			time.Sleep(9 * time.Minute)
		}, 0, 0},
		{"but not for ever", func(m *machine) {
			m.Observe(time.Now())
			m.off = time.Hour
			time.Sleep(10 * time.Minute)
		}, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{}
				m.Clock = clock.New(func() time.Time { return time.Now().Add(m.off) })
				tt.what(m)
				if got := m.ahead(); got != tt.ahead {
					t.Errorf("ahead of the true time: got %v, want %v", got, tt.ahead)
				}
				if got := m.Skew(); got != tt.skew {
					t.Errorf("Skew() = %v, want %v", got, tt.skew)
				}
			})
		})
	}
}

// Three dates of a minute that agree are confirmed; a date that was not taken is doubted for a minute.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name               string
		dates              []time.Duration // ahead of the true time
		pause              time.Duration   // between them
		confirmed, doubted bool
	}{
		{"none", nil, 0, false, false},
		{"two", []time.Duration{time.Hour, time.Hour}, 0, false, false},
		{"one that is off", []time.Duration{-time.Hour}, 0, false, true},
		{"three", []time.Duration{time.Hour, time.Hour, time.Hour}, 30 * time.Second, true, false},
		{"in more than a minute", []time.Duration{time.Hour, time.Hour, time.Hour}, 31 * time.Second, false, false},
		{"within seconds", []time.Duration{0, clock.Tolerance, 0}, 0, true, false},
		{"the last differs", []time.Duration{0, 0, 2 * time.Hour}, 0, false, true},
		{"three of four", []time.Duration{time.Hour, 0, 0, 0}, time.Second, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clock.New(time.Now)
				for i, ahead := range tt.dates {
					if i > 0 {
						time.Sleep(tt.pause)
					}
					c.Observe(time.Now().Add(ahead))
				}
				if got := c.Confirmed(); got != tt.confirmed {
					t.Errorf("Confirmed() = %v, want %v", got, tt.confirmed)
				}
				if got := c.Doubted(); got != tt.doubted {
					t.Errorf("Doubted() = %v, want %v", got, tt.doubted)
				}
				time.Sleep(time.Minute)
				if c.Doubted() {
					t.Error("Doubted() a minute later = true, want false")
				}
			})
		})
	}
}
