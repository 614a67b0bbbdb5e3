package storetest

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// at is the time of day of a reading, in minutes after noon.
func at(minute int) time.Time {
	return day.Start().Add(12*time.Hour + time.Duration(minute)*time.Minute)
}

func external(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	read := quota.External{Spent: 4_000 * n, Billed: 4_100 * n, At: at(0)}
	r := a.report(of(100*n, 0, 1, 50*n), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: 9_000 * n, Min: 1, Want: 9_000 * n})
	r.External = read
	st := exchange(t, s, r)
	expect(t, st, 50*n, quota.Balance{Spent: 100 * n, Held: 50 * n, Free: limit - 4_150*n})
	if st.Granted[1] != 9_000*n {
		t.Errorf("a client's pot knows what is external: granted %v", st.Granted[1])
	}
	for _, said := range []quota.External{{}, read, {Spent: 9_000 * n, At: at(-1)}} {
		r = b.report(of(0, 0, 0, 0))
		r.External = said
		if st := exchange(t, s, r); st.External != read || st.Balances[0].Free != limit-4_150*n {
			t.Errorf("after %+v: %+v, free %v", said, st.External, st.Balances[0].Free)
		}
	}
	s = open(t)
	c := holder{name: "c"}
	r = c.report(of(0, 0, 1, limit))
	st = exchange(t, s, r)
	if st.External != read || st.Granted[0] != limit-4_150*n || st.Balances[0].Free != 0 {
		t.Errorf("after opening again: %+v", st)
	}
	if again := exchange(t, s, r); again.External != read || again.Granted[0] != st.Granted[0] {
		t.Errorf("the same report again: %+v", again)
	}
	later := quota.External{Spent: 3_000 * n, Billed: 4_200 * n, At: at(1)}
	r = c.report(of(0, limit-4_150*n, 0, 0))
	r.External = later
	if st = exchange(t, s, r); st.External != later || st.Balances[0].Free != 1_000*n {
		t.Errorf("a later reading: %+v, %+v", st.External, st.Balances[0])
	}
	r = c.report(of(0, 0, 0, 0))
	r.Day++
	if st = exchange(t, s, r); st.External != (quota.External{}) || st.Balances[0].Free != limit {
		t.Errorf("the next day: %+v", st)
	}
}

func released(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	r := a.report(of(10*n, 90*n, 0, 0))
	r.Leave = true
	exchange(t, s, r)
	for i, c := range []struct{ released, free quota.Neurons }{{30 * n, limit - 70*n}, {90 * n, limit - 10*n}, {500 * n, limit - 10*n}} {
		r = b.report(of(0, 0, 0, 0))
		r.External = quota.External{Released: c.released, At: at(i)}
		expect(t, exchange(t, s, r), 0, quota.Balance{Spent: 10 * n, Lost: 90 * n, Free: c.free})
	}
	expect(t, exchange(t, s, b.report(of(0, 0, 1, limit))), limit-10*n, quota.Balance{Spent: 10 * n, Lost: 90 * n, Held: limit - 10*n})
}
