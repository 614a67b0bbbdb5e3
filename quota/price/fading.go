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

// raise takes up v as of a time, which may be before that of the present value.
func (f *fading) raise(v float64, at time.Time) {
	if at.Before(f.since) {
		v, at = faded(v, f.since.Sub(at)), f.since
	}
	if v > f.at(at) {
		f.value, f.since = v, at
	}
}

// at is the value that holds at a time.
func (f *fading) at(at time.Time) float64 {
	if f.value == 0 {
		return 0
	}
	return faded(f.value, max(at.Sub(f.since), 0))
}

// faded is what is left of v at an age.
func faded(v float64, age time.Duration) float64 {
	return v * math.Exp2(-float64(age)/float64(halfLife))
}
