package storetest

import (
	"errors"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func grants(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	reply := send(t, s, a.report(request(0, 0, 5*n, 100*n)))
	wantReply(t, reply, 100*n, quota.Balance{Held: 100 * n, Free: limit - 100*n})
	if reply.Replicas != 1 {
		t.Errorf("first report: got %d replicas, want 1", reply.Replicas)
	}
	if !reply.Joined {
		t.Error("first report: got Joined false, want true")
	}
	if reply.Time.IsZero() {
		t.Error("first report: got no time, want the store's")
	}
	reply = send(t, s, a.report(request(60*n, 40*n, 1, limit)))
	wantReply(t, reply, limit-100*n, quota.Balance{Spent: 60 * n, Held: limit - 60*n})
	if reply.Joined {
		t.Error("second report: got Joined true, want false")
	}
	kept := quota.Balance{Spent: 60 * n, Held: 5 * n, Free: limit - 65*n}
	wantReply(t, send(t, s, a.report(request(60*n, 5*n, limit, limit))), 0, kept)
	wantReply(t, send(t, s, a.report(request(60*n, 5*n, 0, 0))), 0, kept)
	r := a.report(request(60*n, 5*n, 1, 1))
	r.Requests[0].Reserved = 3 * n
	kept = quota.Balance{Spent: 60 * n, Held: 5*n + 1, Reserved: 3 * n, Free: limit - 65*n - 1}
	wantReply(t, send(t, s, r), 1, kept)
}

func repeated(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	r := a.report(request(0, 0, 1, limit-100*n))
	first := send(t, s, r)
	send(t, s, b.report(request(0, 0, 1, 60*n)))
	again := send(t, s, r)
	if again.Granted[0] != first.Granted[0] {
		t.Errorf("repeated report: got %v granted, want %v as before", again.Granted[0], first.Granted[0])
	}
	if free := again.Balances[0].Free; free != 40*n {
		t.Errorf("repeated report: got %v free, want %v", free, 40*n)
	}
	r.Records = []quota.Record{{Model: "m", Calls: 7}}
	send(t, s, r)
	if h, err := s.History(t.Context(), day, day); err != nil || len(h) != 0 {
		t.Errorf("records of a repeated report: got %v, %v, want none", h, err)
	}
}

func stale(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	old := a.report(request(0, 0, 1, 900*n))
	send(t, s, a.report(request(10*n, 20*n, 0, 0)))
	if reply, err := s.Sync(t.Context(), old); !errors.Is(err, quota.ErrStale) {
		t.Errorf("stale report: got %+v, %v, want %v", reply, err, quota.ErrStale)
	}
	kept := quota.Balance{Spent: 10 * n, Held: 20 * n, Free: limit - 30*n}
	wantReply(t, send(t, s, a.report(request(10*n, 20*n, 0, 0))), 0, kept)
}

// A reply was lost: the replica does not know of the grant, and its next report
// takes it back.
func absolute(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	send(t, s, a.report(request(0, 0, 1, 900*n)))
	reply := send(t, s, a.report(request(0, 0, 1, 50*n)))
	wantReply(t, reply, 50*n, quota.Balance{Held: 50 * n, Free: limit - 50*n})
}

func days(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	send(t, s, a.report(request(0, 0, limit, limit)))
	next := a.report(request(0, 0, limit, limit))
	next.Day++
	wantReply(t, send(t, s, next), limit, quota.Balance{Held: limit})
	wantReply(t, send(t, s, a.report(request(limit, 0, 1, 1))), 0, quota.Balance{Spent: limit})
}

func budgets(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	ofClient := clientRequest(20*n, 0, 50*n)
	reply := send(t, s, a.report(request(0, 0, 1, 70*n), ofClient))
	if reply.Granted[0] != 70*n || reply.Granted[1] != 20*n {
		t.Errorf("got %v granted, want [%v %v]", reply.Granted, 70*n, 20*n)
	}
	// A report without a budget leaves it alone.
	send(t, s, a.report(request(0, 70*n, 0, 0)))
	b := replica{name: "b"}
	if reply := send(t, s, b.report(ofClient)); reply.Granted[0] != 0 || reply.Balances[0].Held != 20*n {
		t.Errorf("client's budget: got %v granted, %v held; want 0, %v",
			reply.Granted[0], reply.Balances[0].Held, 20*n)
	}
}

func overrun(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(0, 0, 1, limit)))
	kept := quota.Balance{Spent: limit + 7*n, Held: 5 * n, Free: -12 * n}
	wantReply(t, send(t, s, a.report(request(limit+7*n, 5*n, 1, n))), 0, kept)
	wantReply(t, send(t, s, b.report(request(0, 0, 0, n))), 0, kept)
}

func unlimited(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	r := quota.BudgetRequest{Budget: quota.Account, Spent: 50_000 * n, Held: 3 * n, Reserved: 3 * n, Want: n}
	reply := send(t, s, a.report(r))
	if reply.Granted[0] != 0 {
		t.Errorf("got %v granted, want 0", reply.Granted[0])
	}
	if want := (quota.Balance{Spent: 50_000 * n, Held: 3 * n, Reserved: 3 * n}); reply.Balances[0] != want {
		t.Errorf("balance: got %+v, want %+v", reply.Balances[0], want)
	}
}
