package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A capacityBroadcast informs the processes on one store which models are out of capacity. An event may be lost: the
// next call that is tried for the model sends it again.
type capacityBroadcast struct {
	store quota.Store
	own   quota.Replica // in the events of this process
	queue chan quota.Event
}

func newCapacityBroadcast(store quota.Store) *capacityBroadcast {
	return &capacityBroadcast{store: store, own: quota.Replica(rand.Text()), queue: make(chan quota.Event, 64)}
}

// announce sends to the other processes that a model is out of capacity, or free again. It does not wait.
func (b *capacityBroadcast) announce(model string, free bool) {
	e := quota.Event{Kind: quota.ModelBusy, Replica: b.own, Model: model}
	if free {
		e.Kind = quota.ModelFree
	}
	select {
	case b.queue <- e:
	default:
	}
}

// run sends what is announced, and calls receive with what others announce, until ctx ends.
func (b *capacityBroadcast) run(ctx context.Context, receive func(model string, free bool)) {
	for ctx.Err() == nil {
		b.relay(ctx, receive)
		// A store that closes, or cannot be watched, must not make this spin.
		select {
		case <-ctx.Done():
		case <-time.After(quota.Heartbeat):
		}
	}
}

// relay is run until the store ends the watch.
func (b *capacityBroadcast) relay(ctx context.Context, receive func(model string, free bool)) {
	events, err := b.store.Watch(ctx)
	if err != nil {
		return
	}
	for {
		select {
		case e := <-b.queue:
			_ = b.store.Publish(ctx, e) // it is sent again
		case e, ok := <-events:
			switch {
			case !ok:
				return
			case e.Replica == b.own:
			case e.Kind == quota.ModelBusy, e.Kind == quota.ModelFree:
				receive(e.Model, e.Kind == quota.ModelFree)
			}
		}
	}
}
