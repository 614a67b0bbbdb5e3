package pace_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
)

// of is the key of a call of a client that has no limit of its own.
func of(key pace.Key, client string) pace.Key {
	key.Client = client
	return key
}

func TestLimiterServesClientsInTurns(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60) // a burst of 6, then one in 1.11 s
		started := time.Now()
		drain(t, p, of(key, "a"))
		calls := map[string]*queued{}
		for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			calls[name] = queueUp(t.Context(), p, of(key, name[:1]), 20*time.Second, started)
		}
		// a1 has passed. A client that comes now is served after those that came before it and were not served yet.
		time.Sleep(time.Second * 10 / 9)
		synctest.Wait()
		for _, name := range []string{"d1", "a4"} {
			calls[name] = queueUp(t.Context(), p, of(key, name[:1]), 20*time.Second, started)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for i, name := range []string{"a1", "b1", "c1", "d1", "a2", "b2", "a3", "a4"} {
			wantPass(t, name, calls[name], time.Duration(i+1)*time.Second*10/9)
		}
	})
}

// Whether a call is refused at once depends on its own place in the queue. Calls
// that it overtakes are refused when their wait is over.
func TestLimiterRefusesByThePlaceOfTheClient(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		started := time.Now()
		drain(t, p, of(key, "flood"))
		var flood []*queued
		for range 5 { // a call passes each 1.11 s: four within 5 s
			flood = append(flood, queueUp(t.Context(), p, of(key, "flood"), 5*time.Second, started))
		}
		other := queueUp(t.Context(), p, of(key, "other"), 5*time.Second, started)
		// With the other's it has three of these four: no place for a fifth call.
		again := queueUp(t.Context(), p, of(key, "flood"), 5*time.Second, started)
		hasty := queueUp(t.Context(), p, of(key, "other"), 4*time.Second, started) // would be the fourth, after 4.44 s
		second := queueUp(t.Context(), p, of(key, "other"), 5*time.Second, started)
		third := queueUp(t.Context(), p, of(key, "other"), 5*time.Second, started) // behind three of the flood
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for name, c := range map[string]struct {
			*queued
			ok bool
			at time.Duration
		}{
			"the flood's first":                 {flood[0], true, time.Second * 10 / 9},
			"the other's":                       {other, true, 2 * time.Second * 10 / 9},
			"the flood's second":                {flood[1], true, 3 * time.Second * 10 / 9},
			"the other's second":                {second, true, 4 * time.Second * 10 / 9},
			"the flood's third, pushed back":    {flood[2], false, 5 * time.Second},
			"the flood's fourth, pushed back":   {flood[3], false, 5 * time.Second},
			"the flood's fifth":                 {flood[4], false, 0},
			"the flood's next":                  {again, false, 0},
			"the other's with a short deadline": {hasty, false, 0},
			"the other's third":                 {third, false, 0},
		} {
			if !c.done {
				t.Errorf("%s: got a call that still waits, want it decided", name)
			} else if c.d.OK != c.ok || (c.queued.at-c.at).Abs() > time.Microsecond {
				t.Errorf("%s: got OK %v at %v, want %v at %v", name, c.d.OK, c.queued.at, c.ok, c.at)
			}
		}
	})
}

// A client that floods takes nothing from one that calls now and then.
func TestLimiterUnderAFlood(t *testing.T) {
	const minutes, loops = 10, 60
	for _, c := range []struct {
		perMinute, floods int
		every             time.Duration // between the other's calls
		longest           time.Duration // that one of these may wait
	}{
		{20, 1, 20 * time.Second, 3751 * time.Millisecond},
		{20, 4, 20 * time.Second, 3751 * time.Millisecond},
		{300, 1, 700 * time.Millisecond, 250 * time.Millisecond},
		{300, 4, 1300 * time.Millisecond, 250 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d floods of %d", c.floods, c.perMinute), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				p, key := paced(t, c.perMinute)
				started := time.Now()
				var mu sync.Mutex
				var passed []time.Duration
				var wg sync.WaitGroup
				note := func() {
					mu.Lock()
					defer mu.Unlock()
					passed = append(passed, time.Since(started))
				}
				for i := range c.floods * loops {
					wg.Go(func() {
						for time.Since(started) < minutes*time.Minute {
							d, _ := p.Acquire(t.Context(), of(key, fmt.Sprint("flood", i%c.floods)), 5*time.Second)
							if d.OK {
								note()
							} else {
								time.Sleep(2 * time.Second)
							}
						}
					})
				}
				var longest time.Duration
				for time.Since(started) < minutes*time.Minute {
					time.Sleep(c.every)
					d, _ := p.Acquire(t.Context(), of(key, "other"), 5*time.Second)
					if !d.OK {
						t.Errorf("a call at %v: got %+v, want it passed", time.Since(started), d)
						continue
					}
					note()
					longest = max(longest, d.Waited)
				}
				wg.Wait()
				if longest > c.longest {
					t.Errorf("longest wait: got %v, want at most %v", longest, c.longest)
				}
				if n := busiest(slices.Clone(passed), time.Minute); n > c.perMinute {
					t.Errorf("calls passed in one minute: got %d, want at most %d", n, c.perMinute)
				}
				share := float64(len(passed)) / minutes / float64(c.perMinute)
				if c.perMinute >= 150 && share < 0.88 {
					t.Errorf("used of the limit: got %.1f %%, want at least 88 %%", 100*share)
				}
				t.Logf("the longest wait: %v; %.1f %% of the limit used", longest, 100*share)
			})
		})
	}
}

