package pace_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// bench is a Limiter with the largest limit for each of some models, so that
// calls pass at once. It is made anew before the burst of a model is spent: a
// benchmark sees no refusal.
type bench struct {
	table    pace.Table
	keys     []pace.Key
	limiter  atomic.Pointer[pace.Limiter]
	acquired atomic.Int64
}

const (
	// benchChunk is how many calls a goroutine makes between two looks at the number of all calls.
	benchChunk = 512
	// benchBurst is how many calls of one model may pass: a tenth of the limit, less what goroutines make uncounted.
	benchBurst = 90_000
)

func newBench(tb testing.TB, models, clientLimit int) *bench {
	tb.Helper()
	v := &bench{}
	text := ""
	for i := range models {
		model := fmt.Sprintf("@cf/bench/m%d", i)
		text += "," + model + "=1000000"
		k := pace.Key{Task: workload.TextGeneration, Model: model, ClientLimit: clientLimit}
		if clientLimit > 0 {
			k.Client = fmt.Sprint("c", i)
		}
		v.keys = append(v.keys, k)
	}
	var err error
	if v.table, err = pace.ParseTable(text[1:]); err != nil {
		tb.Fatal(err)
	}
	v.limiter.Store(pace.New(v.table))
	return v
}

// acquire makes the i-th call of a goroutine and reports whether it passed.
func (v *bench) acquire(key *pace.Key, i int) bool {
	if i%benchChunk == benchChunk-1 {
		limit := int64(benchBurst * len(v.keys))
		if n := v.acquired.Add(benchChunk); n/limit != (n-benchChunk)/limit {
			v.limiter.Store(pace.New(v.table))
		}
	}
	d, _ := v.limiter.Load().Acquire(context.Background(), *key, 0)
	return d.OK
}

// Calls that pass at once, from several goroutines that call all models one after the other.
func BenchmarkAcquire(b *testing.B) {
	for _, c := range []struct {
		name        string
		models      int
		clientLimit int
	}{
		{"one model", 1, 0},
		{"64 models", 64, 0},
		{"64 models and clients", 64, 1_000_000},
	} {
		for _, goroutines := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", c.name, goroutines), func(b *testing.B) {
				v := newBench(b, c.models, c.clientLimit)
				var refused atomic.Int64
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for g := range goroutines {
					wg.Go(func() {
						for i := range b.N / goroutines {
							if !v.acquire(&v.keys[(g*8+i)%c.models], i) {
								refused.Add(1)
							}
						}
					})
				}
				wg.Wait()
				if n := refused.Load(); n > 0 {
					b.Errorf("%d of %d calls were refused, want 0", n, b.N)
				}
			})
		}
	}
}

// A call that is refused at once, alone and behind calls of 10 clients that wait.
func BenchmarkRefuse(b *testing.B) {
	for _, waiting := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			limits, err := pace.ParseTable("@cf/bench/slow=60")
			if err != nil {
				b.Fatal(err)
			}
			p := pace.New(limits)
			p.Join(time.Now()) // no burst
			key := pace.Key{Task: workload.TextGeneration, Model: "@cf/bench/slow"}
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			for i := range waiting {
				wg.Go(func() {
					k := key
					k.Client = fmt.Sprint("c", i%10)
					_, _ = p.Acquire(ctx, k, time.Hour)
				})
			}
			for {
				all := p.Snapshot(time.Now())
				if waiting == 0 || len(all) == 1 && all[0].Waiting == waiting {
					break
				}
				runtime.Gosched()
			}
			b.ReportAllocs()
			for b.Loop() {
				if d, _ := p.Acquire(ctx, key, 0); d.OK {
					continue // now and then a token is there
				}
			}
			cancel()
			wg.Wait()
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	v := newBench(b, 64, 0)
	for i := range v.keys {
		v.acquire(&v.keys[i], 0)
	}
	for b.Loop() {
		v.limiter.Load().Snapshot(time.Now())
	}
}
