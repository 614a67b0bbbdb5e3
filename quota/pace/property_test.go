package pace_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// A soak runs property tests more often: go test ./quota/pace -seeds 1000
var seeds = flag.Uint64("seeds", 20, "runs of each property test")

// A pacedCall is what became of one call of a random world.
type pacedCall struct {
	i    int
	key  pace.Key
	wait time.Duration // that it accepts
	left time.Duration // after which its caller leaves; 0: never
	d    pace.Decision
	err  error
	came time.Duration
	at   time.Duration // when it was decided
}

// pacedWorld is random callers of a Pace.
type pacedWorld struct {
	rng     *rand.Rand
	p       *pace.Limiter
	limits  map[string]int // by model
	models  []pace.Key
	clients bool
	started time.Time

	mu    sync.Mutex
	calls []pacedCall
}

func newPacedWorld(t *testing.T, seed uint64, models int, clients bool) *pacedWorld {
	t.Helper()
	w := &pacedWorld{
		rng: rand.New(rand.NewPCG(seed, 6)), limits: map[string]int{}, clients: clients, started: time.Now(),
	}
	text := ""
	for i := range models {
		name := fmt.Sprintf("@cf/random/m%d", i)
		w.limits[name] = []int{1, 2, 3, 5, 7, 10, 19, 20, 33, 60, 150, 300}[w.rng.IntN(12)]
		text += fmt.Sprintf(",%s=%d", name, w.limits[name])
		w.models = append(w.models, pace.Key{Task: workload.TextGeneration, Model: name})
	}
	limits, err := pace.ParseTable(text[1:])
	if err != nil {
		t.Fatal(err)
	}
	w.p = pace.New(limits)
	return w
}

// next makes up a call.
func (w *pacedWorld) next(i int) pacedCall {
	c := pacedCall{i: i, key: w.models[w.rng.IntN(len(w.models))]}
	if w.clients && w.rng.IntN(3) > 0 {
		n := w.rng.IntN(3)
		c.key.Client, c.key.ClientLimit = fmt.Sprint("c", n), []int{2, 12, 80}[n]
	}
	if w.rng.IntN(4) > 0 {
		c.wait = time.Duration(w.rng.Int64N(int64(20 * time.Second)))
	}
	if w.rng.IntN(4) == 0 {
		c.left = time.Duration(w.rng.Int64N(int64(10 * time.Second)))
	}
	return c
}

// run lets a call run to its end.
func (w *pacedWorld) run(c pacedCall) {
	ctx := context.Background()
	if c.left > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.left)
		defer cancel()
	}
	c.came = time.Since(w.started)
	c.d, c.err = w.p.Acquire(ctx, c.key, c.wait)
	c.at = time.Since(w.started)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
}

func TestLimiterProperties(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := newPacedWorld(t, seed, 1+int(seed%3), seed%2 == 1)
			var wg sync.WaitGroup
			for i := range 1500 {
				c := w.next(i)
				wg.Go(func() { w.run(c) })
				if w.rng.IntN(200) == 0 {
					w.p.Throttled(c.key, time.Now())
				}
				if w.rng.IntN(200) == 0 {
					w.p.SetShare([]float64{0.3, 0.5, 1}[w.rng.IntN(3)], time.Now())
				}
				time.Sleep(time.Duration(w.rng.ExpFloat64() * float64(300*time.Millisecond)))
			}
			wg.Wait()
			w.check(t, seed)
		})
	}
}

