package status

import (
	"context"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Hourly is what was spent of a day until the end of each of its hours, the first 00:00 to 01:00 UTC: 24 sums, the last
// the whole day's. Of today the present hour's goes until now, and those to come are null.
type Hourly []*Neurons

// Yesterday is what the day before cost.
type Yesterday struct {
	Day   quota.Day `json:"day"`
	Used  Neurons   `json:"used"`   // on the whole day
	ByNow *Neurons  `json:"by_now"` // until this time of the day, a part of the present hour included; null: not known
	Hours Hourly    `json:"hours"`  // null: not known
}

// hourlyOf adds hours up. Those that begin after now are left null.
func hourlyOf(hours quota.Hours, day quota.Day, now time.Time) Hourly {
	h := make(Hourly, len(hours))
	sum := quota.Neurons(0)
	for i, n := range hours {
		if begins := day.Start().Add(time.Duration(i) * time.Hour); i > 0 && begins.After(now) {
			break
		}
		sum = sum.Add(n)
		h[i] = neurons(sum)
	}
	return h
}

// hours returns the hours of today and of yesterday; before are the records of yesterday.
func (s *Source) hours(ctx context.Context, now quota.Snapshot, before []quota.Record) (Hourly, *Yesterday) {
	today, err := s.Ledger.Archive().Hours(ctx, now.Day)
	if err != nil {
		today = now.Hours // of this process alone, as its models and clients then are
	}
	yesterday := Yesterday{Day: now.Day - 1}
	for _, r := range before {
		yesterday.Used += Neurons(r.Neurons())
	}
	hours, err := s.Ledger.Archive().Hours(ctx, yesterday.Day)
	// A day that cost something and has no hours was stored by a version that kept none.
	if err == nil && (hours != quota.Hours{} || yesterday.Used == 0) {
		yesterday.ByNow = neurons(hours.Until(now.At.Sub(now.Day.Start())))
		yesterday.Hours = hourlyOf(hours, yesterday.Day, now.At)
	}
	return hourlyOf(today, now.Day, now.At), &yesterday
}
