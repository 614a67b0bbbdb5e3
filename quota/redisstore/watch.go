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
	// idleTimeout is how long a connection may be silent before it is tested.
	idleTimeout = 2 * time.Second

	// resubscribeDelay is how long after the end of a subscription the next one is tried.
	resubscribeDelay = 250 * time.Millisecond
)

// Watch implements quota.Store. It subscribes again by itself when the connection
// breaks; events that happen meanwhile are lost.
func (s *Store) Watch(ctx context.Context) (<-chan quota.Event, error) {
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	s.subscribeOnce.Do(func() { s.inBackground(s.keepSubscribed) })
	watching, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	events := s.watchers.Add(watching)
	wait, done := context.WithTimeout(watching, s.deadline(true))
	defer done()
	select {
	case <-s.subscribed:
	case <-wait.Done():
	}
	return events, nil
}

// keepSubscribed keeps a subscription until the store closes.
func (s *Store) keepSubscribed() {
	subscribed := sync.OnceFunc(func() { close(s.subscribed) })
	for s.ctx.Err() == nil {
		s.subscribe(subscribed)
		subscribed()
		select {
		case <-s.ctx.Done():
		case <-time.After(resubscribeDelay):
		}
	}
}

// subscribe passes events to the watchers until the connection breaks. It calls
// subscribed once there is a subscription.
func (s *Store) subscribe(subscribed func()) {
	limit := s.deadline(true)
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	sub := s.client.Load().Subscribe(ctx, s.prefix+"events")
	unsubscribe := func() { sub.Close() } //nolint:errcheck // what it received is passed on
	defer unsubscribe()
	defer context.AfterFunc(s.ctx, unsubscribe)()
	if _, err := sub.ReceiveTimeout(s.ctx, limit); err != nil {
		return
	}
	subscribed()
	for pinged := false; ; {
		message, err := sub.ReceiveTimeout(s.ctx, idleTimeout)
		if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() && !pinged {
			pinged = true
			if sub.Ping(s.ctx) != nil {
				return
			}
			continue
		}
		if err != nil {
			return
		}
		pinged = false
		if m, ok := message.(*redis.Message); ok {
			s.receive(m.Payload)
		}
	}
}

// Publish implements quota.Store. An event that is lost is not sent again.
func (s *Store) Publish(ctx context.Context, e quota.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel, limit := s.withTimeout(ctx)
	defer cancel()
	payload := fmt.Sprintf("%d %s", e.Kind, e.Replica)
	if e.Model != "" {
		payload += " " + e.Model
	}
	err := s.client.Load().Publish(ctx, s.prefix+"events", payload).Err()
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	return s.failed(err, limit)
}

// maxPayload bounds an event: another program may publish anything.
const maxPayload = 512

// receive passes on an event as Publish and sync.lua write it: kind, replica and,
// of some, the model.
func (s *Store) receive(payload string) {
	words := strings.SplitN(payload, " ", 3)
	kind, err := strconv.ParseUint(words[0], 10, 8)
	if len(words) < 2 || err != nil || len(payload) > maxPayload {
		return
	}
	e := quota.Event{Kind: quota.EventKind(kind), Replica: quota.Replica(words[1])}
	if len(words) == 3 {
		e.Model = words[2]
	}
	s.watchers.Publish(e)
}
