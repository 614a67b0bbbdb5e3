package storetest

import (
	"maps"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

func prices(t *testing.T, open Place) {
	s := open(t)
	began := time.Date(2026, 11, 30, 12, 0, 0, 5_000_000, time.UTC)
	put := func(of quota.Day, p quota.DayPrice, want map[quota.Day]quota.DayPrice) {
		t.Helper()
		if got, err := s.Prices(t.Context(), of, p); err != nil || !maps.Equal(got, want) {
			t.Errorf("%v: got %v, %v, want %v", of, got, err, want)
		}
	}
	old := quota.DayPrice{Nanodollars: 11_000_000, Since: began}
	changed := quota.DayPrice{Nanodollars: 12_345_678, Since: began.Add(time.Minute)}
	free := quota.DayPrice{Since: began.Add(time.Hour)}
	put(day, quota.DayPrice{}, map[quota.Day]quota.DayPrice{})
	put(day, old, map[quota.Day]quota.DayPrice{day: old})
	put(day+1, old, map[quota.Day]quota.DayPrice{day: old, day + 1: old})
	put(day+1, changed, map[quota.Day]quota.DayPrice{day: old, day + 1: changed})
	// A process that began before says its own again.
	put(day+1, old, map[quota.Day]quota.DayPrice{day: old, day + 1: changed})
	want := map[quota.Day]quota.DayPrice{day: old, day + 1: changed, day + 2: free}
	put(day+2, free, want)
	send(t, s, quota.Report{Day: day + 2, Replica: "a", Seq: 1, Requests: []quota.BudgetRequest{request(n, 0, 0, 0)}})
	s = open(t)
	put(day+3, quota.DayPrice{}, want)
	for i := range quota.Day(quota.KeepDays) {
		if _, err := s.Prices(t.Context(), day+3+i, old); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Prices(t.Context(), 0, quota.DayPrice{})
	if got := len(all); err != nil || got < quota.KeepDays || got > quota.KeepDays+1 {
		t.Errorf("got %d prices, %v, want those of %d days", got, err, quota.KeepDays)
	}
}
