package fairshare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// everyone is a client that is not limited.
const everyone = "everyone"

// Whatever comes together at a pool: never more is taken than there is,
// nothing is lost, and in the end nobody is remembered.
func TestPoolKeepsCount(t *testing.T) {
	for _, size := range []int64{1, 2, 7} {
		for _, wait := range []time.Duration{0, 50 * time.Microsecond, time.Minute} {
			c := New(size, int(size), wait, nil)
			var within, calls atomic.Int64
			var over atomic.Bool
			var all sync.WaitGroup
			for i := range 4 * size {
				all.Go(func() {
					random := rand.New(rand.NewPCG(uint64(i), uint64(wait)))
					client, shares := everyone, false
					if i%2 == 0 {
						client, shares = fmt.Sprint(i/4), true
					}
					for range 2000 {
						ctx, cancel := context.WithCancel(context.Background())
						if random.IntN(4) == 0 {
							go cancel()
						}
						n := 1 + random.Int64N(size)
						m := c.TryAcquire(Request{client, shares, n, 0})
						if m == nil {
							m = c.Acquire(ctx, Request{client, shares, n, 0}).Tenant
						}
						if m != nil {
							calls.Add(1)
							if within.Add(n) > size {
								over.Store(true)
							}
							runtime.Gosched()
							within.Add(-n)
							c.Release(m, n)
						}
						cancel()
					}
				})
			}
			all.Wait()
			if over.Load() || calls.Load() == 0 || c.free != size || c.waiting != 0 || len(c.tenants) != 0 || len(c.queue) != 0 {
				t.Errorf("size %d, wait %v: %d calls; more taken at once: %v; left: %d free, %d waiting, %d clients, %d of them in line",
					size, wait, calls.Load(), over.Load(), c.free, c.waiting, len(c.tenants), len(c.queue))
			}
		}
	}
}

// takeAll lets a client take n at a time until it gets no more, and returns how
// much it has.
func (c *Pool) takeAll(client string, shares bool, n int64) (held int64) {
	for c.TryAcquire(Request{client, shares, n, 0}) != nil {
		held += n
	}
	return held
}

func TestPoolLeavesRoomForOthers(t *testing.T) {
	for _, c := range []struct {
		name    string
		size, n int64
		clients []string
		want    []int64
	}{
		{"callers without a client of ours take all", 1000, 1, []string{everyone}, []int64{1000}},
		{"one client leaves a fifth", 1000, 1, []string{"a"}, []int64{800}},
		{"a second finds a fifth, and takes four fifths of that", 1000, 1, []string{"a", "b"}, []int64{800, 160}},
		{"then a third", 1000, 1, []string{"a", "b", "c"}, []int64{800, 160, 32}},
		{"a single one may be large", 1000, 1000, []string{"a"}, []int64{1000}},
		{"of two places a client gets one, so does the next", 2, 1, []string{"a", "b", "c"}, []int64{1, 1, 0}},
		{"bytes, in pieces", 256 << 20, 16 << 20, []string{"a", "b"}, []int64{192 << 20, 48 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			room := New(c.size, 0, 0, nil)
			var got []int64
			for _, client := range c.clients {
				got = append(got, room.takeAll(client, client != everyone, c.n))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, not %v", got, c.want)
			}
		})
	}
}

// Two that always ask come to the same, whoever came first.
func TestPoolEvensOut(t *testing.T) {
	room := New(1000, 0, 0, nil)
	clients := []string{"a", "b"}
	held := map[string][]*Tenant{}
	for range room.takeAll("a", true, 1) {
		held["a"] = append(held["a"], room.tenants["a"])
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		client := clients[rng.IntN(2)]
		if ms := held[client]; len(ms) > 0 && rng.IntN(2) == 0 {
			room.Release(ms[0], 1)
			held[client] = ms[1:]
		}
		for _, client := range clients {
			if m := room.TryAcquire(Request{client, true, 1, 0}); m != nil {
				held[client] = append(held[client], m)
			}
		}
	}
	for _, client := range clients {
		if n := len(held[client]); n < 400 || n > 480 {
			t.Errorf("%s holds %d, not 4/9 of 1000", client, n)
		}
	}
}

// An asker is one that waits for something of a pool.
type asker struct {
	Result
	after time.Duration
	done  atomic.Bool
}

func ask(t *testing.T, c *Pool, client string, n, has int64) *asker {
	a := &asker{}
	began := time.Now()
	go func() {
		if a.Tenant = c.TryAcquire(Request{client, client != everyone, n, has}); a.Tenant == nil {
			a.Result = c.Acquire(t.Context(), Request{client, client != everyone, n, has})
		}
		a.after = time.Since(began)
		a.done.Store(true)
	}()
	synctest.Wait()
	return a
}

