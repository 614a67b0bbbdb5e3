package quota_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// busy are callers of a ledger, who repeat a call twice that was refused because of others in flight, as SDKs do, when
// they are told to.
type busy struct {
	t *testing.T
	l *quota.Ledger
	sync.WaitGroup
}

// waits are what became of calls.
type waits struct {
	mu        sync.Mutex
	starts    []time.Time
	attempts  []time.Duration // how long each waited
	calls     []time.Duration // from the first attempt until the call began, or was given up
	contended int
	givenUp   int
}

// call makes a call that costs so much and takes so long. It reports whether another one may fit.
func (b *busy) call(w *waits, c quota.Call, cost quota.Neurons, length time.Duration) bool {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		res, d, err := b.l.Reserve(b.t.Context(), c)
		if err != nil {
			b.t.Error(err)
		}
		if err != nil || d.Outcome == quota.Exhausted {
			return false
		}
		w.mu.Lock()
		w.attempts = append(w.attempts, d.Waited)
		if res != nil {
			w.starts, w.calls = append(w.starts, time.Now()), append(w.calls, time.Since(began))
		} else {
			w.contended++
		}
		w.mu.Unlock()
		if res != nil {
			time.Sleep(length)
			res.Settle(settle(cost))
			return true
		}
		if attempt == 3 {
			break
		}
		time.Sleep(d.RetryIn)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.givenUp++
	w.calls = append(w.calls, time.Since(began))
	return true
}

// quantile is how long it took at most in a share of the cases.
func quantile(of []time.Duration, share float64) time.Duration {
	of = slices.Sorted(slices.Values(of))
	return of[min(int(share*float64(len(of))), len(of)-1)]
}

func (w *waits) String() string {
	return fmt.Sprintf("%d calls, %d given up; %d attempts, %.1f %% contended; an attempt waits %.1f s "+
		"(95 %%: %.1f s), a call begins after %.1f s (95 %%: %.1f s)", len(w.calls), w.givenUp, len(w.attempts),
		100*float64(w.contended)/float64(len(w.attempts)),
		quantile(w.attempts, 0.5).Seconds(), quantile(w.attempts, 0.95).Seconds(),
		quantile(w.calls, 0.5).Seconds(), quantile(w.calls, 0.95).Seconds())
}

// lengthOf is how long a call of so many tokens takes: 5 to 60 s.
func lengthOf(tokens float64) time.Duration {
	return time.Duration(min(max(tokens/30, 5), 60) * float64(time.Second))
}

// tokensOf draws an output: the logarithm is normally distributed.
func tokensOf(rng *rand.Rand, median float64) float64 {
	return median * math.Exp(0.8*rng.NormFloat64())
}

// A whole day of callers whose calls reserve several times what they cost, from the first neuron to the last.
func TestHowLongCallsWait(t *testing.T) {
	for _, c := range []struct {
		callers int
		median  float64 // tokens of output
		givenUp int     // of a hundred calls, at most; when the place in the queue was lost it was 5, 11, 48 and 62
	}{
		{8, 300, 4},
		{8, 600, 8},
		{40, 300, 35},
		{40, 600, 40},
	} {
		t.Run(fmt.Sprintf("%d callers, %v tokens", c.callers, c.median), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				b := busy{t: t, l: open(t, quota.Options{
					Limit: 10_000 * n, Wait: 10 * time.Second, KeepPlace: time.Minute, Heartbeat: longBeat,
				})}
				var all waits
				for i := range c.callers {
					b.Go(func() {
						rng := rand.New(rand.NewPCG(1, uint64(i)))
						time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Second))))
						call, another := quota.Call{Model: "m", Client: fmt.Sprint("c", i%4), Estimate: 450 * n}, true
						for another {
							tokens := min(tokensOf(rng, c.median), 2048)
							another = b.call(&all, call, quota.FromFloat(5+0.2*tokens), lengthOf(tokens))
							time.Sleep(time.Duration(rng.ExpFloat64() * float64(5*time.Second)))
						}
					})
				}
				b.Wait()
				within(t, "used", b.l.Snapshot().Account.Used, 9_500*n, 10_000*n)
				within(t, "calls given up", all.givenUp, 0, len(all.calls)*c.givenUp/100)
				t.Log(&all)
			})
		})
	}
}