// Random clients of one limit: while two of them both have calls that wait, they
// are served in turns.
func TestLimiterIsFairBetweenClients(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			const clients = 5
			rng := rand.New(rand.NewPCG(seed, 7))
			w := newPacedWorld(t, seed, 1, false)
			limit := []int{20, 60, 300}[seed%3]
			w.p, w.models[0] = paced(t, limit)
			w.limits = map[string]int{pacedModel: limit}
			var weights [clients]float64
			for i := range weights {
				weights[i] = rng.ExpFloat64()
			}
			gap := 20 * time.Second / time.Duration(limit)
			var wg sync.WaitGroup
			for i := range 1500 {
				c := w.next(i)
				best, client := -1.0, 0
				for n, weight := range weights {
					if at := rng.Float64() * weight; at > best {
						best, client = at, n
					}
				}
				c.key.Client = fmt.Sprint(client)
				wg.Go(func() { w.run(c) })
				time.Sleep(time.Duration(rng.ExpFloat64() * float64(gap)))
			}
			wg.Wait()
			for i := range w.calls {
				w.calls[i].key.ClientLimit = limit
			}
			w.check(t, seed)
			for a := range clients {
				for b := range a {
					w.checkTurns(t, seed, fmt.Sprint(a), fmt.Sprint(b))
				}
			}
		})
	}
}

// Clients that come and go leave nothing behind for long.
func TestLimiterForgetsClients(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const clients = 20_000
		p, key := paced(t, 1_000_000)
		p.Join(time.Now()) // no burst: each call waits
		for i := range clients {
			if d, _ := p.Acquire(t.Context(), of(key, fmt.Sprint("client", i)), time.Second); !d.OK {
				t.Fatalf("call %d: got %+v, want it passed", i, d)
			}
		}
		before := liveHeap()
		for i := range clients {
			if d, _ := p.Acquire(t.Context(), of(key, fmt.Sprint("another", i)), time.Second); !d.OK {
				t.Fatalf("call %d: got %+v, want it passed", i, d)
			}
		}
		if grown := liveHeap() - before; grown > 256<<10 {
			t.Errorf("heap for clients that are gone: got %d KiB more, want at most 256", grown>>10)
		}
		runtime.KeepAlive(p)
	})
}

// liveHeap is the bytes of objects that are in use.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// checkTurns compares what two clients got in each time in which both had calls
// that wait.
func (w *pacedWorld) checkTurns(t *testing.T, seed uint64, a, b string) {
	t.Helper()
	type step struct {
		at            time.Duration
		begin, client int
		passed        int
	}
	var steps []step
	for _, c := range w.calls {
		if c.at == c.came {
			continue
		}
		for i, name := range []string{a, b} {
			if c.key.Client == name {
				steps = append(steps, step{c.came, 1, i, 0})
				passed := 0
				if c.d.OK {
					passed = 1
				}
				steps = append(steps, step{c.at, -1, i, passed})
			}
		}
	}
	slices.SortStableFunc(steps, func(x, y step) int { return int(x.at - y.at) })
	var waiting, served [2]int
	for _, s := range steps {
		both := waiting[0] > 0 && waiting[1] > 0
		if !both {
			served = [2]int{}
		}
		waiting[s.client] += s.begin
		if both {
			served[s.client] += s.passed
		}
		if d := served[0] - served[1]; d < -1 || d > 1 {
			t.Errorf("seed %d: served in the same time: got %d of %s and %d of %s, want a difference of at most 1",
				seed, served[0], a, served[1], b)
			return
		}
	}
}
