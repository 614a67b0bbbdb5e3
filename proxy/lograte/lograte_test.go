package lograte

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	for _, c := range []struct {
		name    string
		events  int
		every   time.Duration
		single  int   // events that are logged by themselves
		reports []int // in the order of their seconds
	}{
		{"as many as are allowed", 10, 0, 10, nil},
		{"one more", 11, 0, 10, []int{1}},
		{"a few a second", 100, 150 * time.Millisecond, 100, nil},
		{"many at once", 5000, 0, 10, []int{4990}},
		{"40 a second for three seconds", 120, 25 * time.Millisecond, 30, []int{30, 30, 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var reports []int
				l := New(10, func(more int) {
					mu.Lock()
					defer mu.Unlock()
					reports = append(reports, more)
				})
				single := 0
				for range c.events {
					if l.Allow() {
						single++
					}
					if c.every > 0 {
						time.Sleep(c.every)
						synctest.Wait() // the end of a second comes before the event that begins another
					}
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if single != c.single {
					t.Errorf("got %d events logged by themselves, want %d", single, c.single)
				}
				if !slices.Equal(reports, c.reports) {
					t.Errorf("got reports of %v more events, want %v", reports, c.reports)
				}
			})
		})
	}
}

// What is logged by itself and what is reported are all events, whoever calls.
func TestNoEventIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := 0
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			got += n
		}
		l := New(10, add)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 100 {
					if l.Allow() {
						add(1)
					}
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		all.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got != 5000 {
			t.Errorf("got %d events logged or reported, want 5000", got)
		}
	})
}
