package main

import (
	"context"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// hourly is what was spent of a day until the end of each of its hours, the first 00:00 to 01:00 UTC: 24 sums, the last the
// whole day's. Of today the present hour's goes until now, and those to come are null.
type hourly []*figure

// A dayBefore is what yesterday was like.
type dayBefore struct {
	Day   quota.Day `json:"day"`
	Used  figure    `json:"used"`   // on the whole day
	ByNow *figure   `json:"by_now"` // until this time of the day; of the present hour its part that has gone by; null: not known
	Hours hourly    `json:"hours"`  // null: not known
}

// hourlyOf adds hours up. Those that begin after now are left null.
func hourlyOf(hours quota.Hours, day quota.Day, now time.Time) hourly {
	h := make(hourly, len(hours))
	sum := quota.Neurons(0)
	for i, n := range hours {
		if begins := day.Start().Add(time.Duration(i) * time.Hour); i > 0 && begins.After(now) {
			break
		}
		sum = sum.Add(n)
		h[i] = figureOf(sum)
	}
	return h
}

// hourByHour returns the hours of today, how s tells that it stands, and yesterday, whose records are before.
func (n *neurons) hourByHour(ctx context.Context, s quota.Snapshot, before []quota.Record) (hourly, *dayBefore) {
	today, err := n.ledger.Hours(ctx, s.Day)
	if err != nil {
		today = s.Hours // this process' own, as those of models and clients
	}
	yesterday := dayBefore{Day: s.Day - 1}
	for _, r := range before {
		yesterday.Used += figure(r.Neurons())
	}
	hours, err := n.ledger.Hours(ctx, yesterday.Day)
	if err == nil && (hours != quota.Hours{} || yesterday.Used == 0) { // of a day of a version that kept no hours none are known
		yesterday.ByNow, yesterday.Hours = figureOf(hours.Until(s.At.Sub(s.Day.Start()))), hourlyOf(hours, yesterday.Day, s.At)
	}
	return hourlyOf(today, s.Day, s.At), &yesterday
}
