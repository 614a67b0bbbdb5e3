package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// batches: what PutBatch keeps is found until its days are over, by whoever opens the store, and settled once.
func batches(t *testing.T, open Place) {
	s := open(t)
	wantBatch := func(what string, today quota.Day, id string, settle bool, want quota.Batch) {
		t.Helper()
		got, ok, err := s.Batch(t.Context(), today, id, settle)
		if err != nil {
			t.Fatalf("%s: got error %v, want none", what, err)
		}
		if found := want != (quota.Batch{}); ok != found {
			t.Errorf("%s: got that it is found: %v, want %v", what, ok, found)
		}
		if ok && got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	first := quota.Batch{ID: "8f0c", Day: day, Model: "m", Client: "x", Charged: 50 * n, Replica: "a"}
	second := quota.Batch{ID: `odd " id`, Day: day + 1, Model: "m", Replica: "b"}
	wantBatch("before it is there", day, first.ID, true, quota.Batch{})
	for _, b := range []quota.Batch{first, second} {
		if err := s.PutBatch(t.Context(), b); err != nil {
			t.Fatalf("PutBatch(%+v): got error %v, want none", b, err)
		}
	}
	s = open(t)
	wantBatch("on its day", day, first.ID, false, first)
	wantBatch("on its last day", day+quota.BatchDays-1, first.ID, false, first)
	wantBatch("after its days", day+quota.BatchDays, first.ID, false, quota.Batch{})
	wantBatch("the other one", day+1, second.ID, false, second)
	wantBatch("another id", day, "8f0d", false, quota.Batch{})

	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			b, ok, err := s.Batch(t.Context(), day+1, first.ID, true)
			if err != nil || !ok {
				t.Errorf("settle: got %v, error %v, want the batch", ok, err)
			} else if !b.Settled {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if got := wins.Load(); got != 1 {
		t.Errorf("of 20 who settle it: got %d to whom it was not settled, want 1", got)
	}
	s = open(t)
	settled := first
	settled.Settled = true
	wantBatch("once it is settled", day+1, first.ID, true, settled)
	wantBatch("the other one, which is not", day+1, second.ID, false, second)
}

// takesBack: a replica that corrects what another one has spent reports less than nothing.
func takesBack(t *testing.T, open Place) {
	s := open(t)
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(50*n, 10*n, 0, 0)))
	wantReply(t, send(t, s, b.report(request(-30*n, 0, 0, 0))), 0,
		quota.Balance{Spent: 20 * n, Held: 10 * n, Free: limit - 30*n})
	wantReply(t, send(t, s, a.report(request(60*n, 10*n, 1, n))), n,
		quota.Balance{Spent: 30 * n, Held: 11 * n, Free: limit - 41*n})
	wantReply(t, send(t, s, b.report(request(5*n, 0, 0, 0))), 0,
		quota.Balance{Spent: 65 * n, Held: 11 * n, Free: limit - 76*n})
	wantReply(t, send(t, s, b.report(request(-10*n, 0, 0, 0))), 0,
		quota.Balance{Spent: 50 * n, Held: 11 * n, Free: limit - 61*n})
	r := b.report(request(-10*n, 0, 0, 0))
	r.Leave = true
	send(t, s, r)
	s = open(t)
	c := replica{name: "c"}
	if got := send(t, s, c.report(request(0, 0, 0, 0))).Balances[0].Spent; got != 50*n {
		t.Errorf("opened again: got %v spent, want 50", got)
	}
}
