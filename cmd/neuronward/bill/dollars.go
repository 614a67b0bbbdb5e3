package bill

import (
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A Price is what 1,000 neurons cost in US dollars.
type Price float64

// since returns p as a store keeps it.
func (p Price) since(t time.Time) quota.DayPrice {
	return quota.DayPrice{Nanodollars: int64(math.Round(float64(p) * 1e9)), Since: t.UTC().Truncate(time.Millisecond)}
}

// priceOf returns a price as it was stored.
func priceOf(p quota.DayPrice) Price { return Price(float64(p.Nanodollars) / 1e9) }

// Dollars are US dollars, rounded to a billionth, so that sums of thousands of them are right to the cent.
type Dollars float64

// String returns d with two decimals.
func (d Dollars) String() string { return strconv.FormatFloat(float64(d), 'f', 2, 64) }

// Dollars returns what neurons that are paid for cost.
func (p Price) Dollars(paid quota.Neurons) Dollars {
	return Dollars(math.Round(paid.Float()*float64(p)*1e6) / 1e9)
}

// Add returns d + o.
func (d Dollars) Add(o Dollars) Dollars { return Dollars(math.Round(float64(d+o)*1e9) / 1e9) }

// Paid returns what of a day's neurons is paid for: those beyond the free ones.
func Paid(day quota.Neurons) quota.Neurons { return max(day-quota.FreeNeurons, 0) }

// Share returns what of a part of a day's neurons is paid for. The free neurons of the day are shared in proportion,
// whoever came first.
func Share(part, day quota.Neurons) quota.Neurons {
	paid := Paid(day)
	if paid == 0 || part <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(paid), uint64(min(part, day)))
	share, _ := bits.Div64(high, low, uint64(day)) // no overflow: it is at most part
	return quota.Neurons(share)
}
