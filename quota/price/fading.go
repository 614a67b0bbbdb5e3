package price

import (
	"math"
	"time"
)

// halfLife is how long it takes until half of a fading value is forgotten. Calls that still show it raise it again.
const halfLife = time.Hour

// fading is a value that rises at once and is forgotten little by little.
type fading struct {
	value float64
	since time.Time
}

func (f *fading) raise(v float64, at time.Time) {
	if v > f.at(at) {
		f.value, f.since = v, at
	}
}

// at is the value that holds at a time.
func (f *fading) at(at time.Time) float64 {
	if f.value == 0 {
		return 0
	}
	age := max(at.Sub(f.since), 0)
	return f.value * math.Exp2(-float64(age)/float64(halfLife))
}
