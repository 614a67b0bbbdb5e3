package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/quota"
)

// figure is an amount of neurons as JSON has it: a number of whole neurons with as many decimals as it needs, at most 6.
type figure quota.Neurons

// MarshalJSON implements json.Marshaler. It never fails.
func (f figure) MarshalJSON() ([]byte, error) { //nolint:unparam // json.Marshaler asks for the error
	sign, abs := "", uint64(f)
	if f < 0 {
		sign, abs = "-", -uint64(f)
	}
	const one = uint64(quota.OneNeuron)
	text := sign + strconv.FormatUint(abs/one, 10)
	if rest := abs % one; rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return []byte(text), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *figure) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	whole, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(whole) > 9e12 {
		return fmt.Errorf("%s is not a number of neurons", config.Shown(text))
	}
	*f = figure(math.Round(whole * float64(quota.OneNeuron)))
	return nil
}

// String returns f with two decimals.
func (f figure) String() string { return quota.Neurons(f).String() }
