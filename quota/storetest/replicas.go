package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

func reopen(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	r := a.report(request(0, 0, 1, 100*n), clientRequest(9*n, 0, 9*n))
	until := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	r.Block.Set = quota.Block{Set: true, At: until.Add(-time.Hour), Until: until}
	send(t, s, r)
	r = a.report(request(30*n, 70*n, 0, 0), clientRequest(9*n, 9*n, 0))
	r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 3, Reported: 30 * n}}
	r.Leave = true
	send(t, s, r)
	s = open(t)
	b := replica{name: "b"}
	reply := send(t, s, b.report(request(0, 0, 1, limit), clientRequest(9*n, 0, 9*n)))
	wantReply(t, reply, limit-100*n, quota.Balance{Spent: 30 * n, Lost: 70 * n, Held: limit - 100*n})
	if reply.Granted[1] != 0 || reply.Balances[1].Spent != 9*n {
		t.Errorf("client's budget: got %v granted, %v spent; want 0, %v",
			reply.Granted[1], reply.Balances[1].Spent, 9*n)
	}
	if !reply.Block.Set || !reply.Block.Until.Equal(until) {
		t.Errorf("block: got %+v, want one until %v", reply.Block, until)
	}
	h, err := s.History(t.Context(), day, day)
	want := quota.Record{Day: day, Model: "m", Client: "x", Calls: 3, Reported: 30 * n}
	if err != nil {
		t.Fatal(err)
	}
	if len(h) != 1 || h[0] != want {
		t.Errorf("history: got %+v, want [%+v]", h, want)
	}
}

func second(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(0, 0, 1, limit)))
	waits := request(0, 0, 50*n, 50*n)
	waits.Waiting = 50 * n
	reply := send(t, s, b.report(waits))
	wantReply(t, reply, 0, quota.Balance{Held: limit})
	if reply.Replicas != 2 {
		t.Errorf("got %d replicas, want 2", reply.Replicas)
	}
	reply = send(t, s, a.report(request(0, limit-40*n, 0, 0)))
	wantReply(t, reply, 0, quota.Balance{Held: limit - 40*n, Free: 40 * n, Waiting: 50 * n})
	wantReply(t, send(t, s, b.report(waits)), 0, quota.Balance{Held: limit - 40*n, Free: 40 * n})
	send(t, s, a.report(request(0, limit-50*n, 0, 0)))
	wantReply(t, send(t, s, b.report(waits)), 50*n, quota.Balance{Held: limit})
}

func dies(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	send(t, s, a.report(request(0, 0, 1, 100*n)))
	send(t, s, a.report(request(40*n, 60*n, 0, 0)))
	s = open(t)
	b := replica{name: "b"}
	reply := send(t, s, b.report(request(0, 0, 1, limit)))
	if reply.Granted[0] != limit-100*n {
		t.Errorf("got %v granted, want %v", reply.Granted[0], limit-100*n)
	}
	got := reply.Balances[0]
	if got.Spent != 40*n {
		t.Errorf("got %v spent, want %v", got.Spent, 40*n)
	}
	if got.Held+got.Lost != limit-40*n || got.Free != 0 {
		t.Errorf("got %v held or lost, %v free; want %v, 0", got.Held+got.Lost, got.Free, limit-40*n)
	}
}

func leaves(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(0, 0, 1, 100*n)))
	r := a.report(request(90*n, 4*n, 0, 0))
	r.Leave = true
	send(t, s, r)
	reply := send(t, s, b.report(request(0, 0, 1, n)))
	wantReply(t, reply, n, quota.Balance{Spent: 90 * n, Lost: 4 * n, Held: n, Free: limit - 95*n})
	if reply.Replicas != 1 {
		t.Errorf("got %d replicas, want 1", reply.Replicas)
	}
}

func block(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	at := time.Date(2026, 11, 23, 17, 0, 0, 1e6, time.UTC)
	set := quota.Block{Set: true, At: at, Until: at.Add(7 * time.Hour)}
	wantBlock := func(what string, r quota.Report, want quota.Block) {
		t.Helper()
		if got := send(t, s, r).Block; got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	r := a.report(request(0, 0, 0, 0))
	r.Block.Set = set
	wantBlock("the replica that set it", r, set)
	wantBlock("another replica", b.report(request(0, 0, 0, 0)), set)
	r = b.report(request(0, 0, 0, 0))
	r.Day++ // a block does not belong to a day
	r.Block.Lift = true
	wantBlock("the replica that lifted it", r, quota.Block{})
	wantBlock("another replica, then", a.report(request(0, 0, 0, 0)), quota.Block{})
}

// takenBack: a ledger begins a day that has not begun, and spends there, until three dates say what day it is.
func takenBack(t *testing.T, open Place) {
	s := open(t)
	const limit = 1_000 * n
	var both [2]*quota.Ledger
	for i := range both {
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: limit, Wait: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		both[i] = l
	}
	spend := func(l *quota.Ledger, amount quota.Neurons) {
		t.Helper()
		res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: amount})
		if err != nil || res == nil {
			t.Fatalf("Reserve: got %+v, %v, want a reservation of %v", d, err, amount)
		}
		res.Settle(quota.Cost{Neurons: amount, Basis: quota.Reported})
	}
	today := both[0].Snapshot().Day
	spend(both[0], 300*n)
	spend(both[1], 200*n)
	for range 2 {
		both[0].Observe(today.End()) // at most a day ahead: a date beyond that is not believed
	}
	if got := both[0].Snapshot().Day; got != today+1 {
		t.Errorf("the day after two dates of tomorrow: got %v, want %v", got, today+1)
	}
	spend(both[0], 100*n)
	for range 3 {
		both[0].Observe(time.Now())
	}
	spend(both[0], 50*n)
	var sum [2]quota.Neurons
	for i, l := range []*quota.Ledger{both[1], both[0]} {
		records, err := l.History(t.Context(), today, today+1)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			for _, r := range records {
				sum[r.Day-today] += r.Neurons()
			}
		}
	}
	if want := [2]quota.Neurons{650 * n, 0}; sum != want {
		t.Errorf("on record today and tomorrow: got %v, want %v", sum, want)
	}
	spend(both[1], 350*n)
	for i, l := range both {
		if res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: n}); res != nil || err != nil {
			t.Errorf("ledger %d has spent the day: got %+v, %v, want no reservation", i, d, err)
			if res != nil {
				res.Release()
			}
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	hours, err := s.Hours(t.Context(), today+1)
	if got, want := hours.Until(24*time.Hour), quota.Neurons(0); err != nil || got != want {
		t.Errorf("settled tomorrow: got %v, %v, want %v", got, err, want)
	}
	sums, err := s.Committed(t.Context(), today+1, today+1)
	if got, want := sums.Sum()[quota.Account], quota.Neurons(0); err != nil || got != want {
		t.Errorf("committed tomorrow: got %v, %v, want %v", got, err, want)
	}
}
