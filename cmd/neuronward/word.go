package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A word is what the processes on one store tell each other of models that are out of capacity. What is lost comes again with
// the next trial.
type word struct {
	store quota.Store
	own   quota.Replica // in what this process tells
	said  chan quota.Event
}

func newWord(store quota.Store) *word {
	return &word{store: store, own: quota.Replica(rand.Text()), said: make(chan quota.Event, 64)}
}

// tell tells the others that a model is out of capacity, or free again. It does not wait.
func (w *word) tell(model string, free bool) {
	e := quota.Event{Kind: quota.ModelBusy, Replica: w.own, Model: model}
	if free {
		e.Kind = quota.ModelFree
	}
	select {
	case w.said <- e:
	default:
	}
}

// pass tells the others what was said here, and hear what they say, until ctx ends.
func (w *word) pass(ctx context.Context, hear func(model string, free bool)) {
	for ctx.Err() == nil {
		w.listen(ctx, hear)
		// A store that closes, or cannot be watched, must not make this spin.
		select {
		case <-ctx.Done():
		case <-time.After(quota.Heartbeat):
		}
	}
}

// listen is pass until the store ends the watch.
func (w *word) listen(ctx context.Context, hear func(model string, free bool)) {
	events, err := w.store.Watch(ctx)
	if err != nil {
		return
	}
	for {
		select {
		case e := <-w.said:
			_ = w.store.Publish(ctx, e) // it comes again
		case e, ok := <-events:
			switch {
			case !ok:
				return
			case e.Replica == w.own:
			case e.Kind == quota.ModelBusy, e.Kind == quota.ModelFree:
				hear(e.Model, e.Kind == quota.ModelFree)
			}
		}
	}
}
