package schema

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func (m *maker) number(all []*jsonschema.Schema, whole bool) (value, bool) {
	var low, high, step *big.Rat
	span := big.NewRat(10, 1) // how far it may be from the one bound that it has, and from 0 without any
	var above, below bool     // the bound itself is out
	for _, s := range all {
		for _, b := range []*big.Rat{s.Minimum, s.ExclusiveMinimum} {
			if b != nil && (low == nil || b.Cmp(low) > 0 || b.Cmp(low) == 0 && b == s.ExclusiveMinimum) {
				low, above = b, b == s.ExclusiveMinimum
			}
		}
		for _, b := range []*big.Rat{s.Maximum, s.ExclusiveMaximum} {
			if b != nil && (high == nil || b.Cmp(high) < 0 || b.Cmp(high) == 0 && b == s.ExclusiveMaximum) {
				high, below = b, b == s.ExclusiveMaximum
			}
		}
		if s.MultipleOf != nil {
			step = commonMultiple(step, s.MultipleOf)
		}
	}
	if whole {
		step = commonMultiple(step, big.NewRat(1, 1))
	}
	free := step == nil
	if !free && step.Cmp(span) > 0 {
		span = step
	}
	switch {
	case low == nil && high == nil:
		low, high = new(big.Rat), span
	case low == nil:
		low = new(big.Rat).Sub(high, span)
	case high == nil:
		high = new(big.Rat).Add(low, span)
	}
	if free {
		step = big.NewRat(1, 100)
		for width := new(big.Rat).Sub(high, low); width.Sign() > 0 && step.Cmp(new(big.Rat).Quo(width, span)) > 0; {
			step = new(big.Rat).Quo(step, big.NewRat(10, 1))
		}
	}
	first := floor(new(big.Rat).Quo(low, step))
	if times := new(big.Rat).Mul(new(big.Rat).SetInt(first), step); times.Cmp(low) < 0 || above && times.Cmp(low) == 0 {
		first.Add(first, big.NewInt(1))
	}
	last := floor(new(big.Rat).Quo(high, step))
	if below && new(big.Rat).Mul(new(big.Rat).SetInt(last), step).Cmp(high) == 0 {
		last.Sub(last, big.NewInt(1))
	}
	count := new(big.Int).Sub(last, first)
	switch {
	case count.Sign() < 0 && free && low.Cmp(high) == 0 && !above && !below: // the one number that there is
		return decimal(low)
	case count.Sign() < 0:
		return value{}, false
	}
	n := int64(1000)
	if count.IsInt64() {
		n = min(n, count.Int64())
	}
	first.Add(first, big.NewInt(m.rnd.Int64N(n+1)))
	return decimal(new(big.Rat).Mul(new(big.Rat).SetInt(first), step))
}

// commonMultiple returns the least common multiple of two steps; nil is no step.
func commonMultiple(a, b *big.Rat) *big.Rat {
	if a == nil || a.Sign() == 0 {
		return b
	}
	den := new(big.Int).GCD(nil, nil, a.Denom(), b.Denom())
	num := new(big.Int).Mul(a.Num(), b.Num())
	num.Abs(num).Quo(num, new(big.Int).GCD(nil, nil, new(big.Int).Abs(a.Num()), new(big.Int).Abs(b.Num())))
	return new(big.Rat).SetFrac(num, den)
}

func floor(r *big.Rat) *big.Int {
	q, _ := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // Euclid's, of a positive denominator
	return q
}

// decimal writes r, which came out of decimals, in full.
func decimal(r *big.Rat) (value, bool) {
	digits, exact := r.FloatPrec()
	if !exact || digits > 400 {
		return value{}, false
	}
	text := r.FloatString(digits)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return value{json.Number(text), []byte(text)}, true
}
