package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// stalled is a store on a disk that can hang, or be too slow: its operations ignore their context.
type stalled struct {
	quota.Store
	mu    sync.Mutex
	still chan struct{} // nil: the disk works
	slow  time.Duration // what a step takes
}

func (s *stalled) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still = make(chan struct{})
}

// goOn ends a stall: from now on each step takes slow.
func (s *stalled) goOn(slow time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.still != nil {
		close(s.still)
	}
	s.still, s.slow = nil, slow
}

func (s *stalled) wait() {
	s.mu.Lock()
	still, slow := s.still, s.slow
	s.mu.Unlock()
	time.Sleep(slow)
	if still != nil {
		<-still
	}
}

func (s *stalled) Sync(_ context.Context, r quota.Report) (quota.Reply, error) {
	s.wait()
	return s.Store.Sync(context.Background(), r)
}

func (s *stalled) close() error {
	s.wait()
	return nil
}

func TestTheStoreIsClosed(t *testing.T) {
	for _, c := range []struct {
		name    string
		stalls  bool
		signals []time.Duration // when a signal comes, after close has begun
		wantErr error
		took    time.Duration // at most
	}{
		{"it works", false, nil, nil, 0},
		{"it works, and one Ctrl-C was two signals", false, []time.Duration{0}, nil, 0},
		{"it hangs", true, nil, errStoreHangs, cutGrace + 2*2*time.Second + closeTimeout},
		{
			"it hangs, and a second signal comes", true,
			[]time.Duration{time.Second},
			errAbandoned,
			time.Second + signalGrace,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			// One processor: the race detector of Go 1.26 crashes when two fire timers of one bubble at once.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			synctest.Test(t, func(t *testing.T) {
				s := &stalled{Store: memstore.New(nil)}
				n, err := newQuotas(t.Context(), quota.Options{Store: s, Limit: 100 * quota.OneNeuron},
					func() bool { return false }, price.Bound, 0.011, s.close)
				if err != nil {
					t.Fatal(err)
				}
				signals := make(chan os.Signal, 2)
				for _, after := range c.signals {
					time.AfterFunc(after, func() { signals <- syscall.SIGTERM })
				}
				synctest.Wait()
				if c.stalls {
					s.stall()
				}
				began := time.Now()
				err = n.closeOrAbandon(signals, cutGrace, slog.New(slog.DiscardHandler))
				if took := time.Since(began); !errors.Is(err, c.wantErr) || took > c.took {
					t.Errorf("got %v after %v, want %v after %v at most", err, took, c.wantErr, c.took)
				}
				s.goOn(0)
			})
		})
	}
}

// While the disk hangs that is logged, counted and shown, and also when it works again.
func TestAStoreThatHangsIsReported(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // likewise
	synctest.Test(t, func(t *testing.T) {
		var out logtest.Buffer
		m := metrics.New(metrics.Build{})
		log := slog.New(slog.NewTextHandler(&out, nil))
		s := &stalled{Store: memstore.New(nil)}
		watch := &storeWatch{metrics: m, log: log, policy: "deny"}
		o := quota.Options{Store: s, OnStoreEvent: watch.onEvent, Limit: 100 * quota.OneNeuron}
		n, err := newQuotas(t.Context(), o, func() bool { return false }, price.Bound, 0.011, s.close)
		if err != nil {
			t.Fatal(err)
		}
		s.stall()
		time.Sleep(10 * time.Second)
		contains(t, "unready", n.unready(), "stands still")
		equal(t, "lines that the store fails", strings.Count(out.String(), "the store fails"), 1)
		lacks(t, "the log", out.String(), "works again")
		if want := `neuronward_store_failures_total{policy="deny"} 1` + "\n"; !strings.Contains(seriesOf(t, m), want) {
			t.Errorf("missing: %s", want)
		}
		s.goOn(3 * time.Second) // each answer comes too late
		time.Sleep(time.Minute)
		equal(t, "lines that the store fails", strings.Count(out.String(), "the store fails"), 1)
		lacks(t, "the log", out.String(), "works again")
		s.goOn(0)
		time.Sleep(10 * time.Second)
		equal(t, "unready once it works", n.unready(), "")
		equal(t, "lines that it works again", strings.Count(out.String(), "works again"), 1)
		if err := n.close(0, log); err != nil {
			t.Error(err)
		}
	})
}

// What one process learns of a model the others on its store know a minute later.
func TestProcessesLearnFromEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(nil)
		both := [2]*quotas{}
		ctx, stop := context.WithCancel(t.Context())
		for i := range both {
			n, err := newQuotas(ctx, quota.Options{Store: store, Limit: 100_000 * quota.OneNeuron},
				func() bool { return false }, price.Tight, 0.011, func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			both[i] = n
			go n.keepRecalling(ctx)
		}
		request := workload.Request{PromptBytes: 1000, NoDefault: true}
		estimate := func(n *quotas) quota.Neurons {
			return n.estimator.Estimate(n.estimator.Resolve(model), request).Neurons
		}
		first := estimate(both[1])
		for range 20 {
			n := both[0]
			of := n.estimator.Estimate(n.estimator.Resolve(model), request)
			res, _, err := n.ledger.Reserve(ctx, quota.Call{Model: model, Estimate: of.Neurons})
			if err != nil || res == nil {
				t.Fatalf("got %v, %v, want a reservation", res, err)
			}
			res.Settle(quota.Cost{Neurons: quota.OneNeuron})
			res.Calibrate(n.estimator.Learn(n.estimator.Resolve(model), request, of, price.Told{Output: 1000}))
		}
		want := estimate(both[0])
		if want*3 > first {
			t.Fatalf("got %v once 20 calls were seen, want less than a third of %v", want, first)
		}
		equal(t, "estimate of the other process at first", estimate(both[1]), first)
		time.Sleep(recallEvery + time.Second)
		equal(t, "estimate of the other process a minute later", estimate(both[1]), want)
		stop()
		for _, n := range both {
			if err := n.close(0, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		}
	})
}
