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

// keeping runs a test on a ledger of 100 neurons that keeps places. Two calls have reserved 60 of them, a large one
// that needs 70 has waited 10 s and was told to come back after 10 s more: one call of 30 had ended meanwhile.
func keeping(t *testing.T, test func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation)) {
	keepingWith(t, quota.Options{}, test)
}

// keepingWith is keeping with some options.
func keepingWith(
	t *testing.T, o quota.Options,
	test func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation),
) {
	synctest.Test(t, func(t *testing.T) {
		o.Limit, o.Wait, o.KeepPlace = 100*n, 10*time.Second, time.Minute
		l := open(t, o)
		var inFlight [3]*quota.Reservation
		for i := range inFlight {
			inFlight[i] = take(t, l, quota.Call{Model: "m", Estimate: 30 * n})
		}
		large := quota.Call{Model: "m", Client: "x", Estimate: 70 * n}
		a := ask(t.Context(), l, large)
		inFlight[0].Release()
		time.Sleep(10 * time.Second)
		a.must(t, quota.Contended, 10*time.Second)
		equal(t, "come back after", a.d.RetryIn, 10*time.Second)
		equal(t, "calls that wait", l.Snapshot().Waiting, 0)
		test(t, l, large, [2]*quota.Reservation(inFlight[1:]))
	})
}

// A call that needs more than comes free within one wait goes on where it was when its caller comes back as told.
func TestACallThatComesBackHasItsPlace(t *testing.T) {
	keeping(t, func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation) {
		time.Sleep(time.Second)
		small := ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 30 * n})
		time.Sleep(9 * time.Second)
		small.mustWait(t) // of the 40 that are free 15 are set aside
		other := ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 25 * n})
		other.must(t, quota.Allowed, 0)
		other.res.Release()
		again := ask(t.Context(), l, large)
		again.mustWait(t)
		inFlight[0].Release()
		inFlight[1].Release()
		again.must(t, quota.Allowed, 0)
		small.must(t, quota.Allowed, 9*time.Second)
	})
}

// Once there is room for a call whose place is kept, others get what is left beside it.
func TestThereIsRoomForACallWhosePlaceIsKept(t *testing.T) {
	keeping(t, func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation) {
		inFlight[0].Release()
		inFlight[1].Release()
		ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 31 * n}).mustWait(t)
		ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 30 * n}).must(t, quota.Allowed, 0)
		ask(t.Context(), l, large).must(t, quota.Allowed, 0)
	})
}

// A call that comes back and fits at once takes its place: nothing is set aside for it any more.
func TestACallThatComesBackAndFitsTakesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second, KeepPlace: time.Minute})
		inFlight := take(t, l, quota.Call{Model: "m", Estimate: 99 * n})
		large := quota.Call{Model: "m", Client: "x", Estimate: 48 * n}
		d := refused(t, l, large, quota.Contended)
		inFlight.Settle(settle(0))
		time.Sleep(d.RetryIn)
		large.Estimate = 45 * n
		ask(t.Context(), l, large).must(t, quota.Allowed, 0)
		ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 20 * n}).must(t, quota.Allowed, 0)
	})
}

// What was set aside for a call is gone when that has begun: it does not stop calls behind it.
func TestWhatWasSetAsideIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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

// A store that fails for a while does not end a place: its call is answered already.
func TestAPlaceIsKeptWhileTheStoreFails(t *testing.T) {
	s := &spy{Store: memstore.New(nil)}
	o := quota.Options{Store: s}
	keepingWith(t, o, func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation) {
		s.set(func(s *spy) { s.fail = errDown })
		time.Sleep(time.Second)
		fails(t, "Healthy", l.Healthy(), errDown)
		s.set(func(s *spy) { s.fail = nil })
		time.Sleep(time.Second)
		fails(t, "Healthy", l.Healthy(), nil)
		small := ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 30 * n})
		small.mustWait(t)
		again := ask(t.Context(), l, large)
		inFlight[0].Release()
		again.must(t, quota.Allowed, 0)
		small.mustWait(t)
	})
}

// Another client's call, or a smaller one, does not take the place.
func TestAPlaceIsForTheCallThatItIsKeptFor(t *testing.T) {
	for _, other := range []quota.Call{
		{Model: "m", Client: "y", Estimate: 70 * n},
		{Model: "other", Client: "x", Estimate: 70 * n},
		{Model: "m", Client: "x", Estimate: 34 * n},
		{Model: "m", Client: "x", Estimate: 79 * n},
	} {
		keeping(t, func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation) {
			first := ask(t.Context(), l, other)
			first.mustWait(t)
			again := ask(t.Context(), l, large)
			again.mustWait(t)
			inFlight[0].Release()
			again.must(t, quota.Allowed, 0)
			first.mustWait(t)
		})
	}
}

