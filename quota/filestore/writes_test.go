package filestore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// A crash leaves the file as it is at that moment. Here a hundred processes follow
// each other on it, each with calls that cost much less than they may.
func TestACrashLoopCostsLittle(t *testing.T) {
	for _, c := range []struct {
		name                      string
		calls                     int
		limit                     quota.Neurons
		estimate, cost, maxWasted quota.Neurons
	}{
		{"without a call", 0, crashLimit, 0, 0, 0},
		{"one small call", 1, crashLimit, n / 2, n / 10, 100 * n},
		{"one call with a large estimate", 1, crashLimit, 60 * n, 2 * n, 100 * n},
		{"ten calls", 10, crashLimit, 2 * n, n / 4, 100 * n},
		{"ten calls, without a limit", 10, 0, 2 * n, n / 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := memoryDir(t)
				path := filepath.Join(dir, "quota0")
				var last quota.Status
				for process := range 101 {
					s, err := filestore.Open(t.Context(), path, filestore.Options{})
					if err != nil {
						t.Fatal(err)
					}
					l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: c.limit})
					if err != nil {
						t.Fatal(err)
					}
					last = l.Snapshot().Account
					for range c.calls {
						res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: c.estimate})
						if res == nil {
							t.Fatalf("got %+v, %v, want a reservation", d, err)
						}
						time.Sleep(100 * time.Millisecond)
						res.Settle(quota.Cost{Neurons: c.cost})
					}
					time.Sleep(2 * time.Second)
					image, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					path = filepath.Join(dir, fmt.Sprint("quota", process+1))
					if err := os.WriteFile(path, image, 0o600); err != nil {
						t.Fatal(err)
					}
					if err := l.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				cost := quota.Neurons(100*c.calls) * c.cost
				wasted := last.Used + last.Lost - cost
				t.Logf("100 starts, %v billed: %v wasted, %.2f %% of the day",
					cost, wasted, 100*wasted.Float()/crashLimit.Float())
				if wasted < 0 || wasted > c.maxWasted {
					t.Errorf("got %v wasted, want 0 to %v: %+v", wasted, c.maxWasted, last)
				}
			})
		})
	}
}

// How often the file is written by ten thousand calls, quick and slow ones.
func TestFewWrites(t *testing.T) {
	for _, c := range []struct {
		name           string
		callers        int
		pause          time.Duration
		limit          quota.Neurons
		estimate, cost quota.Neurons
		maxWrites      int64
	}{
		{"one caller, at once", 1, 0, crashLimit, n, n / 2, 200},
		{"16 callers, at once", 16, 0, crashLimit, n, n / 2, 200},
		{"64 callers of a second each, the whole of the day", 64, time.Second, crashLimit, n, n * 99 / 100, 200},
		{"64 callers whose estimates are far too large", 64, time.Second, crashLimit, 30 * n, n * 9 / 10, 200},
		{"16 callers, at once, without a limit", 16, 0, 0, n, n / 2, 200},
		{"64 callers of a second each, without a limit, for 160 s", 64, time.Second, 0, n, n * 99 / 100, 640},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that chance does not decide who reports during a write
			synctest.Test(t, func(t *testing.T) {
				s := open(t, filepath.Join(t.TempDir(), "quota")) // on a disk: callers gather while it is written
				l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: c.limit, Wait: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				for i := range c.callers {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(3, uint64(i)))
						for k := i; k < 10_000; k += c.callers {
							res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: c.estimate})
							if res == nil {
								t.Errorf("got %+v, %v, want a reservation", d, err)
								return
							}
							if c.pause > 0 {
								time.Sleep(time.Duration(rng.Int64N(int64(2 * c.pause))))
							}
							res.Settle(quota.Cost{Neurons: c.cost})
						}
					})
				}
				wg.Wait()
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				t.Logf("10,000 calls: the file was written %d times", s.Writes())
				if s.Writes() > c.maxWrites {
					t.Errorf("got %d writes, want at most %d", s.Writes(), c.maxWrites)
				}
			})
		})
	}
}
