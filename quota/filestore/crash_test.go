package filestore_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// A soak crashes more often: go test ./quota/filestore -crashes 50
var (
	crashes    = flag.Int("crashes", 5, "how often TestKilled kills its child")
	crashChild = flag.String("crash-child", "", "be the child of TestKilled, on this file")
)

const (
	crashCallers = 32
	crashLargest = 20 * n
	crashCeiling = 10_000 * n
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *crashChild != "" {
		os.Exit(callUntilKilled(*crashChild, os.Stdout))
	}
	os.Exit(m.Run())
}

// noon is a clock that does not come to midnight during a test.
func noon() func() time.Time {
	start := time.Now()
	return func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Since(start)) }
}

// callUntilKilled makes calls. It writes a line for each before it is made, with
// what it reserves, and one when upstream has billed it, before it settles.
func callUntilKilled(path string, out io.Writer) int {
	s, err := filestore.Open(context.Background(), path, filestore.Options{Now: noon()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := quota.New(context.Background(), quota.Options{Store: s, Limit: crashCeiling, Now: noon()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format, args...)
	}
	var wg sync.WaitGroup
	for range crashCallers {
		wg.Go(func() {
			for {
				estimate := 1 + quota.Neurons(rand.Int64N(int64(crashLargest)))
				res, _, err := l.Reserve(context.Background(), quota.Call{Model: "m", Estimate: estimate})
				if err != nil {
					say("error %v\n", err)
					return
				}
				if res == nil {
					return
				}
				say("reserved %d\n", estimate)
				<-time.After(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
				cost := quota.Neurons(rand.Int64N(int64(estimate) + 1))
				say("billed %d %d\n", cost, estimate)
				res.Settle(quota.Cost{Neurons: cost})
			}
		})
	}
	wg.Wait()
	return 0
}

// TestKilled kills a process that calls, with SIGKILL, at random moments: the
// file is never below what was billed, and above it by no more than what was
// free, 1 % of the ceiling, and what calls in flight had reserved.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quota")
	var billed, before quota.Neurons
	var most, sum, mostFlying, all quota.Neurons
	for round := range *crashes {
		if billed+before > crashCeiling/2 { // a child must not come to the end by itself
			path = filepath.Join(t.TempDir(), fmt.Sprint("quota", round))
			billed, before = 0, 0
		}
		b, flying := runAndKill(t, path)
		billed, all = billed+b, all+b
		s, err := filestore.Open(t.Context(), path, filestore.Options{Now: noon()})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Sync(t.Context(), quota.Report{
			Day: quota.DayOf(noon()()), Replica: "look", Seq: 1, Leave: true,
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: crashCeiling}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		bal := st.Balances[0]
		counted := bal.Spent + bal.Lost
		over := counted - billed - before
		if over < 0 {
			t.Fatalf("round %d: %v counted, %v billed", round, counted, billed+before)
		}
		if over > crashCeiling/100+crashCallers*crashLargest {
			t.Errorf("round %d: %v counted above what was billed", round, over)
		}
		before += over
		most, sum, mostFlying = max(most, over), sum+over, max(mostFlying, flying)
	}
	if all == 0 {
		t.Error("no child came to bill anything")
	}
	t.Logf("%d kills: never below; above by %v on average, %v at most, where up to %v were reserved in flight (1 %% is %v)",
		*crashes, sum/quota.Neurons(*crashes), most, mostFlying, crashCeiling/100)
}

// runAndKill returns what upstream billed to a child, and what it had reserved
// when it died.
func runAndKill(t *testing.T, path string) (billed, flying quota.Neurons) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-crash-child", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for first := true; lines.Scan(); first = false {
		if first {
			time.AfterFunc(time.Duration(rand.Int64N(int64(150*time.Millisecond))), func() { cmd.Process.Kill() })
		}
		var a, b quota.Neurons
		switch k, _ := fmt.Sscanf(lines.Text(), "billed %d %d", &a, &b); k {
		case 2:
			billed += a
			flying -= b
		default:
			if k, _ := fmt.Sscanf(lines.Text(), "reserved %d", &a); k != 1 {
				t.Fatalf("the child says %q", lines.Text())
			}
			flying += a
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child was not killed")
	}
	return billed, flying
}

// A crash leaves the file as it is at that moment. Here a hundred lives follow
// each other on it, each with one call that costs much less than it may.
func TestACrashLoopCostsLittle(t *testing.T) {
	for _, c := range []struct {
		name                 string
		calls                int
		estimate, cost, most quota.Neurons
	}{
		{"without a call", 0, 0, 0, 0},
		{"one small call", 1, n / 2, n / 10, 100 * n},
		{"one call with a large estimate", 1, 60 * n, 2 * n, 100 * n},
		{"ten calls", 10, 2 * n, n / 4, 100 * n},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "quota0")
				var last quota.Status
				for life := range 101 {
					s, err := filestore.Open(t.Context(), path, filestore.Options{})
					if err != nil {
						t.Fatal(err)
					}
					l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: crashCeiling})
					if err != nil {
						t.Fatal(err)
					}
					last = l.Snapshot().Account
					for range c.calls {
						res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: c.estimate})
						if res == nil {
							t.Fatal(d, err)
						}
						time.Sleep(100 * time.Millisecond)
						res.Settle(quota.Cost{Neurons: c.cost})
					}
					time.Sleep(2 * time.Second)
					image, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					path = filepath.Join(dir, fmt.Sprint("quota", life+1))
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
				t.Logf("100 starts, %v billed: %v wasted, %.2f %% of the day", cost, wasted, 100*wasted.Float()/crashCeiling.Float())
				if wasted < 0 || wasted > c.most {
					t.Errorf("%v wasted, want at most %v: %+v", wasted, c.most, last)
				}
			})
		})
	}
}

// Ten thousand calls that share a ceiling, quickly and slowly: how often the
// file is written.
func TestFewWrites(t *testing.T) {
	for _, c := range []struct {
		name           string
		callers        int
		pause          time.Duration
		estimate, cost quota.Neurons
		most           int64
	}{
		{"one caller, at once", 1, 0, n, n / 2, 200},
		{"16 callers, at once", 16, 0, n, n / 2, 200},
		{"64 callers of a second each, the whole of the day", 64, time.Second, n, n * 99 / 100, 200},
		{"64 callers whose estimates are far too large", 64, time.Second, 30 * n, n * 9 / 10, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // who asks while a write goes on is then no matter of chance
			synctest.Test(t, func(t *testing.T) {
				s, err := filestore.Open(t.Context(), filepath.Join(t.TempDir(), "quota"), filestore.Options{})
				if err != nil {
					t.Fatal(err)
				}
				l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: crashCeiling, Wait: 10 * time.Second})
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
								t.Error(d, err)
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
				if s.Writes() > c.most {
					t.Errorf("more than %d", c.most)
				}
			})
		})
	}
}
