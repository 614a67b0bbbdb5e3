package pace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestLimiterUnderOverload(t *testing.T) {
	for _, c := range []struct {
		perMinute int
		times     int     // so many calls come as the limit is
		minUsed   float64 // share of the limit
	}{{20, 5, 0.78}, {150, 5, 0.88}, {300, 5, 0.88}, {3000, 2, 0.88}} {
		t.Run(fmt.Sprint(c.perMinute), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				const minutes = 10
				p, key := paced(t, c.perMinute)
				started := time.Now()
				var mu sync.Mutex
				var passed []time.Duration
				var order []int
				var wg sync.WaitGroup
				for i := range minutes * c.times * c.perMinute {
					wg.Go(func() {
						d, err := p.Acquire(t.Context(), key, 5*time.Second)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						if d.OK {
							passed = append(passed, time.Since(started))
							order = append(order, i)
						}
					})
					time.Sleep(time.Minute / time.Duration(c.times*c.perMinute))
				}
				end := time.Since(started)
				wg.Wait()
				inMinute := busiest(slices.Clone(passed), time.Minute)
				if inMinute > c.perMinute {
					t.Errorf("calls passed in one minute: got %d, want at most %d", inMinute, c.perMinute)
				}
				passed = slices.DeleteFunc(passed, func(at time.Duration) bool { return at > end })
				share := float64(len(passed)) / end.Minutes() / float64(c.perMinute)
				if share < c.minUsed {
					t.Errorf("used of the limit: got %.1f %%, want at least %.0f %%", 100*share, 100*c.minUsed)
				}
				if !slices.IsSorted(order) {
					t.Error("got calls passed in another order, want that of arrival")
				}
				t.Logf("%.1f %% of the limit used, at most %d calls in one minute", 100*share, inMinute)
			})
		})
	}
}

func TestLimiterServesInOrderOfArrival(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60) // a burst of 6, then 0.9 a second
		started := time.Now()
		if n := drain(t, p, key); n != 6 {
			t.Fatalf("got %d calls passed at once, want 6", n)
		}
		var calls []*queued
		for range 4 {
			calls = append(calls, queueUp(t.Context(), p, key, 5*time.Second, started))
		}
		wantRefusedAtOnce(t, "fifth", queueUp(t.Context(), p, key, 5*time.Second, started)) // would pass after 5.56 s
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for i, q := range calls {
			wantPass(t, fmt.Sprint("call ", i+1), q, time.Duration(i+1)*time.Second*10/9)
			if q.d.Waited != q.at {
				t.Errorf("call %d: got waited %v, want %v", i+1, q.d.Waited, q.at)
			}
		}
	})
}

func TestLimiterACanceledCallFreesItsPlace(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		started := time.Now()
		drain(t, p, key)
		ctx, leave := context.WithCancel(t.Context())
		first := queueUp(ctx, p, key, 5*time.Second, started)
		second := queueUp(t.Context(), p, key, 5*time.Second, started)
		time.Sleep(time.Second)
		leave()
		synctest.Wait()
		if !first.done || first.at != time.Second {
			t.Errorf("canceled call: got done %v at %v, want true at 1s", first.done, first.at)
		}
		if !errors.Is(first.err, context.Canceled) {
			t.Errorf("canceled call: got error %v, want %v", first.err, context.Canceled)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantPass(t, "call behind the canceled one", second, time.Second*10/9)
		if _, err := p.Acquire(ctx, key, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled before the call: got error %v, want %v", err, context.Canceled)
		}
	})
}

// A token comes for a canceled call before anybody has noticed that it is.
func TestLimiterACanceledCallTakesNoToken(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		started := time.Now()
		drain(t, p, key)
		ctx, leave := context.WithCancel(t.Context())
		leaver := queueUp(ctx, p, key, 5*time.Second, started)
		leave()
		then := time.Now().Add(2 * time.Second)
		p.Remaining(key, then)
		synctest.Wait()
		if !errors.Is(leaver.err, context.Canceled) {
			t.Errorf("got error %v, want %v", leaver.err, context.Canceled)
		}
		if r, _ := p.Remaining(key, then); r.Requests != 1 {
			t.Errorf("got %d requests left, want 1", r.Requests)
		}
	})
}

// The token comes in the very moment in which the wait ends.
func TestLimiterTokenAtTheVeryEnd(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		started := time.Now()
		drain(t, p, key)
		at := time.Second*10/9 + 1
		wantRefusedAtOnce(t, "wait too short", queueUp(t.Context(), p, key, at-1, started))
		q := queueUp(t.Context(), p, key, at, started)
		time.Sleep(at)
		synctest.Wait()
		if !q.d.OK || q.at != at {
			t.Errorf("got OK %v at %v, want true at %v", q.d.OK, q.at, at)
		}
	})
}

// The caller of Remaining has read its clock before somebody else took a token.
func TestLimiterOfAClockThatIsBehind(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		before := time.Now()
		time.Sleep(5 * time.Second)
		drain(t, p, key)
		for range 100 {
			p.Remaining(key, before)
			p.SetShare(0.5, before)
			p.SetShare(1, before)
			if n := drain(t, p, key); n != 0 {
				t.Fatalf("got %d calls passed, want 0: the seconds before are counted again", n)
			}
		}
	})
}

func TestLimiterRefusalSaysWhen(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 20) // a burst of 4, then one in 3.75 s
		drain(t, p, key)
		d, err := p.Acquire(t.Context(), key, 3*time.Second)
		want := pace.Decision{
			Limit: pacedModel, PerMinute: 20, Pace: 20, Window: time.Minute, RetryAfter: 3751 * time.Millisecond,
		}
		if err != nil || d != want {
			t.Errorf("got %+v, %v, want %+v", d, err, want)
		}
		time.Sleep(d.RetryAfter - 2*time.Millisecond)
		if d, _ := p.Acquire(t.Context(), key, 0); d.OK || d.RetryAfter != 2*time.Millisecond {
			t.Errorf("2 ms too early: got OK %v, retry after %v; want false, 2ms", d.OK, d.RetryAfter)
		}
		time.Sleep(2 * time.Millisecond)
		if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
			t.Errorf("after retry after: got %+v, want it passed", d)
		}
	})
}

func TestLimiterRemaining(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		if _, err := p.Acquire(t.Context(), key, 0); err != nil {
			t.Fatal(err)
		}
		r, ok := p.Remaining(key, time.Now())
		want := pace.Remainder{
			Limit: pacedModel, PerMinute: 60, Window: time.Minute, Requests: 5, Full: time.Second*10/9 + 1,
		}
		if !ok || r != want {
			t.Errorf("got %+v, %v, want %+v", r, ok, want)
		}
		time.Sleep(r.Full)
		if r, _ := p.Remaining(key, time.Now()); r.Requests != 6 || r.Full != 0 {
			t.Errorf("when full: got %d requests, full in %v; want 6, 0s", r.Requests, r.Full)
		}
		if r, ok := p.Remaining(pace.Key{Task: workload.TextToSpeech}, time.Now()); ok {
			t.Errorf("task without a limit: got %+v, want no limit", r)
		}
	})
}
