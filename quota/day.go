package quota

import (
	"fmt"
	"time"
)

// Day is a UTC date, the span for which Cloudflare gives neurons: days since 1970-01-01. Days compare and subtract as
// the integers they are; as text and in JSON a day reads "2026-11-23".
type Day int32

const secondsADay = 24 * 60 * 60

// DayOf returns the UTC date of t.
func DayOf(t time.Time) Day {
	s := t.Unix()
	d := s / secondsADay
	if s%secondsADay < 0 {
		d--
	}
	return Day(d)
}

// Start returns 00:00 UTC of d.
func (d Day) Start() time.Time { return time.Unix(int64(d)*secondsADay, 0).UTC() }

// End returns 00:00 UTC of the next day, when the allocation is given anew.
func (d Day) End() time.Time { return (d + 1).Start() }

// String returns d as "2026-11-23".
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// MarshalText returns d as "2026-11-23". It never fails.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "2026-11-23".
func (d *Day) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a date such as 2026-11-23", text)
	}
	*d = DayOf(t)
	return nil
}
