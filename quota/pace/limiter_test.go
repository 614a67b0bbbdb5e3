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

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

const pacedModel = "@cf/paced/model"

// paced returns a Pace that gives pacedModel perMinute, and its key.
func paced(t *testing.T, perMinute int) (*pace.Limiter, pace.Key) {
	t.Helper()
	limits, err := pace.ParseTable(fmt.Sprintf("%s=%d", pacedModel, perMinute))
	if err != nil {
		t.Fatal(err)
	}
	return pace.New(limits), pace.Key{Task: quota.TextGeneration, Model: pacedModel}
}

// drain takes what passes at once and returns how many calls that were.
func drain(t *testing.T, p *pace.Limiter, key pace.Key) (passed int) {
	t.Helper()
	for {
		d, err := p.Acquire(t.Context(), key, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !d.OK {
			return passed
		}
		passed++
	}
}

// queued is a call that may wait.
type queued struct {
	d    pace.Decision
	err  error
	at   time.Duration // since the start, when it was decided; 0: not yet
	done bool
}

// queueUp asks in a goroutine of its own and returns once it is decided or waits.
func queueUp(ctx context.Context, p *pace.Limiter, key pace.Key, maxWait time.Duration, started time.Time) *queued {
	q := &queued{}
	go func() {
		q.d, q.err = p.Acquire(ctx, key, maxWait)
		q.at, q.done = time.Since(started), true
	}()
	synctest.Wait()
	return q
}

// busiest returns the most of the times that lie within window, both ends of it
// included.
func busiest(times []time.Duration, window time.Duration) (most int) {
	slices.Sort(times)
	first := 0
	for i, at := range times {
		for at-times[first] > window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestPaceUnderOverload(t *testing.T) {
	for _, c := range []struct {
		perMinute int
		least     float64 // share of the limit
	}{{20, 0.78}, {150, 0.88}, {300, 0.88}, {3000, 0.88}} {
		t.Run(fmt.Sprint(c.perMinute), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				const minutes, times = 10, 5
				p, key := paced(t, c.perMinute)
				started := time.Now()
				var mu sync.Mutex
				var passed []time.Duration
				var order []int
				var wg sync.WaitGroup
				for i := range minutes * times * c.perMinute {
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
					time.Sleep(time.Minute / time.Duration(times*c.perMinute))
				}
				end := time.Since(started)
				wg.Wait()
				if most := busiest(slices.Clone(passed), time.Minute); most > c.perMinute {
					t.Errorf("%d passed in one minute, of %d", most, c.perMinute)
				}
				passed = slices.DeleteFunc(passed, func(at time.Duration) bool { return at > end })
				share := float64(len(passed)) / end.Minutes() / float64(c.perMinute)
				if share < c.least {
					t.Errorf("%.1f %% of the limit was used, less than %.0f %%", 100*share, 100*c.least)
				}
				if !slices.IsSorted(order) {
					t.Error("not in order of arrival")
				}
				t.Logf("%d: %.1f %% of the limit, at most %d in one minute", c.perMinute, 100*share, busiest(passed, time.Minute))
			})
		})
	}
}

func TestPaceServesInOrderOfArrival(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60) // a burst of 6, then 0.9 a second
		started := time.Now()
		if n := drain(t, p, key); n != 6 {
			t.Fatalf("%d passed at once, not 6", n)
		}
		var calls []*queued
		for range 4 {
			calls = append(calls, queueUp(t.Context(), p, key, 5*time.Second, started))
		}
		fifth := queueUp(t.Context(), p, key, 5*time.Second, started) // its turn would come after 5.56 s
		if !fifth.done || fifth.d.OK || fifth.at != 0 {
			t.Errorf("the fifth was not refused at once: %+v", fifth)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for i, q := range calls {
			turn := time.Duration(i+1) * time.Second * 10 / 9
			if !q.d.OK || (q.at-turn).Abs() > time.Microsecond || q.d.Waited != q.at {
				t.Errorf("call %d: %+v, its turn is at %v", i+1, q, turn)
			}
		}
	})
}

func TestPaceWhoLeavesFreesTheirPlace(t *testing.T) {
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
		if !first.done || !errors.Is(first.err, context.Canceled) || first.at != time.Second {
			t.Errorf("the first did not leave at once: %+v", first)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if turn := time.Second * 10 / 9; !second.d.OK || (second.at-turn).Abs() > time.Microsecond {
			t.Errorf("the second did not get the first's turn at %v: %+v", turn, second)
		}
		if _, err := p.Acquire(ctx, key, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that has left: %v", err)
		}
	})
}

// Its token comes when a caller has left and nobody has noticed yet.
func TestPaceWhoLeavesBurnsNothing(t *testing.T) {
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
		if r, _ := p.Remaining(key, then); !errors.Is(leaver.err, context.Canceled) || r.Requests != 1 {
			t.Errorf("%+v, and %d are left, not 1", leaver, r.Requests)
		}
	})
}

// The turn comes in the very moment in which the wait ends.
func TestPaceTurnAtTheVeryEnd(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		started := time.Now()
		drain(t, p, key)
		turn := time.Second*10/9 + 1
		late := queueUp(t.Context(), p, key, turn-1, started)
		q := queueUp(t.Context(), p, key, turn, started)
		time.Sleep(turn)
		synctest.Wait()
		if late.d.OK || late.at != 0 || !q.d.OK || q.at != turn {
			t.Errorf("%+v refused at once, and %+v at %v", late, q, turn)
		}
	})
}

// The caller of Remaining has read its clock before somebody else took a token.
func TestPaceOfAClockThatIsBehind(t *testing.T) {
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
				t.Fatalf("%d passed: the seconds before are counted again", n)
			}
		}
	})
}

func TestPaceRefusalSaysWhen(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 20) // a burst of 4, then one in 3.75 s
		drain(t, p, key)
		d, err := p.Acquire(t.Context(), key, 3*time.Second)
		want := pace.Decision{Limit: pacedModel, PerMinute: 20, Pace: 20, Window: time.Minute, RetryAfter: 3751 * time.Millisecond}
		if err != nil || d != want {
			t.Errorf("%+v, %v, not %+v", d, err, want)
		}
		time.Sleep(d.RetryAfter - 2*time.Millisecond)
		if d, _ := p.Acquire(t.Context(), key, 0); d.OK || d.RetryAfter != 2*time.Millisecond {
			t.Errorf("too early: %+v", d)
		}
		time.Sleep(2 * time.Millisecond)
		if d, _ := p.Acquire(t.Context(), key, 0); !d.OK {
			t.Errorf("when it was told to: %+v", d)
		}
	})
}

func TestPaceRemaining(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, key := paced(t, 60)
		if _, err := p.Acquire(t.Context(), key, 0); err != nil {
			t.Fatal(err)
		}
		r, ok := p.Remaining(key, time.Now())
		want := pace.Remainder{Limit: pacedModel, PerMinute: 60, Window: time.Minute, Requests: 5, Full: time.Second*10/9 + 1}
		if !ok || r != want {
			t.Errorf("%+v, %v, not %+v", r, ok, want)
		}
		time.Sleep(r.Full)
		if r, _ := p.Remaining(key, time.Now()); r.Requests != 6 || r.Full != 0 {
			t.Errorf("%+v, not full", r)
		}
		if r, ok := p.Remaining(pace.Key{Task: quota.TextToSpeech}, time.Now()); ok {
			t.Errorf("%+v where there is no limit", r)
		}
	})
}
