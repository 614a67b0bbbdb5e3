package quota_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// distant is a store that is so far away.
type distant struct {
	quota.Store
	trip time.Duration
}

func (d *distant) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	time.Sleep(d.trip / 2)
	reply, err := d.Store.Sync(ctx, r)
	time.Sleep(d.trip / 2)
	return reply, err
}

// Calls do not wait for the store, however far it is and however rare they are: a process asks for what they will need
// in time. Only its first ones find nothing here.
func TestCallsDoNotWaitForTheStore(t *testing.T) {
	const long = 2 * time.Minute
	for _, replicas := range []int{1, 3} {
		for _, perSecond := range []int{1, 10, 100} {
			for _, ms := range []int{1, 30, 100, 200} {
				name := fmt.Sprintf("%d replicas, %d calls a second, %d ms", replicas, perSecond, ms)
				t.Run(name, func(t *testing.T) {
					virtually(t, func(t *testing.T) {
						store := &distant{memstore.New(nil), time.Duration(ms) * time.Millisecond}
						limit := quota.Neurons(perSecond) * 40_000 * n // so much that a hundredth is enough
						var ledgers []*quota.Ledger
						for range replicas {
							ledgers = append(ledgers, open(t, quota.Options{
								Store: store, Limit: limit, Wait: 5 * time.Second,
							}))
						}
						rnd := rand.New(rand.NewPCG(1, 2))
						began, first := time.Now(), time.Now().Add(time.Minute)
						var calls, early, late atomic.Int64
						var running sync.WaitGroup
						for time.Since(began) < long {
							time.Sleep(time.Duration(rnd.ExpFloat64() * float64(time.Second) / float64(perSecond)))
							l, cost := ledgers[rnd.IntN(replicas)], quota.Neurons(rnd.Float64()*2*float64(n))
							takes := time.Duration(rnd.ExpFloat64() * float64(2*time.Second))
							waited := &late
							if time.Now().Before(first) {
								waited = &early
							}
							running.Go(func() {
								res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: 3 * n})
								if res == nil {
									t.Errorf("got %+v, %v, want a reservation", d, err)
									return
								}
								calls.Add(1)
								if d.Waited > 0 {
									waited.Add(1)
								}
								time.Sleep(takes)
								res.Settle(settle(cost))
							})
						}
						running.Wait()
						// Those that come to a process that has just begun, until its first answers.
						atFirst := int64(10*replicas) + int64(8*perSecond*ms/1000)
						t.Logf("of %d calls %d waited in the first minute, and %d later",
							calls.Load(), early.Load(), late.Load())
						if got := early.Load(); got > atFirst {
							t.Errorf("waited in the first minute: got %d calls, want %d at most", got, atFirst)
						}
						if got := late.Load(); got > calls.Load()/1000 {
							t.Errorf("waited later: got %d calls, want one in a thousand at most", got)
						}
					})
				})
			}
		}
	}
}
