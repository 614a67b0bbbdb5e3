package quota

import "time"

// Hours is what was settled in each hour of a UTC day, the first from 00:00 to 01:00. An hour in which a cost was
// corrected may be negative.
type Hours [24]Neurons

// An HourSpent is one hour of Hours.
type HourSpent struct {
	Hour  int // 0 to 23
	Spent Neurons
}

// Plus returns the sum of both, hour by hour.
func (h Hours) Plus(o Hours) Hours {
	for i, n := range o {
		h[i] = h[i].Add(n)
	}
	return h
}

// Until returns what was settled until a time of the day. Of the hour that this is in it counts the part that had
// passed.
func (h Hours) Until(passed time.Duration) (sum Neurons) {
	for i, n := range h {
		part := min(max(passed-time.Duration(i)*time.Hour, 0), time.Hour)
		sum = sum.Add(Neurons(float64(n) * part.Hours()))
	}
	return sum
}

// hours is what this replica has settled today.
type hours struct {
	Hours
	unpublished [24]bool // changed since the last report
}

// book counts n as settled at now. A clock that went back to the day before counts for the first hour.
func (h *hours) book(day Day, now time.Time, n Neurons) {
	if n == 0 {
		return
	}
	hour := min(max(int(now.Sub(day.Start())/time.Hour), 0), 23)
	h.Hours[hour] += n
	h.unpublished[hour] = true
}

// publish returns the hours that have changed since the last report.
func (h *hours) publish() (some []HourSpent) {
	for i, changed := range h.unpublished {
		if changed {
			some = append(some, HourSpent{i, h.Hours[i]})
		}
	}
	h.unpublished = [24]bool{}
	return some
}

// publishSome puts some hours into the next report, too: the last one was not answered.
func (h *hours) publishSome(some []HourSpent) {
	for _, s := range some {
		h.unpublished[s.Hour] = true
	}
}

// publishAll puts every hour into the next report: the store has lost them.
func (h *hours) publishAll() {
	for i, n := range h.Hours {
		h.unpublished[i] = h.unpublished[i] || n != 0
	}
}

// newDay returns the hours of the day that has ended and begins anew.
func (h *hours) newDay() (ended []HourSpent) {
	h.publishAll()
	ended = h.publish()
	*h = hours{}
	return ended
}
