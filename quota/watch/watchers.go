package watch

import (
	"context"
	"sync"

	"github.com/neuronward/neuronward/quota"
)

// Watchers passes events to those who watch a store within this process. The zero value has none.
type Watchers struct {
	mu  sync.Mutex
	all map[chan quota.Event]struct{}
}

// Add returns a channel of the events from now on. It is closed when ctx ends.
func (w *Watchers) Add(ctx context.Context) <-chan quota.Event {
	c := make(chan quota.Event, 16)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan quota.Event]struct{}{}
	}
	w.all[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
		close(c)
	})
	return c
}

// Publish passes the events on. Whoever has not read the former ones misses them.
func (w *Watchers) Publish(events ...quota.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		for _, e := range events {
			select {
			case c <- e:
			default:
			}
		}
	}
}
