package pace_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// A fleet is replicas that share the limits of requests per minute, each with a
// caller that takes whatever it gets.
type fleet struct {
	t      *testing.T
	store  *memstore.Store
	limits pace.Table
	key    pace.Key

	mu     sync.Mutex
	passed []time.Time
}

func newFleet(t *testing.T, perMinute int) *fleet {
	t.Helper()
	limits, err := pace.ParseTable(fmt.Sprintf("%s=%d", pacedModel, perMinute))
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{
		t: t, store: memstore.New(nil), limits: limits,
		key: pace.Key{Task: workload.TextGeneration, Model: pacedModel},
	}
}

// join starts a replica, which calls until leave. kill ends it and the store is
// not told.
func (f *fleet) join() (leave, kill func()) {
	f.t.Helper()
	limiter := pace.New(f.limits)
	store := &mortal{Store: f.store}
	l, err := quota.New(f.t.Context(), quota.Options{Store: store, Pace: limiter})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			if d, _ := limiter.Acquire(ctx, f.key, time.Hour); !d.OK {
				return
			}
			f.mu.Lock()
			f.passed = append(f.passed, time.Now())
			f.mu.Unlock()
		}
	}()
	stop := func() {
		cancel()
		<-closed
	}
	leave = func() {
		stop()
		if err := l.Close(context.WithoutCancel(f.t.Context())); err != nil {
			f.t.Error(err)
		}
	}
	kill = func() {
		stop()
		store.die()
		_ = l.Close(context.WithoutCancel(f.t.Context())) // its store is gone
	}
	return leave, kill
}

// busiest is the largest number of calls that passed in any 60 seconds from since
// on.
func (f *fleet) busiest(since time.Time) (count int) {
	slices.SortFunc(f.passed, time.Time.Compare)
	from := 0
	for i, at := range f.passed {
		for from < i && (at.Sub(f.passed[from]) >= time.Minute || f.passed[from].Before(since)) {
			from++
		}
		count = max(count, i-from+1)
	}
	return count
}

// maxWhileMoving is how many calls may pass of a limit in 60 seconds while
// replicas come and go: one that does not know of it yet is too fast for one
// heartbeat.
func maxWhileMoving(perMinute int) int { return perMinute + perMinute/50 + 1 }

// during is how many passed between two times.
func (f *fleet) during(from, to time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.passed {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// mortal is a store that fails for a process that has died.
type mortal struct {
	quota.Store
	mu   sync.Mutex
	dead bool
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	m.mu.Lock()
	dead := m.dead
	m.mu.Unlock()
	if dead {
		return quota.Reply{}, context.Canceled
	}
	return m.Store.Sync(ctx, r)
}

// However many replicas there are, together they stay within the limit in any 60
// seconds and use most of it.
func TestReplicasShareAPace(t *testing.T) {
	for _, perMinute := range []int{60, 300, 3000} {
		for _, replicas := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("%d of %d a minute", replicas, perMinute), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					f := newFleet(t, perMinute)
					began := time.Now()
					var leave [4]func()
					for i := range replicas {
						leave[i], _ = f.join()
					}
					time.Sleep(5 * time.Minute)
					for i := range replicas {
						leave[i]()
					}
					steady := f.during(began.Add(time.Minute), began.Add(5*time.Minute))
					if used := float64(steady) / float64(4*perMinute); used < 0.85 {
						t.Errorf("used of the limit: got %.1f %%, want at least 85 %%", 100*used)
					}
					if n := f.busiest(began.Add(quota.Heartbeat)); n > perMinute {
						t.Errorf("calls passed in 60 s: got %d, want at most %d", n, perMinute)
					}
					if n := f.busiest(began); n > maxWhileMoving(perMinute) {
						t.Errorf("first 60 s: got %d calls passed, want at most %d", n, maxWhileMoving(perMinute))
					}
				})
			})
		}
	}
}

// While replicas come and go, and at midnight, they exceed the limit by what one
// heartbeat lets through at most, and what a replica leaves the others use.
func TestReplicasComeAndGo(t *testing.T) {
	for _, perMinute := range []int{60, 300, 3000} {
		t.Run(fmt.Sprint(perMinute), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				f := newFleet(t, perMinute)
				// One second before midnight there are four.
				midnight := time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
				time.Sleep(time.Until(midnight.Add(-5 * time.Minute)))
				first, _ := f.join()
				time.Sleep(70 * time.Second)
				second, _ := f.join()
				_, kill := f.join()
				time.Sleep(70*time.Second + 123*time.Millisecond)
				fourth, _ := f.join()
				time.Sleep(4 * time.Minute)
				steady := func(what string, minUsed float64) {
					t.Helper()
					now := time.Now()
					if used := float64(f.during(now.Add(-time.Minute), now)) / float64(perMinute); used < minUsed {
						t.Errorf("%s: got %.1f %% of the limit used, want %.0f %%", what, 100*used, 100*minUsed)
					}
				}
				steady("four", 0.85)
				kill()
				time.Sleep(quota.ReplicaTimeout + 2*quota.Heartbeat + time.Minute)
				steady("one was killed", 0.85)
				first()
				time.Sleep(2*quota.Heartbeat + time.Minute)
				steady("one left", 0.85)
				second()
				time.Sleep(2*quota.Heartbeat + time.Minute)
				steady("one is left", 0.85)
				fourth()
				if n := f.busiest(time.Time{}); n > maxWhileMoving(perMinute) {
					t.Errorf("calls passed in 60 s: got %d, want at most %d", n, maxWhileMoving(perMinute))
				}
			})
		})
	}
}

// A store that was emptied knows of no replica for a moment.
func TestReplicasKeepTheirShareInAnEmptiedStore(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const perMinute = 3000
		f := newFleet(t, perMinute)
		shelf := &shelf{Store: memstore.New(nil)}
		var all []*pace.Limiter
		for range 4 {
			p := pace.New(f.limits)
			l, err := quota.New(t.Context(), quota.Options{Store: shelf, Pace: p})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close(context.Background())
			all = append(all, p)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		for _, p := range all {
			drain(t, p, f.key)
		}
		shelf.empty()
		for range 300 {
			for i, p := range all {
				if r := paceOf(p, pacedModel); r != perMinute/4 {
					t.Fatalf("replica %d: got pace %v, want %v", i, r, perMinute/4)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// shelf is a store that can be emptied.
type shelf struct {
	mu sync.Mutex
	quota.Store
}

func (s *shelf) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Store = memstore.New(nil)
}

func (s *shelf) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	s.mu.Lock()
	store := s.Store
	s.mu.Unlock()
	return store.Sync(ctx, r)
}
