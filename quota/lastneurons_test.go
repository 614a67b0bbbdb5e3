package quota_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// The last neurons of a day are spent although replicas that no longer call hold some ahead: each call that still fits
// gets them within a few exchanges. It is the same for the budget of a client.
func TestTheLastNeuronsOfADayAreSpent(t *testing.T) {
	for _, replicas := range []int{2, 3, 8} {
		for _, callers := range []int{1, replicas - 1} {
			for _, trip := range []time.Duration{time.Millisecond, 200 * time.Millisecond} {
				for _, wait := range []time.Duration{0, 20 * time.Second} {
					for _, client := range []quota.Neurons{0, 1_000 * n} {
						name := fmt.Sprintf("%d replicas, %d of them call, %v away, wait %v, client %v",
							replicas, callers, trip, wait, client)
						t.Run(name, func(t *testing.T) {
							virtually(t, func(t *testing.T) { lastNeurons(t, replicas, callers, trip, wait, client) })
						})
					}
				}
			}
		}
	}
}

// lastNeurons has all replicas call some times, then the first callers of them alone until nothing is left.
func lastNeurons(t *testing.T, replicas, callers int, trip, wait time.Duration, client quota.Neurons) {
	t.Helper()
	o := quota.Options{Store: &distant{memstore.New(nil), trip}, Limit: 1_000 * n, Wait: max(wait, time.Millisecond)}
	call := quota.Call{Model: "m"}
	if client > 0 {
		o.Limit, call.Client, call.ClientLimit = 0, "c", client
	}
	var ledgers []*quota.Ledger
	for range replicas {
		ledgers = append(ledgers, open(t, o))
	}
	var mu sync.Mutex
	used, size := quota.Neurons(0), 9*n // nearly all that may be held ahead
	for range 4 {
		for _, l := range ledgers {
			call.Estimate = size
			if res, _, err := l.Reserve(t.Context(), call); err != nil {
				t.Fatal(err)
			} else if res != nil {
				res.Settle(settle(size))
				used += size
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // those that will not call again give back what they do not keep
	if idle := ledgers[replicas-1].Snapshot(); client == 0 {
		within(t, "held ahead by all", idle.Account.Held, 5*n*quota.Neurons(replicas), 10*n*quota.Neurons(replicas))
	}
	began, longest := time.Now(), time.Duration(0)
	var calling sync.WaitGroup
	for _, l := range ledgers[:callers] {
		calling.Go(func() {
			call, refused := call, 0
			for call.Estimate = size; call.Estimate > n/100 && time.Since(began) < 2*time.Minute; {
				asked := time.Now()
				res, d, err := l.Reserve(t.Context(), call)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				longest = max(longest, time.Since(asked))
				mu.Unlock()
				switch {
				case res != nil:
					res.Settle(settle(call.Estimate))
					mu.Lock()
					used += call.Estimate
					mu.Unlock()
				case d.Outcome == quota.Exhausted:
					call.Estimate /= 2
				default:
					refused++
					time.Sleep(max(d.RetryIn, time.Millisecond))
				}
			}
			if wait > 0 {
				equal(t, "calls refused that fit", refused, 0)
			}
		})
	}
	calling.Wait()
	t.Logf("used %v; the calls took %v, of which the longest waited for %v", used, time.Since(began), longest)
	within(t, "used", used, 1_000*n-n/50, 1_000*n)
	within(t, "the longest wait", longest, 0, 5*time.Second)
}
