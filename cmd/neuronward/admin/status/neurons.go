package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// Neurons are quota.Neurons as JSON has them: a number of whole neurons with as many decimals as it needs, at most 6.
type Neurons quota.Neurons

// MarshalJSON implements json.Marshaler. It never fails.
func (n Neurons) MarshalJSON() ([]byte, error) {
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "-", -uint64(n)
	}
	const one = uint64(quota.OneNeuron)
	text := sign + strconv.FormatUint(abs/one, 10)
	if rest := abs % one; rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return []byte(text), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Neurons) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	whole, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(whole) > 9e12 {
		return fmt.Errorf("%.64q is not a number of neurons", text)
	}
	*n = Neurons(math.Round(whole * float64(quota.OneNeuron)))
	return nil
}

// Float returns n in whole neurons.
func (n Neurons) Float() float64 { return quota.Neurons(n).Float() }

// String returns n in whole neurons with two decimals.
func (n Neurons) String() string { return quota.Neurons(n).String() }
