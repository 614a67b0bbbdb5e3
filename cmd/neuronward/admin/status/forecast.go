package status

import (
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/quota"
)

// A forecast looks at the last minutes and at the last hour, or as much of it as was counted, and takes the slower and
// the faster of both, with some more to each side: how people call is never even.
const (
	maxCounted = time.Hour
	spread     = 0.1
)

// A Forecast is what the day comes to if calls go on as in the last hour.
type Forecast struct {
	Low      Neurons    `json:"low"`      // spent by the reset, if no limit ends it
	High     Neurons    `json:"high"`     //
	Earliest *time.Time `json:"earliest"` // when the limit is reached; null: not before the reset
	Latest   *time.Time `json:"latest"`   //
}

// ForecastOf returns the forecast of a day from its samples, the oldest first; nil where too little was counted, where
// the day is spent already, and where nothing was spent of late.
func ForecastOf(t *Today, samples []minutes.Sample, now time.Time) *Forecast {
	if t.Day == nil || t.ExhaustedAt != nil || len(samples) == 0 || now.Sub(samples[0].At) < quota.MinCounted {
		return nil
	}
	spent := (*t.Used + *t.External).Float()
	slow, fast := rateSince(samples, spent, now, quota.MinCounted), rateSince(samples, spent, now, maxCounted)
	slow, fast = (1-spread)*min(slow, fast), (1+spread)*max(slow, fast)
	if fast <= 0 {
		return nil
	}
	left := max(t.Day.End().Sub(now), 0)
	f := &Forecast{Low: wholeNeurons(spent + slow*left.Seconds()), High: wholeNeurons(spent + fast*left.Seconds())}
	if t.Remaining != nil {
		f.Earliest, f.Latest = spentIn(t, fast, now), spentIn(t, slow, now)
	}
	return f
}

// wholeNeurons are n whole ones.
func wholeNeurons(n float64) Neurons { return Neurons(quota.FromFloat(n)) }

// rateSince returns the whole neurons a second that were spent in the last time d, or in as much of it as is known.
func rateSince(samples []minutes.Sample, spent float64, now time.Time, d time.Duration) float64 {
	for _, s := range samples {
		if age := now.Sub(s.At); age <= d+time.Minute { // there is one a minute
			return max(spent-s.Used-s.External, 0) / max(age, time.Minute).Seconds()
		}
	}
	return 0
}

// spentIn is when the rest of the day is spent at a rate, nil for not before the reset.
func spentIn(t *Today, perSecond float64, now time.Time) *time.Time {
	left := t.Day.End().Sub(now).Seconds()
	if t.Remaining.Float() >= perSecond*left {
		return nil
	}
	return Time(now.Add(time.Duration(t.Remaining.Float() / perSecond * float64(time.Second))))
}
