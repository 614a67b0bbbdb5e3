package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// oversell: many replicas with reports that are lost, repeated and late.
func oversell(t *testing.T, open Place) {
	s := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var spent quota.Neurons
	const small = 50_000 // micro-neurons
	for i := range 500 {
		wg.Go(func() {
			rng := random(1, i)
			who := replica{name: quota.Replica(fmt.Sprint("h", i))}
			var used, held quota.Neurons
			report := func() quota.Report {
				return who.report(quota.BudgetRequest{
					Budget: quota.Account, Limit: small, Spent: used, Held: held,
					Min: quota.Neurons(1 + rng.IntN(5)), Want: quota.Neurons(5 + rng.IntN(100)),
				})
			}
			for range 2 {
				if rng.IntN(4) == 0 {
					_, _ = s.Sync(t.Context(), report()) // the reply is lost
				}
				r := report()
				reply, err := s.Sync(t.Context(), r)
				if err != nil {
					t.Error(err)
					return
				}
				if rng.IntN(4) == 0 {
					again, err := s.Sync(t.Context(), r)
					if err != nil || again.Granted[0] != reply.Granted[0] {
						t.Errorf("repeated report: got %v granted, %v, want %v", again.Granted, err, reply.Granted[0])
					}
				}
				held += reply.Granted[0]
				use := min(held, quota.Neurons(rng.IntN(150)))
				used, held = used+use, held-use
			}
			mu.Lock()
			spent += used + held
			mu.Unlock()
			last := quota.BudgetRequest{Budget: quota.Account, Limit: small, Spent: used, Held: held}
			if _, err := s.Sync(t.Context(), who.report(last)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	who := replica{name: "last"}
	rest := quota.BudgetRequest{Budget: quota.Account, Limit: small, Want: small, Min: 1}
	reply := send(t, s, who.report(rest))
	got := reply.Balances[0]
	if got.Free != 0 || got.Spent+got.Held+got.Lost != small {
		t.Errorf("got %d free, %d spent, held or lost; want 0, %d micro-neurons",
			got.Free, got.Spent+got.Held+got.Lost, small)
	}
	if spent+reply.Granted[0] != small {
		t.Errorf("got %d spent or held by replicas and %d left over, want %d micro-neurons together",
			spent, reply.Granted[0], small)
	}
}

// ledgers: three ledgers share a store under 500 goroutines, until nothing fits
// any more.
func ledgers(t *testing.T, open Place) {
	s := open(t)
	const limit = 300 * n
	all := make([]*quota.Ledger, 3)
	for i := range all {
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: limit, Wait: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = l
	}
	var billed atomic.Int64
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			rng := random(2, i)
			for spendOne(t, all[i%len(all)], rng, &billed) {
			}
		})
	}
	wg.Wait()
	total := quota.Neurons(billed.Load())
	if total > limit || total < limit-3*n {
		t.Errorf("got %v billed, want %v to %v", total, limit-3*n, limit)
	}
	for _, l := range all {
		if f := l.Snapshot().InFlight; f != 0 {
			t.Errorf("got %d calls in flight, want 0", f)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	last, err := quota.New(t.Context(), quota.Options{Store: s, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	status := last.Snapshot().Account
	if status.Used != total {
		t.Errorf("got %v used, want %v as billed", status.Used, total)
	}
	if status.Held != 0 || status.Reserved != 0 {
		t.Errorf("got %v held, %v reserved; want 0, 0", status.Held, status.Reserved)
	}
	if status.Lost != 0 {
		t.Errorf("got %v lost, want 0", status.Lost)
	}
	if err := last.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// spendOne makes a call and reports whether it was admitted.
func spendOne(t *testing.T, l *quota.Ledger, rng *rand.Rand, billed *atomic.Int64) bool {
	estimate := quota.Neurons(1 + rng.Int64N(int64(n)))
	res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: estimate})
	if err != nil {
		t.Error(err)
		return false
	}
	if res == nil {
		if d.Outcome != quota.Exhausted && d.Outcome != quota.Contended {
			t.Errorf("got decision %+v, want %v or %v", d, quota.Exhausted, quota.Contended)
		}
		return false
	}
	cost := quota.Neurons(rng.Int64N(int64(estimate) + 1))
	billed.Add(int64(cost))
	res.Settle(quota.Cost{Neurons: cost})
	return true
}

// random returns numbers that are the same in every run.
func random(seed uint64, goroutine int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(goroutine))) //nolint:gosec // a test that can be repeated
}
