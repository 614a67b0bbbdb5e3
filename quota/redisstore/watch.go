package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
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

// Publish implements quota.Store. An event that is lost is not told again.
func (s *Store) Publish(ctx context.Context, e quota.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	payload := fmt.Sprintf("%d %s", e.Kind, e.Replica)
	if e.Model != "" {
		payload += " " + e.Model
	}
	err := s.client.Load().Publish(ctx, s.prefix+"events", payload).Err()
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	return explain(err, s.o.Timeout)
}

// mostPayload bounds an event: whoever may write to the server may publish anything.
const mostPayload = 512

// tell passes on an event as Tell and exchange.lua write it: kind, holder and, of some, the model.
func (s *Store) tell(payload string) {
	words := strings.SplitN(payload, " ", 3)
	kind, err := strconv.ParseUint(words[0], 10, 8)
	if len(words) < 2 || err != nil || len(payload) > mostPayload {
		return
	}
	e := quota.Event{Kind: quota.EventKind(kind), Replica: quota.Replica(words[1])}
	if len(words) == 3 {
		e.Model = words[2]
	}
	s.watchers.Publish(e)
}
