package redisstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

const (
	// quiet is how long nothing may come before the connection is tried.
	quiet = 2 * time.Second

	// again is how long after a subscription broke the next one is tried. Until then there are the heartbeats.
	again = 250 * time.Millisecond
)

// Watch implements quota.Store. It subscribes again by itself when the
// connection breaks; what happens meanwhile is not told.
func (s *Store) Watch(ctx context.Context) (<-chan quota.Event, error) {
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	s.listening.Do(func() { s.running.Go(s.listen) })
	watching, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	events := s.watchers.Add(watching)
	first, enough := s.within(watching)
	defer enough()
	select {
	case <-s.listens:
	case <-first.Done():
	}
	return events, nil
}

// listen keeps a subscription until the store closes.
func (s *Store) listen() {
	stands := sync.OnceFunc(func() { close(s.listens) })
	for s.ctx.Err() == nil {
		s.subscribe(stands)
		stands()
		select {
		case <-s.ctx.Done():
		case <-time.After(again):
		}
	}
}

// subscribe tells the watchers what comes until the connection breaks. stands
// is called once there is a subscription.
func (s *Store) subscribe(stands func()) {
	ctx, cancel := s.within(s.ctx)
	defer cancel()
	sub := s.client.Load().Subscribe(ctx, s.prefix+"events")
	end := func() { sub.Close() } //nolint:errcheck // whatever it was told is told
	defer end()
	defer context.AfterFunc(s.ctx, end)()
	if _, err := sub.ReceiveTimeout(s.ctx, s.o.Timeout); err != nil {
		return
	}
	stands()
	for tried := false; ; {
		message, err := sub.ReceiveTimeout(s.ctx, quiet)
		if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() && !tried {
			tried = true
			if sub.Ping(s.ctx) != nil {
				return
			}
			continue
		}
		if err != nil {
			return
		}
		tried = false
		if m, ok := message.(*redis.Message); ok {
			s.tell(m.Payload)
		}
	}
}

// tell passes on an event as exchange.lua writes it.
func (s *Store) tell(payload string) {
	kind, holder, _ := strings.Cut(payload, " ")
	if len(kind) == 1 && kind[0] >= '0'+byte(quota.Latched) && kind[0] <= '0'+byte(quota.Returned) {
		s.watchers.Tell(quota.Event{Kind: quota.EventKind(kind[0] - '0'), Holder: quota.Holder(holder)})
	}
}