// What is set aside for a caller that does not come back is free 3 s after it should have, and none of the places of
// the next ten times as long is kept.
func TestAPlaceThatIsNotUsed(t *testing.T) {
	keeping(t, func(t *testing.T, l *quota.Ledger, large quota.Call, inFlight [2]*quota.Reservation) {
		small := quota.Call{Model: "m", Client: "y", Estimate: 30 * n}
		time.Sleep(6 * time.Second)
		waits := ask(t.Context(), l, small)
		time.Sleep(7*time.Second - time.Millisecond)
		waits.mustWait(t)
		time.Sleep(quota.Heartbeat)
		if !waits.decided() || waits.res == nil {
			t.Fatalf("got %+v, want the call allowed", waits.d)
		}
		waits.res.Release()
		for _, kept := range []bool{false, true} {
			a := ask(t.Context(), l, large)
			take(t, l, small).Release()
			time.Sleep(10 * time.Second)
			a.must(t, quota.Contended, 10*time.Second)
			next := ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 40 * n})
			equal(t, "the next call is allowed", next.decided(), !kept)
			if next.res != nil {
				next.res.Release()
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// noon is a clock that starts at noon, or so much ahead.
func noon(ahead time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(12*time.Hour + ahead) }
}

// correct has l correct its clock, by three answers of upstream, to the one that starts at noon.
func correct(t *testing.T, l *quota.Ledger) {
	t.Helper()
	now := noon(0)()
	for range 3 {
		l.Observe(now)
	}
	sameTime(t, "the ledger's time", l.Snapshot().At, now)
}

// A clock that is corrected meanwhile neither keeps a place for hours, nor anything set aside for it, nor ends it.
func TestAPlaceIsKeptAsLongWhateverTheClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 5 * time.Hour, "behind": -5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			o := quota.Options{Now: noon(ahead)}
			keepingWith(t, o, func(t *testing.T, l *quota.Ledger, _ quota.Call, _ [2]*quota.Reservation) {
				correct(t, l)
				time.Sleep(6 * time.Second)
				small := ask(t.Context(), l, quota.Call{Model: "m", Client: "y", Estimate: 30 * n})
				time.Sleep(7*time.Second - time.Millisecond)
				small.mustWait(t)
				time.Sleep(quota.Heartbeat)
				small.decided()
				equal(t, "it is allowed once the place is free", small.res != nil, true)
			})
		})
	}
}

// How long calls take, and how long those in flight have taken, does not depend on a clock that is corrected meanwhile,
// and neither does when a call should be back that was told so: calls of 30 began 10 s and 5 s ago and now, and each
// takes 20 s.
func TestWhenACallIsToComeBackWhateverTheClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 5 * time.Hour, "behind": -5 * time.Hour} {
		for _, when := range []string{"during a call before", "while calls are in flight", "after one was told"} {
			t.Run(name+", corrected "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := open(t, quota.Options{Limit: 103 * n, Wait: time.Millisecond, Now: noon(ahead)})
					step := func(now string) {
						if now == when {
							correct(t, l)
						}
					}
					call := quota.Call{Model: "m", Estimate: 30 * n}
					usual := take(t, l, call)
					time.Sleep(20 * time.Second)
					step("during a call before")
					usual.Settle(settle(3 * n))
					var inFlight [3]*quota.Reservation
					for i := range inFlight {
						inFlight[i] = take(t, l, call)
						if i < 2 {
							time.Sleep(5 * time.Second)
						}
					}
					step("while calls are in flight")
					d := refused(t, l, call, quota.Contended)
					within(t, "come back after", d.RetryIn, 9950*time.Millisecond, 10250*time.Millisecond)
					step("after one was told")
					time.Sleep(10 * time.Second)
					inFlight[0].Settle(settle(3 * n))
					inFlight[1].Settle(settle(3 * n))
					call.Estimate = 90 * n
					d = refused(t, l, call, quota.Contended) // not behind the one before, which should be back
					within(t, "come back after, 10 s later", d.RetryIn, 9*time.Second, 9250*time.Millisecond)
				})
			})
		}
	}
}

// The wait that a call can expect: calls of the model took 20 s and cost a tenth of what they reserve, 30. Three are in
// flight, since 10 s, 5 s and now, and 10 are free.
func TestWhenACallIsToComeBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		estimate quota.Neurons
		before   int // calls that were told to come back, the first of which has its place kept
		want     time.Duration
	}{
		{"one must end", 30 * n, 0, 10 * time.Second},
		{"two must end", 60 * n, 0, 15 * time.Second},
		{"behind one that is to come back", 30 * n, 1, 15 * time.Second},
		{"behind two that are to come back", 30 * n, 2, 20 * time.Second},
		{"behind more than is in flight", 30 * n, 5, 42 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 103 * n, Wait: time.Millisecond, KeepPlace: time.Minute})
				call := quota.Call{Model: "m", Estimate: 30 * n}
				usual := take(t, l, call)
				time.Sleep(20 * time.Second)
				usual.Settle(settle(3 * n))
				take(t, l, call)
				time.Sleep(5 * time.Second)
				take(t, l, call)
				time.Sleep(5 * time.Second)
				take(t, l, call)
				for i := range c.before {
					refused(t, l, quota.Call{Model: "m", Client: fmt.Sprint(i), Estimate: 30 * n}, quota.Contended)
				}
				call.Estimate = c.estimate
				d := refused(t, l, call, quota.Contended)
				within(t, "come back after", d.RetryIn, c.want-50*time.Millisecond, c.want+250*time.Millisecond)
				equal(t, "calls in flight", d.Calls, 3)
			})
		})
	}
}

// At the end of a day two replicas hold the last neurons, and neither has a call in flight: none sets its part aside
// for its own next call, which would keep both from any, until the waits end.
func TestTheLastNeuronsAreNotSetAsideForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