// check looks at all calls together.
func (w *pacedWorld) check(t *testing.T, seed uint64) {
	t.Helper()
	passed := map[string][]time.Duration{}
	inOrder := map[string][]pacedCall{}
	limits := w.limits
	for _, c := range w.calls {
		took := c.at - c.came
		switch {
		case took > c.wait || c.left > 0 && took > c.left:
			t.Errorf("seed %d: call %+v: got %v, want at most its wait", seed, c, took)
		case c.err != nil && took != c.left:
			t.Errorf("seed %d: call %+v: got an error after %v, want it after %v", seed, c, took, c.left)
		case c.err == nil && !c.d.OK && c.d.RetryAfter <= 0:
			t.Errorf("seed %d: call %+v: got retry after %v, want more than 0", seed, c, c.d.RetryAfter)
		case c.d.OK:
			passed[c.key.Model] = append(passed[c.key.Model], c.at)
			if c.key.Client != "" {
				passed[c.key.Client] = append(passed[c.key.Client], c.at)
				limits[c.key.Client] = c.key.ClientLimit
			}
			inOrder[c.key.Model+c.key.Client] = append(inOrder[c.key.Model+c.key.Client], c)
		}
	}
	if len(passed) == 0 {
		t.Errorf("seed %d: got no call passed, want some", seed)
	}
	for name, times := range passed {
		if n := busiest(times, time.Minute); n > limits[name] {
			t.Errorf("seed %d: %s: got %d calls passed in one minute, want at most %d", seed, name, n, limits[name])
		}
	}
	for name, calls := range inOrder {
		slices.SortStableFunc(calls, func(a, b pacedCall) int { return a.i - b.i })
		if !slices.IsSortedFunc(calls, func(a, b pacedCall) int { return int(a.at - b.at) }) {
			t.Errorf("seed %d: %s: got calls passed in another order, want that of arrival", seed, name)
		}
	}
	for _, s := range w.p.Snapshot(time.Now()) {
		if s.Waiting != 0 {
			t.Errorf("seed %d: %+v: got %d calls that wait, want 0", seed, s, s.Waiting)
		}
	}
}

// A refused call that is repeated after its RetryAfter passes, if no other call
// came meanwhile and none that waited has left.
func TestLimiterRetryAfterAdmits(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			w := newPacedWorld(t, seed, 1, seed%2 == 1)
			var wg sync.WaitGroup
			for i, refused := 0, 0; refused < 5; i++ {
				c := w.next(i)
				c.left = 0
				if d, _ := w.p.Acquire(t.Context(), c.key, 0); !d.OK && w.rng.IntN(20) == 0 {
					refused++
					time.Sleep(d.RetryAfter)
					if again, _ := w.p.Acquire(t.Context(), c.key, 0); !again.OK {
						t.Errorf("seed %d: after %v: got %+v, want it passed", seed, d.RetryAfter, again)
					}
				}
				wg.Go(func() { w.run(c) })
				time.Sleep(time.Duration(w.rng.ExpFloat64() * float64(300*time.Millisecond)))
			}
			wg.Wait()
		})
	}
}

// Many goroutines in real time: no more calls pass than the bucket held and got
// tokens.
func TestLimiterFromManyGoroutines(t *testing.T) {
	const perMinute, workers, each = 60_000, 8, 4000
	p, key := paced(t, perMinute)
	client := key
	client.Client, client.ClientLimit = "a", perMinute/2
	started := time.Now()
	counts := make([][2]int, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(6, uint64(i)))
			for range each {
				k, kind := key, 0
				if rng.IntN(2) == 0 {
					k, kind = client, 1
				}
				switch rng.IntN(500) {
				case 0:
					p.SetShare(1-rng.Float64()/10, time.Now())
				case 1:
					p.Snapshot(time.Now())
				case 2:
					other := pace.Key{Task: workload.TextGeneration, Model: fmt.Sprint("@cf/x/", rng.IntN(50))}
					p.Throttled(other, time.Now())
				case 3:
					p.Remaining(k, time.Now())
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.Int64N(int64(2*time.Millisecond))))
				d, err := p.Acquire(ctx, k, time.Duration(rng.Int64N(int64(2*time.Millisecond))))
				if err == nil && d.OK {
					counts[i][kind]++
				}
				cancel()
			}
		})
	}
	wg.Wait()
	all, ofClient := 0, 0
	for _, c := range counts {
		all += c[0] + c[1]
		ofClient += c[1]
	}
	for _, c := range []struct{ passed, limit int }{{all, perMinute}, {ofClient, perMinute / 2}} {
		limit := float64(c.limit)/10 + float64(c.limit)*0.9*time.Since(started).Minutes() + 1
		if c.passed == 0 || float64(c.passed) > limit {
			t.Errorf("limit %d: got %d calls passed, want 1 to %.0f", c.limit, c.passed, limit)
		}
	}
	for _, s := range p.Snapshot(time.Now()) {
		if s.Waiting != 0 {
			t.Errorf("%+v: got %d calls that wait, want 0", s, s.Waiting)
		}
	}
}
