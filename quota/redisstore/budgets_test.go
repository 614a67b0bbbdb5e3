package redisstore

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// 50 clients call 4 replicas. Neurons that one replica holds for one client are not
// unavailable to the rest: nearly all of the account's day can be used, whether the
// clients' budgets add up to it or each may use all of it.
func TestClientBudgetsDoNotPinNeurons(t *testing.T) {
	const (
		clients  = 50
		replicas = 4
	)
	limit := 5_000 * n
	for _, budget := range []quota.Neurons{limit / clients, limit} {
		t.Run(fmt.Sprint("budgets of ", budget), func(t *testing.T) {
			s := settled(t, open(t, shared.url(""), cryptorand.Text(), patient))
			var ledgers [replicas]*quota.Ledger
			for i := range ledgers {
				l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: limit, Wait: 5 * time.Second})
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
					t.Errorf("client %d: got %v spent, want at most %v", c, amount, budget)
				}
			}
			t.Logf("%v of %v (%.1f %%) in %v",
				sum, limit, 100*sum.Float()/limit.Float(), time.Since(began).Round(time.Millisecond))
			if sum > limit || sum < limit*95/100 {
				t.Errorf("got %v used, want %v to %v", sum, limit*95/100, limit)
			}
			for _, l := range ledgers {
				if err := l.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
