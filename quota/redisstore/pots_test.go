package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// 50 clients call at 4 replicas. What is held for one client at one replica is
// not out of reach: nearly all of the account's day can be used, whether the
// clients' budgets add up to it or each may have it all.
func TestClientPotsDoNotPinNeurons(t *testing.T) {
	const (
		clients  = 50
		replicas = 4
	)
	ceiling := 5_000 * n
	for _, budget := range []quota.Neurons{ceiling / clients, ceiling} {
		t.Run(fmt.Sprint("budgets of ", budget), func(t *testing.T) {
			s := old(t, open(t, shared.url(""), t.Name(), patient))
			var ledgers [replicas]*quota.Ledger
			for i := range ledgers {
				l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: ceiling, Wait: 5 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ledgers[i] = l
			}
			var spent [clients]quota.Neurons
			var wg sync.WaitGroup
			for c := range clients {
				rng := rand.New(rand.NewPCG(1, uint64(c)))
				wg.Go(func() {
					for {
						res, d, err := ledgers[rng.IntN(replicas)].Reserve(t.Context(), quota.Call{
							Model: "m", Client: fmt.Sprint(c), ClientLimit: budget, Estimate: 2 * n,
						})
						switch {
						case err != nil:
							t.Error(err)
							return
						case d.Outcome == quota.Exhausted:
							return
						case res == nil: // contended
							continue
						}
						cost := n/2 + quota.Neurons(rng.Int64N(int64(n)))
						res.Settle(quota.Cost{Neurons: cost})
						spent[c] += cost
					}
				})
			}
			began := time.Now()
			wg.Wait()
			var sum quota.Neurons
			for c, amount := range spent {
				sum += amount
				if amount > budget {
					t.Errorf("client %d spent %v of %v", c, amount, budget)
				}
			}
			t.Logf("%v of %v (%.1f %%) in %v", sum, ceiling, 100*sum.Float()/ceiling.Float(), time.Since(began).Round(time.Millisecond))
			if sum > ceiling || sum < ceiling*95/100 {
				t.Errorf("%v of %v were used", sum, ceiling)
			}
			for _, l := range ledgers {
				if err := l.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
