package proxy

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A quarter of the streams of a day are cancelled, and Workers AI bills them in each way that it may. What is counted
// is not below the bill, and the limit is not passed, where it bills what was made or where reservations are counted.
// Where it bills more, the limit is passed by at most so many per cent as stand here. Two ways are always tried, all of
// them with more seeds: go test ./proxy -run TestCancelledStreams -seeds 12 -v
func TestCancelledStreams(t *testing.T) {
	type way struct {
		aborted guard.Aborted
		bills   workersai.Cancelled
		over    float64
	}
	ways := []way{
		{guard.Seen, workersai.CancelledAsMade, 0},
		{guard.Fair, workersai.CancelledHalf, 5},
		{guard.Fair, workersai.CancelledAsMade, 0},
		{guard.Fair, workersai.CancelledWhole, 12},
		{guard.Seen, workersai.CancelledHalf, 5},
		{guard.Seen, workersai.CancelledWhole, 12},
		{guard.Estimate, workersai.CancelledAsMade, 0},
		{guard.Estimate, workersai.CancelledHalf, 0},
		{guard.Estimate, workersai.CancelledWhole, 0},
	}
	if *seeds == 1 {
		ways = ways[:2]
	}
	names := map[guard.Aborted]string{guard.Fair: "fair", guard.Seen: "seen", guard.Estimate: "estimate"}
	for _, w := range ways {
		t.Run(fmt.Sprintf("%s, billed %s", names[w.aborted], w.bills), func(t *testing.T) {
			d := randomDay{leavers: leaversOfStreams, bills: w.bills, aborted: w.aborted}
			low, high, over := 1e9, 0.0, 0.0
			for seed := range *seeds {
				virtually(t, func(t *testing.T) {
					billed, counted := d.day(t, seed+1)
					low, high = min(low, counted/billed), max(high, counted/billed)
					over = max(over, 100*(billed/dayLimit().Float()-1))
				})
			}
			t.Logf("counted ÷ billed %.3f to %.3f; the limit passed by %.2f %%", low, high, over)
			if most := byChance(w.over); over > most {
				t.Errorf("got the limit passed by %.2f %%, want at most %.2f %%", over, most)
			}
			if w.over == 0 && low < 1 {
				t.Errorf("got %.4f of what was billed counted, want at least 1", low)
			}
		})
	}
}

// day returns what was billed and what was counted of a day.
func (d *randomDay) day(t *testing.T, seed uint64) (billed, counted float64) {
	t.Helper()
	g := newGuarded(t, quota.Options{Limit: dayLimit(), Wait: 10 * time.Second}, workersai.Options{
		Latency: 20 * time.Millisecond, Seed: seed, Billing: workersai.Billing{Cancelled: d.bills},
	}, func(c *Config) { c.Aborted = d.aborted })
	var wg sync.WaitGroup
	for caller := range dayCallers {
		rng := rand.New(rand.NewPCG(seed, uint64(caller)))
		wg.Go(func() { d.call(g, rng) })
	}
	wg.Wait()
	billed = g.sim.Billed().Float()
	return billed, g.close().Account.Used.Float()
}
