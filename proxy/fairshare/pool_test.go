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

// ask is what a client asks for.
func ask(client string, amount, held int64) Request {
	return Request{Client: client, Limited: client != everyone, Amount: amount, Held: held}
}

// Whatever comes together at a Pool: never more is taken than there is, nothing is lost, and in the end no client is
// remembered.
func TestPoolKeepsCount(t *testing.T) {
	for _, size := range []int64{1, 2, 7} {
		for _, wait := range []time.Duration{0, 50 * time.Microsecond, time.Minute} {
			t.Run(fmt.Sprintf("size %d, wait %v", size, wait), func(t *testing.T) {
				p := New(size, int(size), wait, nil)
				var within, granted, excess atomic.Int64
				var all sync.WaitGroup
				for i := range 4 * size {
					all.Go(func() {
						client := everyone
						if i%2 == 0 {
							client = fmt.Sprint(i / 4)
						}
						random := rand.New(rand.NewPCG(uint64(i), uint64(wait)))
						for range 2000 {
							ctx, cancel := context.WithCancel(context.Background())
							if random.IntN(4) == 0 {
								go cancel()
							}
							r := ask(client, 1+random.Int64N(size), 0)
							tenant := p.TryAcquire(r)
							if tenant == nil {
								tenant = p.Acquire(ctx, r).Tenant
							}
							if tenant != nil {
								granted.Add(1)
								if taken := within.Add(r.Amount); taken > size {
									excess.Store(taken)
								}
								runtime.Gosched()
								within.Add(-r.Amount)
								p.Release(tenant, r.Amount)
							}
							cancel()
						}
					})
				}
				all.Wait()
				if n := excess.Load(); n != 0 {
					t.Errorf("got %d taken at once, want at most %d", n, size)
				}
				if granted.Load() == 0 {
					t.Error("got no request granted, want some")
				}
				wantEmpty(t, p)
			})
		}
	}
}

// wantEmpty checks that nothing is taken, nobody waits and no client is remembered.
func wantEmpty(t *testing.T, p *Pool) {
	t.Helper()
	if got := p.Status(); got != (Status{}) {
		t.Errorf("got %+v, want a Pool of which nothing is taken", got)
	}
	if n := len(p.queue); n != 0 {
		t.Errorf("got %d clients in the queue, want none", n)
	}
}

// takeAll lets a client take n at a time until it gets no more, and returns how much it has.
func (p *Pool) takeAll(client string, n int64) (held int64) {
	for p.TryAcquire(ask(client, n, 0)) != nil {
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
		{"a client that is not limited takes all", 1000, 1, []string{everyone}, []int64{1000}},
		{"one client leaves a fifth", 1000, 1, []string{"a"}, []int64{800}},
		{"a second finds a fifth, and takes four fifths of that", 1000, 1, []string{"a", "b"}, []int64{800, 160}},
		{"then a third", 1000, 1, []string{"a", "b", "c"}, []int64{800, 160, 32}},
		{"a single request may be large", 1000, 1000, []string{"a"}, []int64{1000}},
		{"of two slots a client gets one, so does the next", 2, 1, []string{"a", "b", "c"}, []int64{1, 1, 0}},
		{"bytes, in pieces", 256 << 20, 16 << 20, []string{"a", "b"}, []int64{192 << 20, 48 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(c.size, 0, 0, nil)
			var got []int64
			for _, client := range c.clients {
				got = append(got, p.takeAll(client, c.n))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Two clients that always ask come to hold the same, whichever came first.
func TestPoolEvensOut(t *testing.T) {
	p := New(1000, 0, 0, nil)
	clients := []string{"a", "b"}
	held := map[string][]*Tenant{}
	for range p.takeAll("a", 1) {
		held["a"] = append(held["a"], p.tenants["a"])
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		client := clients[rng.IntN(2)]
		if all := held[client]; len(all) > 0 && rng.IntN(2) == 0 {
			p.Release(all[0], 1)
			held[client] = all[1:]
		}
		for _, client := range clients {
			if tenant := p.TryAcquire(ask(client, 1, 0)); tenant != nil {
				held[client] = append(held[client], tenant)
			}
		}
	}
	for _, client := range clients {
		if n := len(held[client]); n < 400 || n > 480 {
			t.Errorf("%s: got %d held, want about 4/9 of 1000", client, n)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	for _, client := range []string{everyone, "search-team"} {
		b.Run(client, func(b *testing.B) {
			p := New(1024, 1024, 0, nil)
			b.ReportAllocs()
			for b.Loop() {
				p.Release(p.TryAcquire(ask(client, 1, 0)), 1)
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		p := New(1024, 1024, 0, nil)
		var next atomic.Int64
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			client := fmt.Sprint("client", next.Add(1))
			for pb.Next() {
				p.Release(p.TryAcquire(ask(client, 1, 0)), 1)
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		p := New(1024, 1024, 0, nil)
		for i := range 64 {
			p.takeAll(fmt.Sprint("client", i), 1)
		}
		b.ReportAllocs()
		for b.Loop() {
			if p.TryAcquire(ask("client0", 1, 0)) != nil {
				b.Fatal("got a grant, want a refusal")
			}
		}
	})
}

// An acquisition is a request that waits.
type acquisition struct {
	Result
	after time.Duration
	done  atomic.Bool
}

func (a *acquisition) String() string {
	return fmt.Sprintf("done %v after %v: outcome %d, over its share %v, %d held",
		a.done.Load(), a.after, a.Outcome, a.OverShare, a.Held)
}

// acquire lets a client acquire an amount, and returns when that goes no further.
func acquire(t *testing.T, p *Pool, client string, amount, held int64) *acquisition {
	a := &acquisition{}
	began := time.Now()
	go func() {
		r := ask(client, amount, held)
		if a.Tenant = p.TryAcquire(r); a.Tenant == nil {
			a.Result = p.Acquire(t.Context(), r)
		}
		a.after = time.Since(began)
		a.done.Store(true)
	}()
	synctest.Wait()
	return a
}

// wantWaiting checks that a request waits.
func (a *acquisition) wantWaiting(t *testing.T, name string) {
	t.Helper()
	if a.done.Load() {
		t.Errorf("%s: got %v, want it to wait", name, a)
	}
}

// wantGranted checks that a request was granted, after a time.
func (a *acquisition) wantGranted(t *testing.T, name string, after time.Duration) {
	t.Helper()
	if !a.done.Load() || a.Outcome != Granted {
		t.Errorf("%s: got %v, want it granted", name, a)
		return
	}
	if a.after != after {
		t.Errorf("%s: got an answer after %v, want after %v", name, a.after, after)
	}
}

// wantRefused checks how a request was refused, after a time.
func (a *acquisition) wantRefused(t *testing.T, name string, want Result, after time.Duration) {
	t.Helper()
	if !a.done.Load() || a.Result != want {
		t.Errorf("%s: got %v, want %+v", name, a, want)
		return
	}
	if a.after != after {
		t.Errorf("%s: got an answer after %v, want after %v", name, a.after, after)
	}
}
