package quota

import (
	"math"
	"strconv"
)

// Neurons is an amount of Cloudflare's billing unit in millionths of a neuron, so that sums are exact. The zero value
// is no neurons; negative amounts are corrections.
type Neurons int64

// OneNeuron is one whole neuron.
const OneNeuron Neurons = 1_000_000

// FreeNeurons is what Workers AI gives each account a day; on the free plan it refuses calls beyond it. No other
// figure makes it refuse.
const FreeNeurons = 10_000 * OneNeuron

// MaxNeurons is the largest amount that can be kept, about nine trillion neurons. Sums and conversions stop there
// instead of wrapping.
const MaxNeurons Neurons = math.MaxInt64

// FromFloat converts whole neurons, as the wire gives them, to Neurons. It rounds up to the next millionth, so that
// what is kept is never below what was billed. NaN and negative amounts become 0, an amount that does not fit becomes
// MaxNeurons: a caller that must tell an absent figure from 0 asks before it converts.
func FromFloat(neurons float64) Neurons { return FromMicro(neurons * float64(OneNeuron)) }

// FromMicro rounds micro-neurons up. A remainder that is no more than the error of the multiplication before it is no
// reason to round: 0.000123 neurons are 123 millionths, not one more.
func FromMicro(micro float64) Neurons {
	if math.IsNaN(micro) || micro <= 0 {
		return 0
	}
	if micro >= float64(math.MaxInt64) {
		return MaxNeurons
	}
	if r := math.Round(micro); math.Abs(micro-r) <= micro*4e-16 {
		return Neurons(r)
	}
	return Neurons(math.Ceil(micro))
}

// Add returns n + m, held at MaxNeurons and its negative instead of wrapping.
func (n Neurons) Add(m Neurons) Neurons {
	sum := n + m
	switch {
	case n > 0 && m > 0 && sum < 0:
		return MaxNeurons
	case n < 0 && m < 0 && sum >= 0:
		return -MaxNeurons
	}
	return sum
}

// Float returns n in whole neurons, as the wire writes them.
func (n Neurons) Float() float64 { return float64(n) / float64(OneNeuron) }

// String returns n in whole neurons with two decimals, "104.20", the form of Cloudflare's cf-ai-neurons header. It
// rounds to the nearest, so a small call reads "0.00"; use Float where that matters.
func (n Neurons) String() string {
	const cent = uint64(OneNeuron / 100)
	abs, sign := uint64(n), ""
	if n < 0 {
		abs, sign = -uint64(n), "-"
	}
	cents := (abs + cent/2) / cent
	if cents == 0 {
		sign = ""
	}
	frac := cents % 100
	return sign + strconv.FormatUint(cents/100, 10) + "." + string([]byte{'0' + byte(frac/10), '0' + byte(frac%10)})
}
