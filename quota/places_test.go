package quota_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

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
	virtually(t, func(t *testing.T) {
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
	virtually(t, func(t *testing.T) {
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
				virtually(t, func(t *testing.T) {
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
			virtually(t, func(t *testing.T) {
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
