package quota

import (
	"math"
	"time"
)

// The margin is given back in the last hour of the day, in steps: a limit that changes with every report would have to
// be published with every report.
const (
	marginSteps = 12
	marginStep  = 5 * time.Minute
)

// marginAt is what a margin has come to when so much of the day is left.
func marginAt(margin float64, left time.Duration) float64 {
	steps := math.Floor(float64(left) / float64(marginStep))
	return margin * min(max(steps, 0), marginSteps) / marginSteps
}

// marginOf is what of a limit a part of it comes to.
func marginOf(limit Neurons, part float64) Neurons { return Neurons(part * float64(limit)) }

// keep sets what of each limit no call may reserve now.
func (bs *budgets) keep(margin float64, left time.Duration) {
	bs.marginPart = marginAt(margin, left)
	for _, b := range bs.all {
		b.marginPart = bs.marginPart
	}
}
