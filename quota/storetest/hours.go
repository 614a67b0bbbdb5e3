package storetest

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func hours(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	report := func(who *replica, of quota.Day, some ...quota.HourSpent) {
		t.Helper()
		r := who.report(quota.BudgetRequest{Budget: quota.Account, Limit: limit})
		r.Day, r.Hours = of, some
		send(t, s, r)
		send(t, s, r) // repeated
	}
	wantHours := func(of quota.Day, want quota.Hours) {
		t.Helper()
		if got, err := s.Hours(t.Context(), of); err != nil || got != want {
			t.Errorf("%v: got %v, %v, want %v", of, got, err, want)
		}
	}
	wantHours(day, quota.Hours{})
	report(&a, day, quota.HourSpent{Hour: 0, Spent: 5 * n}, quota.HourSpent{Hour: 23, Spent: n})
	report(&b, day, quota.HourSpent{Hour: 23, Spent: 4 * n}, quota.HourSpent{Hour: 9, Spent: -n})
	wantHours(day, quota.Hours{0: 5 * n, 9: -n, 23: 5 * n})
	report(&a, day, quota.HourSpent{Hour: 23, Spent: 2 * n}) // replaces what it reported before
	report(&a, day+1, quota.HourSpent{Hour: 1, Spent: 7 * n})
	report(&a, day)
	want := quota.Hours{0: 5 * n, 9: -n, 23: 6 * n}
	wantHours(day, want)
	r := a.report()
	r.Leave = true
	send(t, s, r)
	wantHours(day, want)
	s = open(t)
	c := replica{name: "c"}
	report(&c, day, quota.HourSpent{Hour: 9, Spent: 3 * n})
	want[9] = 2 * n
	wantHours(day, want)
	s = open(t)
	wantHours(day, want)
	wantHours(day+1, quota.Hours{1: 7 * n})
	wantHours(day-1, quota.Hours{})
}
