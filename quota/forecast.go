package quota

import (
	"time"

	"github.com/neuronward/neuronward/quota/rate"
)

// MinCounted is how long neurons must have been counted before there is a forecast: a few calls after a start say
// little.
const MinCounted = 15 * time.Minute

// forecast is when the account's day was spent, or will be.
type forecast struct {
	rate.Spending[Neurons]
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
// the reset, or too little counted. Calls in flight count once they are settled.
func (f *forecast) expectedAt(account *budget, b *blockState, end, now time.Time) time.Time {
	if at := f.exhaustedAt(b, now); !at.IsZero() || account.limit == 0 || now.Sub(f.Since()) < MinCounted {
		return at
	}
	left := max(account.reservable(), 0).Float()
	speed := f.neuronsPerSecond(now)
	if left >= speed*end.Sub(now).Seconds() {
		return time.Time{}
	}
	return now.Add(time.Duration(left / speed * float64(time.Second)))
}

// neuronsPerSecond is what is spent a second at present, in whole neurons.
func (f *forecast) neuronsPerSecond(now time.Time) float64 { return f.Rate(now) / float64(OneNeuron) }
