package quota_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func TestFromFloatRoundsUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		neurons float64
		want    quota.Neurons
	}{
		{"nothing", 0, 0},
		{"whole", 104, 104_000_000},
		{"two decimals", 104.2, 104_200_000},
		{"a product that is not exact", 0.000123, 123},
		{"six decimals", 0.010224, 10_224},
		{"a remainder", 0.0000011, 2},
		{"the least there is", math.SmallestNonzeroFloat64, 1},
		{"negative", -3, 0},
		{"not a number", math.NaN(), 0},
		{"beyond what fits", 1e20, quota.MaxNeurons},
		{"infinite", math.Inf(1), quota.MaxNeurons},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := quota.FromFloat(c.neurons); got != c.want {
				t.Errorf("FromFloat(%v) = %d, want %d", c.neurons, got, c.want)
			}
		})
	}
}

func TestFloatComesBack(t *testing.T) {
	for n := quota.Neurons(1); n < quota.MaxNeurons/1_000_000; n = n*3 + 7 {
		if got := quota.FromFloat(n.Float()); got != n {
			t.Errorf("FromFloat(%v) = %d, want %d", n.Float(), got, n)
		}
	}
}

func TestNeuronsString(t *testing.T) {
	for _, c := range []struct {
		n    quota.Neurons
		want string
	}{
		{0, "0.00"},
		{104_200_000, "104.20"},
		{4_999, "0.00"},
		{5_000, "0.01"},
		{994_999, "0.99"},
		{995_000, "1.00"},
		{10_000_000_000, "10000.00"},
		{-1_230_000, "-1.23"},
		{-1, "0.00"},
		{quota.MaxNeurons, "9223372036854.78"},
		{math.MinInt64, "-9223372036854.78"},
	} {
		if got := c.n.String(); got != c.want {
			t.Errorf("%d: got %q, want %q", int64(c.n), got, c.want)
		}
	}
}

func TestAddHoldsAtTheEnds(t *testing.T) {
	for _, c := range []struct{ a, b, want quota.Neurons }{
		{1, 2, 3},
		{5, -7, -2},
		{quota.MaxNeurons, 1, quota.MaxNeurons},
		{quota.MaxNeurons, quota.MaxNeurons, quota.MaxNeurons},
		{quota.MaxNeurons, -quota.MaxNeurons, 0},
		{-quota.MaxNeurons, -quota.MaxNeurons, -quota.MaxNeurons},
	} {
		if got := c.a.Add(c.b); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func ExampleNeurons() {
	n := quota.FromFloat(104.2)
	fmt.Println(n, n.Float(), int64(n))
	// Output: 104.20 104.2 104200000
}
