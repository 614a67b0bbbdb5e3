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
	"sync"
	"testing"
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
	crashCallers     = 32
	crashMaxEstimate = 20 * n
	crashLimit       = 10_000 * n
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *crashChild != "" {
		os.Exit(callUntilKilled(*crashChild, os.Stdout))
	}
	os.Exit(m.Run())
}

// noon is a clock that does not reach midnight during a test.
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
	l, err := quota.New(context.Background(), quota.Options{Store: s, Limit: crashLimit, Now: noon()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	write := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format, args...)
	}
	var wg sync.WaitGroup
	for range crashCallers {
		wg.Go(func() {
			for {
				estimate := 1 + quota.Neurons(rand.Int64N(int64(crashMaxEstimate)))
				res, _, err := l.Reserve(context.Background(), quota.Call{Model: "m", Estimate: estimate})
				if err != nil {
					write("error %v\n", err)
					return
				}
				if res == nil {
					<-time.After(time.Minute) // a busy machine may kill it late
					return
				}
				write("reserved %d\n", estimate)
				<-time.After(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
				cost := quota.Neurons(rand.Int64N(int64(estimate) + 1))
				write("billed %d %d\n", cost, estimate)
				res.Settle(quota.Cost{Neurons: cost})
			}
		})
	}
	wg.Wait()
	return 0
}

// TestKilled kills a process that makes calls, with SIGKILL, at random moments.
// The file is never below what was billed, and above it by no more than what was
// free, 1 % of the limit, and what calls in flight had reserved.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quota")
	var billed, before quota.Neurons
	var maxOver, sumOver, maxInFlight, all quota.Neurons
	for round := range *crashes {
		if billed+before > crashLimit/2 { // a child must not end by itself
			path = filepath.Join(t.TempDir(), fmt.Sprint("quota", round))
			billed, before = 0, 0
		}
		b, inFlight := runAndKill(t, path)
		billed, all = billed+b, all+b
		s, err := filestore.Open(t.Context(), path, filestore.Options{Now: noon()})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Sync(t.Context(), quota.Report{
			Day: quota.DayOf(noon()()), Replica: "reader", Seq: 1, Leave: true,
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: crashLimit}},
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
			t.Fatalf("round %d: got %v counted, want at least the %v billed", round, counted, billed+before)
		}
		if limit := crashLimit/100 + crashCallers*crashMaxEstimate; over > limit {
			t.Errorf("round %d: got %v counted above what was billed, want at most %v", round, over, limit)
		}
		before += over
		maxOver, sumOver, maxInFlight = max(maxOver, over), sumOver+over, max(maxInFlight, inFlight)
	}
	if all == 0 {
		t.Error("got nothing billed by any child, want something")
	}
	t.Logf("%d kills: above by %v on average, %v at most, with up to %v reserved in flight (1 %% is %v)",
		*crashes, sumOver/quota.Neurons(*crashes), maxOver, maxInFlight, crashLimit/100)
}

// runAndKill returns what upstream billed to a child, and what it had reserved
// when it died.
func runAndKill(t *testing.T, path string) (billed, inFlight quota.Neurons) {
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
			inFlight -= b
		default:
			if k, _ := fmt.Sscanf(lines.Text(), "reserved %d", &a); k != 1 {
				t.Fatalf("child: got line %q, want billed or reserved", lines.Text())
			}
			inFlight += a
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("child: got exit status 0, want it killed")
	}
	return billed, inFlight
}
