package fairshare

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The client that would hold the least goes first: neither is a small request behind the large one of another client,
// nor does the large one starve behind many small ones.
func TestPoolGrantsWhoWouldHoldLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, 0, 5*time.Second, nil)
		var small []*Tenant
		for range 70 {
			small = append(small, p.TryAcquire(ask("many", 1, 0)))
		}
		large := acquire(t, p, "large", 40, 0)
		other := acquire(t, p, "other", 5, 0)
		more := acquire(t, p, "many", 1, 0)
		large.wantWaiting(t, "large, with 30 free")
		other.wantGranted(t, "other", 0)
		more.wantWaiting(t, "many")
		for i := range 15 {
			p.Release(small[i], 1)
		}
		synctest.Wait()
		large.wantGranted(t, "large, with 40 free", 0)
		more.wantWaiting(t, "many, with none free")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		more.wantRefused(t, "many", Result{Outcome: TimedOut, Held: 55}, 5*time.Second)
	})
}

// The same among those that wait already; of one client the request that came first is next.
func TestPoolGrantsTheSmallAmongThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, 0, 5*time.Second, nil)
		held := p.TryAcquire(ask(everyone, 100, 0))
		large, behind := acquire(t, p, "large", 40, 0), acquire(t, p, "large", 5, 0)
		other := acquire(t, p, "other", 5, 0)
		p.Release(held, 5)
		synctest.Wait()
		large.wantWaiting(t, "large")
		behind.wantWaiting(t, "behind it")
		if !other.done.Load() {
			t.Errorf("other: got %v, want it done", other)
		}
		p.Release(held, 6)
		tiny := acquire(t, p, "large", 1, 0)
		large.wantWaiting(t, "large")
		behind.wantWaiting(t, "behind it")
		tiny.wantWaiting(t, "tiny, of the same client")
		time.Sleep(5 * time.Second)
	})
}

// What waits behind a request that gives up is granted then.
func TestPoolGrantsWhatIsBehindOneThatGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, 0, 5*time.Second, nil)
		p.TryAcquire(ask("many", 70, 0))
		large := acquire(t, p, "large", 40, 0)
		time.Sleep(time.Second)
		more := acquire(t, p, "many", 1, 0)
		more.wantWaiting(t, "behind the large one")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if large.Outcome != TimedOut {
			t.Errorf("large: got %v, want it timed out", large)
		}
		more.wantGranted(t, "behind it", 4*time.Second)
	})
}

func TestPoolSaysWhoseShareIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, 10, 2*time.Second, nil)
		if n := p.takeAll("a", 1); n != 8 {
			t.Fatalf("a: got %d, want 8", n)
		}
		var waiting []*acquisition
		for range 8 {
			waiting = append(waiting, acquire(t, p, "a", 1, 0))
		}
		ninth := acquire(t, p, "a", 1, 0)
		ninth.wantRefused(t, "the ninth of a", Result{Outcome: QueueFull, OverShare: true, Held: 8}, 0)
		b := acquire(t, p, "b", 1, 0) // those of a that wait do not delay it
		b.wantGranted(t, "another client", 0)
		p.Release(p.tenants["b"], 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, w := range waiting {
			w.wantRefused(t, "one of a", Result{Outcome: TimedOut, OverShare: true, Held: 8}, 2*time.Second)
		}
		if got, want := p.Status(), (Status{Taken: 8, Tenants: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// What one request of a client releases is for the request of it that came first.
func TestPoolServesAClientInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, 10, time.Minute, nil)
		p.takeAll("a", 1)
		first, second := acquire(t, p, "a", 1, 0), acquire(t, p, "a", 1, 0)
		p.Release(p.tenants["a"], 1)
		synctest.Wait()
		first.wantGranted(t, "first", 0)
		second.wantWaiting(t, "second")
		p.Release(p.tenants["a"], 1)
		synctest.Wait()
	})
}

// A request that waits ends with its caller, and with the Pool; one that can never be granted does not wait.
func TestPoolEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drain := make(chan struct{})
		p := New(2, 0, time.Minute, drain)
		held := p.TryAcquire(ask(everyone, 2, 0))
		if got := p.Acquire(t.Context(), ask("a", 3, 0)); got.Outcome != QueueFull {
			t.Errorf("more than there is: got outcome %d, want QueueFull", got.Outcome)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if got := p.Acquire(ctx, ask("a", 1, 0)); got.Outcome != Canceled {
			t.Errorf("of a caller that leaves: got outcome %d, want Canceled", got.Outcome)
		}
		time.AfterFunc(time.Second, func() { close(drain) })
		if got := p.Acquire(t.Context(), ask("a", 1, 0)); got.Outcome != Draining {
			t.Errorf("of a Pool that drains: got outcome %d, want Draining", got.Outcome)
		}
		p.Release(held, 2)
		wantEmpty(t, p)
	})
}
