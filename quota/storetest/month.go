package storetest

import (
	"maps"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func committed(t *testing.T, open Place) {
	s := open(t)
	wantCommitted := func(what string, from, to quota.Day, want map[quota.Budget]quota.Neurons) {
		t.Helper()
		got, err := s.Committed(t.Context(), from, to)
		if err != nil || !maps.Equal(got.Sum(), want) {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	x := quota.ClientBudget("x")
	wantCommitted("an empty store", day, day+9, map[quota.Budget]quota.Neurons{})
	a, b := replica{name: "a"}, replica{name: "b"}
	held := clientRequest(0, 3*n, 0)
	held.Held = 2 * n
	send(t, s, a.report(request(40*n, 60*n, 0, 0), held))
	r := b.report(request(7*n, 0, 1, 5*n))
	r.External = quota.External{Spent: 1_000 * n, At: at(0)}
	send(t, s, r)
	r = b.report(request(9*n, 0, 0, 0))
	r.Day++
	send(t, s, r)
	wantCommitted("what is held, granted and external counts", day, day, map[quota.Budget]quota.Neurons{
		quota.Account: 1_112 * n, x: 5 * n,
	})
	wantCommitted("two days", day, day+1, map[quota.Budget]quota.Neurons{quota.Account: 1_121 * n, x: 5 * n})
	wantCommitted("the second day", day+1, day+9, map[quota.Budget]quota.Neurons{quota.Account: 9 * n})
	wantCommitted("days before", day-9, day-1, map[quota.Budget]quota.Neurons{})
	wantCommitted("no days", day+1, day, map[quota.Budget]quota.Neurons{})
	r = b.report(request(7*n, 0, 0, 0))
	r.External = quota.External{Spent: 1_000 * n, Released: 25 * n, At: at(1)}
	r.Leave = true
	send(t, s, r)
	leave := a.report(request(90*n, 10*n, 0, 0), clientRequest(0, 4*n, 0))
	leave.Leave = true
	send(t, s, leave)
	// Of the 10 that are lost not more than 10 are released.
	want := map[quota.Budget]quota.Neurons{quota.Account: 1_097 * n, x: 4 * n}
	wantCommitted("what was released does not count", day, day, want)
	s = open(t)
	wantCommitted("after opening again", day, day, want)
}

// keepsDays writes a day more than are kept. A store may keep it for longer.
func keepsDays(t *testing.T, open Place) {
	s := open(t)
	for i := range quota.Day(quota.KeepDays + 1) {
		r := quota.Report{
			Day: day + i, Replica: "a", Seq: 1, Leave: true,
			Requests: []quota.BudgetRequest{request(n, 0, 0, 0)},
			Records:  []quota.Record{{Model: "m", Calls: 1, Reported: n}},
		}
		send(t, s, r)
	}
	if quota.KeepDays < 62 {
		t.Errorf("got %d days kept, want 62 at least", quota.KeepDays)
	}
	s = open(t)
	last := day + quota.KeepDays
	records, err := s.History(t.Context(), day+1, last)
	if err != nil || len(records) != quota.KeepDays {
		t.Errorf("got records of %d days, %v, want %d", len(records), err, quota.KeepDays)
	}
	days, err := s.Committed(t.Context(), day+1, last)
	sum := days.Sum()
	if want := quota.KeepDays * n; err != nil || sum[quota.Account] != want {
		t.Errorf("got %v for the account, %v, want %v", sum[quota.Account], err, want)
	}
	for d, counted := range days {
		if counted[quota.Account] != n || d <= day || d > last {
			t.Errorf("got %v for the account of %v, want %v of each day asked for", counted[quota.Account], d, n)
		}
	}
}

// Replicas whose limits of the month differ, since one has read more of what was spent, agree on the lowest.
func lowestLimit(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	ofMonth := func(limit, want quota.Neurons) quota.BudgetRequest {
		return quota.BudgetRequest{Budget: quota.Account, Limit: limit, Min: 1, Want: want, Month: true}
	}
	wantGranted := func(what string, r quota.Report, granted, limit, free quota.Neurons) {
		t.Helper()
		reply := send(t, s, r)
		if got := reply.Granted[0]; got != granted {
			t.Errorf("%s: got %v granted, want %v", what, got, granted)
		}
		if got := reply.Balances[0]; got.Limit != limit || got.Free != free {
			t.Errorf("%s: got %v free of %v, want %v of %v", what, got.Free, got.Limit, free, limit)
		}
	}
	wantGranted("a alone", a.report(ofMonth(100*n, 10*n)), 10*n, 100*n, 90*n)
	wantGranted("b, whose limit is higher", b.report(ofMonth(500*n, 200*n)), 90*n, 100*n, 0)
	low := ofMonth(50*n, 0)
	low.Held = 10 * n
	wantGranted("a, whose limit has fallen", a.report(low), 0, 50*n, -50*n)
	high := ofMonth(500*n, 10*n)
	high.Held = 90 * n
	wantGranted("b then", b.report(high), 0, 50*n, -50*n)
	low.Month = false
	wantGranted("a, of which nobody asks any more", a.report(low), 0, 50*n, -50*n)
	wantGranted("b, whose limit counts now", b.report(high), 10*n, 500*n, 390*n)
	low.Month = true
	leave := a.report(low)
	leave.Leave = true
	send(t, s, leave)
	high.Held = 100 * n
	wantGranted("b when a has left", b.report(high), 10*n, 500*n, 380*n)
}
