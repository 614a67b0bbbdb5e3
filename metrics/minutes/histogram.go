package minutes

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Durations fall into buckets of logarithmic width: four for each doubling, from half a millisecond to 18 minutes. A
// quantile is off by less than a quarter, and by much less where durations are spread out.
const (
	firstOctave = 9 // 2^9 µs
	octaves     = 21
	perOctave   = 4
	buckets     = 1 + octaves*perOctave
)

// A histogram counts durations. The zero value has counted none.
type histogram struct{ counts [buckets]atomic.Uint32 }

func (h *histogram) add(d time.Duration) { h.counts[bucketOf(d)].Add(1) }

func (h *histogram) reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
}

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	octave := bits.Len64(us) - 1
	if octave < firstOctave {
		return 0
	}
	quarter := us >> (octave - 2) & (perOctave - 1)
	return min(1+(octave-firstOctave)*perOctave+int(quarter), buckets-1)
}

// bounds returns the durations of a bucket: at least from, and below to.
func bounds(bucket int) (from, to time.Duration) {
	if bucket == 0 {
		return 0, time.Microsecond << firstOctave
	}
	octave, quarter := (bucket-1)/perOctave, (bucket-1)%perOctave
	step := time.Microsecond << (octave + firstOctave - 2)
	from = time.Duration(perOctave+quarter) * step
	return from, from + step
}

// A distribution is the sum of histograms.
type distribution struct {
	counts [buckets]uint64
	total  uint64
}

func (d *distribution) add(h *histogram) {
	for i := range h.counts {
		n := uint64(h.counts[i].Load())
		d.counts[i] += n
		d.total += n
	}
}

// quantile returns the duration that a share q of all does not exceed, 0 where there are none.
func (d *distribution) quantile(q float64) time.Duration {
	if d.total == 0 {
		return 0
	}
	rank, below := q*float64(d.total), 0.0
	for i, n := range d.counts {
		if n > 0 && below+float64(n) >= rank {
			from, to := bounds(i)
			return from + time.Duration(float64(to-from)*(rank-below)/float64(n))
		}
		below += float64(n)
	}
	_, to := bounds(buckets - 1)
	return to
}
