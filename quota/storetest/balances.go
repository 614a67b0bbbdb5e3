package storetest

import (
	"errors"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func grants(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	st := exchange(t, s, a.report(of(0, 0, 5*n, 100*n)))
	expect(t, st, 100*n, quota.Balance{Held: 100 * n, Free: limit - 100*n})
	if st.Replicas != 1 || !st.Joined || st.Time.IsZero() {
		t.Errorf("%+v", st)
	}
	st = exchange(t, s, a.report(of(60*n, 40*n, 1, limit)))
	expect(t, st, limit-100*n, quota.Balance{Spent: 60 * n, Held: limit - 60*n})
	if st.Joined {
		t.Error("a holder that is known joins again")
	}
	expect(t, exchange(t, s, a.report(of(60*n, 5*n, limit, limit))), 0, quota.Balance{Spent: 60 * n, Held: 5 * n, Free: limit - 65*n})
	expect(t, exchange(t, s, a.report(of(60*n, 5*n, 0, 0))), 0, quota.Balance{Spent: 60 * n, Held: 5 * n, Free: limit - 65*n})
	r := a.report(of(60*n, 5*n, 1, 1))
	r.Requests[0].Reserved = 3 * n
	expect(t, exchange(t, s, r), 1, quota.Balance{Spent: 60 * n, Held: 5*n + 1, Reserved: 3 * n, Free: limit - 65*n - 1})
}

func twice(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	r := a.report(of(0, 0, 1, limit-100*n))
	first := exchange(t, s, r)
	exchange(t, s, b.report(of(0, 0, 1, 60*n)))
	again := exchange(t, s, r)
	if again.Granted[0] != first.Granted[0] {
		t.Errorf("granted %v, then %v", first.Granted[0], again.Granted[0])
	}
	if free := again.Balances[0].Free; free != 40*n {
		t.Errorf("%v are free, want 40", free)
	}
	r.Records = []quota.Record{{Model: "m", Calls: 7}}
	exchange(t, s, r)
	if h, err := s.History(t.Context(), day, day); err != nil || len(h) != 0 {
		t.Errorf("a repeated report changed records: %v, %v", h, err)
	}
}

func stale(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	old := a.report(of(0, 0, 1, 900*n))
	exchange(t, s, a.report(of(10*n, 20*n, 0, 0)))
	if st, err := s.Sync(t.Context(), old); !errors.Is(err, quota.ErrStale) {
		t.Errorf("%+v, %v; want ErrStale", st, err)
	}
	expect(t, exchange(t, s, a.report(of(10*n, 20*n, 0, 0))), 0, quota.Balance{Spent: 10 * n, Held: 20 * n, Free: limit - 30*n})
}

// An answer that was lost: the holder does not know of the grant, and its next
// report takes it back.
func absolute(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	exchange(t, s, a.report(of(0, 0, 1, 900*n)))
	expect(t, exchange(t, s, a.report(of(0, 0, 1, 50*n))), 50*n, quota.Balance{Held: 50 * n, Free: limit - 50*n})
}

func days(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	exchange(t, s, a.report(of(0, 0, limit, limit)))
	next := a.report(of(0, 0, limit, limit))
	next.Day++
	expect(t, exchange(t, s, next), limit, quota.Balance{Held: limit})
	expect(t, exchange(t, s, a.report(of(limit, 0, 1, 1))), 0, quota.Balance{Spent: limit})
}

func pots(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	mine := quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: 20 * n, Min: 1, Want: 50 * n}
	st := exchange(t, s, a.report(of(0, 0, 1, 70*n), mine))
	if st.Granted[0] != 70*n || st.Granted[1] != 20*n {
		t.Errorf("granted %v, want 70 and 20", st.Granted)
	}
	// A report without a pot leaves it alone.
	exchange(t, s, a.report(of(0, 70*n, 0, 0)))
	b := holder{name: "b"}
	if st := exchange(t, s, b.report(mine)); st.Granted[0] != 0 || st.Balances[0].Held != 20*n {
		t.Errorf("%+v", st)
	}
}

func overrun(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(0, 0, 1, limit)))
	expect(t, exchange(t, s, a.report(of(limit+7*n, 5*n, 1, n))), 0, quota.Balance{Spent: limit + 7*n, Held: 5 * n, Free: -12 * n})
	expect(t, exchange(t, s, b.report(of(0, 0, 0, n))), 0, quota.Balance{Spent: limit + 7*n, Held: 5 * n, Free: -12 * n})
}

func unlimited(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	c := quota.BudgetRequest{Budget: quota.Account, Spent: 50_000 * n, Held: 3 * n, Reserved: 3 * n, Want: n}
	st := exchange(t, s, a.report(c))
	if want := (quota.Balance{Spent: 50_000 * n, Held: 3 * n, Reserved: 3 * n}); st.Granted[0] != 0 || st.Balances[0] != want {
		t.Errorf("%+v", st)
	}
}
