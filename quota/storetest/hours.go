package storetest

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func hours(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	says := func(h *holder, of quota.Day, some ...quota.HourSpent) {
		t.Helper()
		r := h.report(quota.BudgetRequest{Budget: quota.Account, Limit: limit})
		r.Day, r.Hours = of, some
		exchange(t, s, r)
		exchange(t, s, r) // the same report again
	}
	told := func(of quota.Day, want quota.Hours) {
		t.Helper()
		if got, err := s.Hours(t.Context(), of); err != nil || got != want {
			t.Errorf("%v: %v, %v; want %v", of, got, err, want)
		}
	}
	told(day, quota.Hours{})
	says(&a, day, quota.HourSpent{Hour: 0, Spent: 5 * n}, quota.HourSpent{Hour: 23, Spent: n})
	says(&b, day, quota.HourSpent{Hour: 23, Spent: 4 * n}, quota.HourSpent{Hour: 9, Spent: -n})
	told(day, quota.Hours{0: 5 * n, 9: -n, 23: 5 * n})
	says(&a, day, quota.HourSpent{Hour: 23, Spent: 2 * n}) // in place of what it said before
	says(&a, day+1, quota.HourSpent{Hour: 1, Spent: 7 * n})
	says(&a, day)
	want := quota.Hours{0: 5 * n, 9: -n, 23: 6 * n}
	told(day, want)
	r := a.report()
	r.Leave = true
	exchange(t, s, r)
	told(day, want)
	s = open(t)
	c := holder{name: "c"}
	says(&c, day, quota.HourSpent{Hour: 9, Spent: 3 * n})
	want[9] = 2 * n
	told(day, want)
	s = open(t)
	told(day, want)
	told(day+1, quota.Hours{1: 7 * n})
	told(day-1, quota.Hours{})
}
