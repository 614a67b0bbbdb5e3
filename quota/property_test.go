package quota_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A soak runs property tests more often: go test ./quota -seeds 1000
var seeds = flag.Uint64("seeds", 8, "runs of each property test")

// world is what callers do to ledgers, and what upstream would bill for it.
type world struct {
	replicas, callers int
	clients           int           // with a budget of clientLimit each; 0: none
	clientLimit       quota.Neurons //
	cost              func(rng *rand.Rand, estimate quota.Neurons) quota.Neurons

	mu     sync.Mutex
	billed quota.Neurons
	client map[string]quota.Neurons
}

const limit = 10_000 * n

// run lets the callers call until everything is refused, in one day, and returns how things stand then.
func (w *world) run(t *testing.T, seed uint64) quota.Snapshot {
	store := memstore.New(nil)
	var ledgers []*quota.Ledger
	for range max(w.replicas, 1) {
		ledgers = append(ledgers, open(t, quota.Options{Store: store, Limit: limit, Wait: 10 * time.Second}))
	}
	w.client = map[string]quota.Neurons{}
	var wg sync.WaitGroup
	for i := range w.callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			l := ledgers[i%len(ledgers)]
			c := quota.Call{Model: fmt.Sprint("m", rng.IntN(5))}
			if w.clients > 0 {
				c.Client = fmt.Sprint("c", i%w.clients)
				c.ClientLimit = w.clientLimit
			}
			// Sizes of several magnitudes: embeddings of a hundredth of a neuron, texts without a limit of sixty.
			// Small ones go on when large ones do not fit any more.
			for size := 60 * n; size > n/100; {
				c.Estimate = 1 + quota.Neurons(rng.Int64N(int64(size)))
				if !w.call(t, l, c, rng) {
					size /= 2
				}
			}
		})
	}
	wg.Wait()
	for _, l := range ledgers {
		s := l.Snapshot()
		equal(t, fmt.Sprint("seed ", seed, ": calls in flight"), s.InFlight, 0)
		equal(t, fmt.Sprint("seed ", seed, ": calls that wait"), s.Waiting, 0)
	}
	time.Sleep(2 * quota.Heartbeat) // in virtual time
	return ledgers[0].Snapshot()
}

func (w *world) call(t *testing.T, l *quota.Ledger, c quota.Call, rng *rand.Rand) (made bool) {
	ctx := t.Context()
	if rng.IntN(50) == 0 { // a caller who leaves early
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
		defer cancel()
	}
	res, d, err := l.Reserve(ctx, c)
	if err != nil {
		if ctx.Err() == nil {
			t.Errorf("Reserve() = %v, want no error while the caller stays", err)
		}
		return true
	}
	if res == nil {
		if d.Outcome == quota.Allowed {
			t.Errorf("got no reservation, want one: %+v", d)
		}
		return false
	}
	defer res.Release()
	time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
	if rng.IntN(20) == 0 {
		return true // refused by upstream: nothing is billed
	}
	cost := w.cost(rng, c.Estimate)
	w.mu.Lock()
	w.billed += cost
	w.client[c.Client] += cost
	w.mu.Unlock()
	res.Settle(quota.Cost{Neurons: cost})
	return true
}

func anythingBelow(rng *rand.Rand, estimate quota.Neurons) quota.Neurons {
	switch rng.IntN(4) {
	case 0:
		return estimate
	case 1:
		return estimate / 20
	}
	return quota.Neurons(rng.Int64N(int64(estimate) + 1))
}

// check compares what was billed with the limit and with the ledger, and returns the part of the limit that was
// billed.
func (w *world) check(t *testing.T, seed uint64, s quota.Snapshot, atLeast float64) float64 {
	t.Helper()
	used := w.billed.Float() / limit.Float()
	within(t, fmt.Sprint("seed ", seed, ": the part of the limit that was billed"), used, atLeast, 1)
	figures(t, fmt.Sprint("seed ", seed), s.Account, quota.Status{Used: w.billed})
	return used
}

func TestNeverOverAlwaysUsed(t *testing.T) {
	least, most := 1.0, 0.0
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := world{callers: 64, cost: anythingBelow}
			used := w.check(t, seed, w.run(t, seed), 0.99)
			least, most = min(least, used), max(most, used)
		})
	}
	t.Logf("%d runs: %.4f %% to %.4f %% of the limit billed", *seeds, 100*least, 100*most)
}

func TestNeverOverAlwaysUsedByThreeReplicas(t *testing.T) {
	least, most := 1.0, 0.0
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := world{callers: 96, replicas: 3, cost: anythingBelow}
			used := w.check(t, seed, w.run(t, seed), 0.98)
			least, most = min(least, used), max(most, used)
		})
	}
	t.Logf("%d runs: %.4f %% to %.4f %% of the limit billed", *seeds, 100*least, 100*most)
}

// Eight clients whose budgets are less than the account's day together.
func TestClientBudgetsAreSpentLikeTheAccount(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := world{callers: 64, clients: 8, clientLimit: 1_000 * n, cost: anythingBelow}
			w.check(t, seed, w.run(t, seed), 0.79)
			for name, billed := range w.client {
				within(t, fmt.Sprint("seed ", seed, ": spent by ", name), billed, 990*n, 1_000*n)
			}
		})
	}
}

// Estimates that are no upper bound: what passes the limit is what calls in flight cost above their estimates, and no
// more.
func TestOverrunsAreRecordedAndStop(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := world{callers: 64, cost: func(rng *rand.Rand, estimate quota.Neurons) quota.Neurons {
				return estimate * quota.Neurons(rng.IntN(4)) // up to three times
			}}
			s := w.run(t, seed)
			within(t, fmt.Sprint("seed ", seed, ": billed"), w.billed, limit*99/100, limit+64*2*60*n)
			equal(t, fmt.Sprint("seed ", seed, ": used"), s.Account.Used, w.billed)
			if s.Account.Used > limit {
				equal(t, fmt.Sprint("seed ", seed, ": remaining"), s.Account.Remaining, 0)
			}
		})
	}
}
