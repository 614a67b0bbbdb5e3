package dayplan

import (
	"math"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const length = 24 * time.Hour

// A Call is what one call reserves while it runs, and what it costs then.
type Call struct{ Reserved, Cost quota.Neurons }

// A Plan is a day that is to be worked out. All callers begin at 00:00 UTC, and each makes its next call as soon as the
// last one has ended.
type Plan struct {
	Limit     quota.Neurons // of the day; 0: none
	Callers   int           // at least one
	Duration  time.Duration // of a call; above 0
	PerMinute int           // calls that may begin in a minute; 0: any number
	Call      Call          // each of them

	// Fit returns the call that is made while so much can be reserved, where that decides about it; nil: it is Call.
	Fit func(left quota.Neurons) Call
}

// A Limit says what keeps a day from having more calls.
type Limit string

// The limits.
const (
	Callers  Limit = "callers"  // all of them call without a pause
	Requests Limit = "requests" // a minute
	Neurons  Limit = "neurons"
)

// A Day is what a Plan comes to.
type Day struct {
	Calls     int64
	Used      quota.Neurons
	AtOnce    int           // calls that fit beside each other at 00:00; 0 without a limit
	LimitedBy Limit         // the first of these that applies: neurons, requests, callers
	Waiting   time.Duration // since 00:00, when the first caller waits for neurons; the whole day: none does
	Spent     time.Duration // since 00:00, when no call fits any more; the whole day: always one does
}

// Day works out a plan. Calls that run at 24:00 are of the day.
func (p Plan) Day() Day {
	d := Day{LimitedBy: Callers, Waiting: length, Spent: length}
	if p.Limit > 0 {
		d.AtOnce, _ = p.begin(p.Limit, math.MaxInt)
	} else if p.Fit != nil { // all that it may ask for is always left
		p.Call, p.Fit = p.Fit(quota.MaxCost), nil
	}
	perRound := float64(p.PerMinute) * p.Duration.Minutes()
	allowed := 0.0
	for now := time.Duration(0); now < length; now += p.Duration {
		callers := p.Callers
		if allowed += perRound; p.PerMinute > 0 && allowed < float64(callers) {
			callers = int(allowed)
			d.LimitedBy = Requests
		}
		calls, cost := callers, p.Call.Cost*quota.Neurons(callers)
		if p.Limit > 0 {
			calls, cost = p.begin(p.Limit-d.Used, callers)
		}
		allowed -= float64(calls)
		d.Calls += int64(calls)
		d.Used = d.Used.Add(cost)
		if calls < callers {
			d.Waiting = min(d.Waiting, now)
			if calls == 0 {
				d.Spent = now
				break
			}
		}
	}
	if d.Waiting < length {
		d.LimitedBy = Neurons
	}
	return d
}

// begin begins as many calls as fit into what is left, at most callers, and returns what they cost.
func (p Plan) begin(left quota.Neurons, callers int) (calls int, cost quota.Neurons) {
	if p.Fit == nil {
		calls = int(min(max(left, 0)/p.Call.Reserved, quota.Neurons(callers)))
		return calls, p.Call.Cost * quota.Neurons(calls)
	}
	for calls < callers {
		c := p.Fit(left)
		if c.Reserved > left {
			break
		}
		left -= c.Reserved
		cost = cost.Add(c.Cost)
		calls++
	}
	return calls, cost
}