// Who would hold least goes first: neither is a small body behind the large one
// of another client, nor does the large one starve behind many small ones.
func TestPoolServesWhoWouldHoldLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(100, 0, 5*time.Second, nil)
		var small []*Tenant
		for range 70 {
			small = append(small, c.TryAcquire(Request{"many", true, 1, 0}))
		}
		large := ask(t, c, "large", 40, 0)
		other := ask(t, c, "other", 5, 0)
		more := ask(t, c, "many", 1, 0)
		if large.done.Load() || !other.done.Load() || more.done.Load() {
			t.Fatalf("there are 30 free: large %+v, other %+v, of many %+v", large, other, more)
		}
		for i := range 15 {
			c.Release(small[i], 1)
		}
		synctest.Wait()
		if !large.done.Load() || large.Outcome != Granted || more.done.Load() {
			t.Errorf("large: %+v, of many: %+v", large, more)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := (Result{Outcome: TimedOut, Held: 55}); more.Result != want || more.after != 5*time.Second {
			t.Errorf("of many: %+v", more)
		}
	})
}

// The same among those that wait already, and of one client it is who came first.
func TestPoolServesTheSmallAmongThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(100, 0, 5*time.Second, nil)
		held := c.TryAcquire(Request{everyone, false, 100, 0})
		large, behind, other := ask(t, c, "large", 40, 0), ask(t, c, "large", 5, 0), ask(t, c, "other", 5, 0)
		c.Release(held, 5)
		synctest.Wait()
		if large.done.Load() || behind.done.Load() || !other.done.Load() {
			t.Errorf("large: %+v, behind it: %+v, other: %+v", large, behind, other)
		}
		c.Release(held, 6)
		if tiny := ask(t, c, "large", 1, 0); large.done.Load() || behind.done.Load() || tiny.done.Load() {
			t.Errorf("large: %+v, behind it: %+v and %+v", large, behind, tiny)
		}
		time.Sleep(5 * time.Second)
	})
}

// What waits behind somebody who leaves is served then.
func TestPoolServesWhoIsBehindOneThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(100, 0, 5*time.Second, nil)
		c.TryAcquire(Request{"many", true, 70, 0})
		large := ask(t, c, "large", 40, 0)
		time.Sleep(time.Second)
		more := ask(t, c, "many", 1, 0)
		if more.done.Load() {
			t.Fatalf("behind the large one: %+v", more)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if large.Outcome != TimedOut || !more.done.Load() || more.Outcome != Granted || more.after != 4*time.Second {
			t.Errorf("large: %+v, behind it: %+v", large, more)
		}
	})
}

func TestPoolSaysWhoseShareIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(10, 10, 2*time.Second, nil)
		if n := c.takeAll("a", true, 1); n != 8 {
			t.Fatalf("a has %d", n)
		}
		var waits []*asker
		for range 8 {
			waits = append(waits, ask(t, c, "a", 1, 0))
		}
		ninth := ask(t, c, "a", 1, 0)
		if want := (Result{Outcome: QueueFull, OverShare: true, Held: 8}); ninth.Result != want || ninth.after != 0 {
			t.Errorf("the ninth in line: %+v", ninth)
		}
		b := ask(t, c, "b", 1, 0) // the places of others are not in its way
		if !b.done.Load() || b.Outcome != Granted || b.after != 0 {
			t.Errorf("another client: %+v", b)
		}
		c.Release(c.tenants["b"], 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i, w := range waits {
			if want := (Result{Outcome: TimedOut, OverShare: true, Held: 8}); w.Result != want {
				t.Errorf("in line, %d: %+v", i, w)
			}
		}
		if c.waiting != 0 || len(c.tenants) != 1 {
			t.Errorf("%d wait, %d clients", c.waiting, len(c.tenants))
		}
	})
}

// A place that a client's own call gives back is for those of it that wait.
func TestPoolServesAClientInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(10, 10, time.Minute, nil)
		c.takeAll("a", true, 1)
		first, second := ask(t, c, "a", 1, 0), ask(t, c, "a", 1, 0)
		c.Release(c.tenants["a"], 1)
		synctest.Wait()
		if !first.done.Load() || second.done.Load() {
			t.Errorf("first: %+v, second: %+v", first, second)
		}
		c.Release(c.tenants["a"], 1)
		synctest.Wait()
	})
}

func BenchmarkPool(b *testing.B) {
	for _, client := range []string{everyone, "search-team"} {
		b.Run(client, func(b *testing.B) {
			c := New(1024, 1024, 0, nil)
			b.ReportAllocs()
			for b.Loop() {
				c.Release(c.TryAcquire(Request{client, client != everyone, 1, 0}), 1)
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		c := New(1024, 1024, 0, nil)
		var next atomic.Int64
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			client := fmt.Sprint("client", next.Add(1))
			for pb.Next() {
				c.Release(c.TryAcquire(Request{client, true, 1, 0}), 1)
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		c := New(1024, 1024, 0, nil)
		for i := range 64 {
			c.takeAll(fmt.Sprint("client", i), true, 1)
		}
		b.ReportAllocs()
		for b.Loop() {
			if c.TryAcquire(Request{"client0", true, 1, 0}) != nil {
				b.Fatal("taken")
			}
		}
	})
}
