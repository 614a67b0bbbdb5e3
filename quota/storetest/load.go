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

// oversell: many holders with reports that are lost, repeated and late.
func oversell(t *testing.T, open Place) {
	s := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var spent quota.Neurons
	const small = 50_000 // micro-neurons
	for i := range 500 {
		wg.Go(func() {
			rng := random(1, i)
			h := holder{name: quota.Replica(fmt.Sprint("h", i))}
			var used, held quota.Neurons
			claim := func() quota.Report {
				return h.report(quota.BudgetRequest{
					Budget: quota.Account, Limit: small, Spent: used, Held: held,
					Min: quota.Neurons(1 + rng.IntN(5)), Want: quota.Neurons(5 + rng.IntN(100)),
				})
			}
			for range 2 {
				if rng.IntN(4) == 0 {
					_, _ = s.Sync(t.Context(), claim()) // the answer is lost
				}
				r := claim()
				st, err := s.Sync(t.Context(), r)
				if err != nil {
					t.Error(err)
					return
				}
				if rng.IntN(4) == 0 {
					again, err := s.Sync(t.Context(), r)
					if err != nil || again.Granted[0] != st.Granted[0] {
						t.Errorf("granted %v, then %v, %v", st.Granted[0], again.Granted[0], err)
					}
				}
				held += st.Granted[0]
				use := min(held, quota.Neurons(rng.IntN(150)))
				used, held = used+use, held-use
			}
			mu.Lock()
			spent += used + held
			mu.Unlock()
			if _, err := s.Sync(t.Context(), h.report(quota.BudgetRequest{Budget: quota.Account, Limit: small, Spent: used, Held: held})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h := holder{name: "last"}
	st := exchange(t, s, h.report(quota.BudgetRequest{Budget: quota.Account, Limit: small, Want: small, Min: 1}))
	if bal := st.Balances[0]; bal.Free != 0 || bal.Spent+bal.Held+bal.Lost != small || spent+st.Granted[0] != small {
		t.Errorf("%v spent or held, %v left over, of %v: %+v", int64(spent), int64(st.Granted[0]), small, bal)
	}
}

// ledgers: three ledgers share a store under 500 goroutines, until nothing fits
// any more.
func ledgers(t *testing.T, open Place) {
	s := open(t)
	const ceiling = 300 * n
	all := make([]*quota.Ledger, 3)
	for i := range all {
		l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: ceiling, Wait: 20 * time.Second})
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
			for {
				estimate := quota.Neurons(1 + rng.Int64N(int64(n)))
				res, d, err := all[i%len(all)].Reserve(t.Context(), quota.Call{Model: "m", Estimate: estimate})
				if err != nil {
					t.Error(err)
					return
				}
				if res == nil {
					if d.Outcome != quota.Exhausted && d.Outcome != quota.Contended {
						t.Errorf("%+v", d)
					}
					return
				}
				cost := quota.Neurons(rng.Int64N(int64(estimate) + 1))
				billed.Add(int64(cost))
				res.Settle(quota.Cost{Neurons: cost})
			}
		})
	}
	wg.Wait()
	total := quota.Neurons(billed.Load())
	if total > ceiling || total < ceiling-3*n {
		t.Errorf("billed %v of %v", total, ceiling)
	}
	for _, l := range all {
		if f := l.Snapshot().InFlight; f != 0 {
			t.Errorf("%d in flight", f)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	last, err := quota.New(t.Context(), quota.Options{Store: s, Limit: ceiling})
	if err != nil {
		t.Fatal(err)
	}
	if st := last.Snapshot().Account; st.Used != total || st.Held != 0 || st.Lost != 0 || st.Reserved != 0 {
		t.Errorf("billed %v; %+v", total, st)
	}
	if err := last.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// random returns numbers that are the same in every run.
func random(seed uint64, goroutine int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(goroutine))) //nolint:gosec // a test that can be repeated
}