// Small calls come without end, as many as find room. A large one begins all the same, and they do not stop meanwhile.
func TestALargeCallAmongSmallOnes(t *testing.T) {
	for _, large := range []quota.Neurons{300 * n, 600 * n, 1000 * n} { // of the 1,200 that are left
		t.Run(large.String(), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				b := busy{t: t, l: open(t, quota.Options{
					Limit: 1_200 * n, Wait: 10 * time.Second, KeepPlace: time.Minute, Heartbeat: longBeat,
				})}
				var small, one waits
				done := make(chan struct{})
				for i := range 30 {
					b.Go(func() {
						rng := rand.New(rand.NewPCG(1, uint64(i)))
						time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Second))))
						for {
							select {
							case <-done:
								return
							default:
							}
							c := quota.Call{Model: "small", Estimate: 60 * n}
							b.call(&small, c, n/10, lengthOf(tokensOf(rng, 300)))
						}
					})
				}
				time.Sleep(time.Minute)
				asked := time.Now()
				b.call(&one, quota.Call{Model: "large", Estimate: large}, n, 0)
				took := time.Since(asked)
				close(done)
				b.Wait()
				equal(t, "large calls given up", one.givenUp, 0)
				within(t, "the large call began after", took, 0, 80*time.Second)
				before, meanwhile, last := 0, 0, asked
				var pause time.Duration // the longest between two small calls that began while the large one waited
				for _, at := range small.starts {
					switch {
					case at.Before(asked):
						before++
					case at.Before(asked.Add(took)):
						meanwhile++
						pause, last = max(pause, at.Sub(last)), at
					}
				}
				within(t, "longest pause between two small calls", pause, 0, 12*time.Second)
				perMinute := float64(before)
				within(t, "small calls a minute while the large one waits", float64(meanwhile)/took.Minutes(),
					perMinute/4, 2*perMinute)
				t.Logf("large: %v; small: %d in the minute before it, then %d, longest pause %v",
					&one, before, meanwhile, pause)
			})
		})
	}
}

// A small call that fits beside those in flight does not wait because a large one does, however long that waits.
func TestALargeCallDoesNotStopOneThatFits(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		large := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		for range 9 {
			time.Sleep(time.Second)
			small := ask(t.Context(), l, quota.Call{Estimate: 30 * n})
			small.must(t, quota.Allowed, 0)
			small.res.Settle(settle(0))
		}
		large.mustWait(t)
		inFlight.Release()
		large.must(t, quota.Allowed, 9*time.Second)
	})
}

// What comes back is shared by clients: one that has fifty calls waiting delays the call of another by one of its own
// at most.
func TestFiftyCallsOfAClientWaitBesideOneOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		var many []*asked
		for range 50 {
			many = append(many, ask(t.Context(), l, quota.Call{Client: "x", Estimate: 50 * n}))
		}
		first := ask(t.Context(), l, quota.Call{Client: "y", Estimate: 50 * n})
		second := ask(t.Context(), l, quota.Call{Client: "y", Estimate: 50 * n})
		inFlight.Release()
		many[0].must(t, quota.Allowed, 0)
		first.must(t, quota.Allowed, 0)
		many[1].mustWait(t)
		first.res.Release()
		many[1].must(t, quota.Allowed, 0)
		many[0].res.Release()
		second.must(t, quota.Allowed, 0)
		many[2].mustWait(t)
	})
}

// What was set aside for a call is gone when that has begun: it does not stop calls behind it.
func TestWhatWasSetAsideIsUsed(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second})
		inFlight := take(t, l, quota.Call{Estimate: 100 * n})
		first := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		second := ask(t.Context(), l, quota.Call{Estimate: 50 * n})
		inFlight.Release()
		first.must(t, quota.Allowed, 0)
		second.mustWait(t)
		ask(t.Context(), l, quota.Call{Estimate: 30 * n}).must(t, quota.Allowed, 0)
	})
}

// At the end of a day two replicas hold the last neurons, and neither has a call in flight: none sets its part aside
// for its own next call, which would keep both from any, until the waits end.
func TestTheLastNeuronsAreNotSetAsideForNobody(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := quota.Options{Store: memstore.New(nil), Limit: 100 * n, Wait: 20 * time.Second}
		a, b := open(t, o), open(t, o)
		inFlight := [2]*quota.Reservation{
			take(t, a, quota.Call{Estimate: 60 * n}), take(t, b, quota.Call{Estimate: 40 * n}),
		}
		var calls sync.WaitGroup
		for _, l := range []*quota.Ledger{a, b} {
			for _, estimate := range []quota.Neurons{50 * n, 25 * n, 25 * n} {
				calls.Go(func() {
					res, d, err := l.Reserve(t.Context(), quota.Call{Estimate: estimate})
					fails(t, "Reserve", err, nil)
					within(t, fmt.Sprintf("the wait of a call of %v", estimate), d.Waited, 0, time.Second)
					if res != nil {
						res.Settle(settle(estimate))
					}
				})
				synctest.Wait()
			}
		}
		inFlight[0].Settle(settle(30 * n))
		inFlight[1].Settle(settle(10 * n))
		calls.Wait()
		within(t, "used", a.Snapshot().Account.Used, 40*n+25*n, 100*n)
	})
}
