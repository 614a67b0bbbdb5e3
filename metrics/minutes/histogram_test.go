package minutes

import (
	"math"
	"testing"
	"time"
)

func TestQuantilesAreNear(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(part float64) time.Duration // the duration of the call at this part of all
	}{
		{"alike", func(float64) time.Duration { return 730 * time.Millisecond }},
		{"evenly spread", func(p float64) time.Duration { return time.Duration(p * float64(10*time.Second)) }},
		{"a long tail", func(p float64) time.Duration {
			return time.Duration(float64(20*time.Millisecond) / (1.001 - p))
		}},
		{"minutes", func(p float64) time.Duration { return 2*time.Minute + time.Duration(p*float64(8*time.Minute)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New()
			const n = 10_000
			for i := range n {
				d := c.at((float64(i) + 0.5) / n)
				m.Ended(noon, &Call{Model: "m", Client: "c", Duration: 2 * d, FirstByte: d})
			}
			s := m.one(noon, "m")
			for _, q := range []struct {
				name      string
				got, want time.Duration
			}{
				{"median", s.P50, 2 * c.at(0.5)},
				{"99th", s.P99, 2 * c.at(0.99)},
				{"median of the first byte", s.FirstByteP50, c.at(0.5)},
				{"99th of the first byte", s.FirstByteP99, c.at(0.99)},
			} {
				if off := math.Abs(q.got.Seconds()/q.want.Seconds() - 1); off > 0.25 {
					t.Errorf("%s: got %s, want %s", q.name, q.got, q.want)
				}
			}
		})
	}
	m := New()
	m.Ended(noon, &Call{Model: "m", Client: "c", Duration: 300 * time.Hour})
	m.Ended(noon, &Call{Model: "n", Client: "c", Duration: -time.Second})
	if s := m.one(noon, "m"); s.P99 < 10*time.Minute || s.FirstByteP99 != 0 {
		t.Errorf("longer than any: got P99 %s, first byte %s; want at least 10m, and none", s.P99, s.FirstByteP99)
	}
	if s := m.one(noon, "n"); s.P99 > time.Millisecond {
		t.Errorf("less than nothing: got P99 %s, want at most 1ms", s.P99)
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	_, end := bounds(0)
	for i := 1; i < buckets; i++ {
		from, to := bounds(i)
		if from != end {
			t.Errorf("bucket %d begins at %s, want %s", i, from, end)
		}
		if got := bucketOf(from); got != i {
			t.Errorf("%s is in bucket %d, want %d", from, got, i)
		}
		if got := bucketOf(to - time.Microsecond); i < buckets-1 && got != i {
			t.Errorf("%s is in bucket %d, want %d", to-time.Microsecond, got, i)
		}
		end = to
	}
}
