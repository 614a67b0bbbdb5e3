package redisstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

const (
	// minDeadline is how long a step may take at least. A server nearby answers within a millisecond.
	minDeadline = 50 * time.Millisecond

	// maxDeadline is how long a step may take at most, beside the connection that it may have to make.
	maxDeadline = time.Second

	// stepTrips is how many round trips a step may take, and connectTrips how many a connection takes before it: one
	// for TCP, one or two for TLS, one for the password.
	stepTrips    = 4
	connectTrips = 4

	// measureTimeout is how long the server may take to be measured, in the background.
	measureTimeout = 2 * time.Second

	// farAway is the round trip above which is warned, and nearAgain that below which a server is no longer far.
	farAway   = 100 * time.Millisecond
	nearAgain = 80 * time.Millisecond
)

// A distance is whether the server is far away, as was told.
type distance struct {
	mu  sync.Mutex
	far bool
}

// observe takes up how far the server is, and tells if that makes a difference.
func (d *distance) observe(trip time.Duration, tell func(trip time.Duration, far bool)) {
	d.mu.Lock()
	was := d.far
	d.far = trip > farAway || was && trip >= nearAgain
	far := d.far
	d.mu.Unlock()
	if far != was && tell != nil {
		tell(trip, far)
	}
}

// A roundTrip is how long the server takes to answer, smoothed as TCP does it (RFC 6298). The zero value is not known.
type roundTrip struct {
	mu                  sync.Mutex
	smoothed, deviation time.Duration
}

func (r *roundTrip) observe(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.smoothed == 0 {
		r.smoothed, r.deviation = took, took/2
		return
	}
	r.deviation += ((took - r.smoothed).Abs() - r.deviation) / 4
	r.smoothed += (took - r.smoothed) / 8
}

// deadline is how long a step may take; connects says that it has to make a connection.
func (r *roundTrip) deadline(connects bool) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := min(max(stepTrips*r.smoothed, r.smoothed+4*r.deviation, minDeadline), maxDeadline)
	if connects {
		d += min(connectTrips*r.smoothed, maxDeadline/2)
	}
	return d
}

// RoundTrip returns how long the server took to answer of late; 0: that is not known.
func (s *Store) RoundTrip() time.Duration {
	s.trip.mu.Lock()
	defer s.trip.mu.Unlock()
	return s.trip.smoothed
}

// deadline is how long the next step may take.
func (s *Store) deadline(connects bool) time.Duration {
	if s.o.Timeout > 0 {
		return s.o.Timeout
	}
	return s.trip.deadline(connects)
}

// withTimeout bounds one step.
func (s *Store) withTimeout(ctx context.Context) (context.Context, context.CancelFunc, time.Duration) {
	return s.withTimeoutOf(ctx, 1)
}

// withTimeoutOf bounds one step that reads so many days: their answer is longer, and no call waits for it.
func (s *Store) withTimeoutOf(ctx context.Context, days int) (context.Context, context.CancelFunc, time.Duration) {
	idle, _ := pool(s.client.Load())
	limit := s.deadline(idle == 0)
	limit = max(limit, min(time.Duration(days)*limit, maxDeadline))
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, cancel, limit
}

// timed runs question on client and observes how long it takes. What a connection takes that had to be made is not
// part of the round trip.
func (s *Store) timed(client redis.UniversalClient, question func() error) {
	s.timedUntil(client, func() (time.Time, error) {
		err := question()
		return time.Now(), err
	})
}

// timedUntil is timed for a question that says when the answer came.
func (s *Store) timedUntil(client redis.UniversalClient, question func() (came time.Time, err error)) {
	_, before := pool(client)
	began := time.Now()
	came, err := question()
	if _, made := pool(client); made == before && !disconnected(err) {
		s.trip.observe(came.Sub(began))
		s.distance.observe(s.RoundTrip(), s.o.OnDistance)
	}
}

// pool returns how many connections client has that are idle, and how many it had to make. That of a cluster is not
// asked, since it may ask the cluster first: none is idle, and none was made.
func pool(client redis.UniversalClient) (idle, made uint32) {
	if c, ok := client.(*connection); ok {
		client = c.UniversalClient
	}
	if single, ok := client.(*redis.Client); ok {
		stats := single.PoolStats()
		return stats.IdleConns, stats.Misses
	}
	return 0, 0
}

// failed explains why a step failed that had the time limit. If it had no answer within it, the server may be further
// away than before: it is measured in the background, and nobody waits for that.
func (s *Store) failed(err error, limit time.Duration) error {
	err = s.explain(err, limit)
	if s.o.Timeout == 0 && errors.Is(err, quota.ErrLate) && s.measuring.CompareAndSwap(false, true) {
		s.inBackground(func() {
			defer s.measuring.Store(false)
			ctx, cancel := context.WithTimeout(s.ctx, measureTimeout)
			defer cancel()
			s.measure(ctx)
		})
	}
	return err
}

// measure observes how far the server is, over a connection that it has for itself: steps that are late would take
// another one from it, and end it.
func (s *Store) measure(ctx context.Context) {
	client, err := s.client.Load().server(ctx, s.prefix)
	if err != nil {
		return
	}
	single, ok := client.(*redis.Client)
	if !ok {
		return
	}
	conn := single.Conn()
	defer conn.Close()               //nolint:errcheck // it is not used again
	if conn.Ping(ctx).Err() != nil { // which makes the connection
		return
	}
	began := time.Now()
	if conn.Ping(ctx).Err() == nil {
		s.trip.observe(time.Since(began))
		s.distance.observe(s.RoundTrip(), s.o.OnDistance)
	}
}

// inBackground runs f, unless the store is closed, which waits for it.
func (s *Store) inBackground(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.running.Go(f)
	}
}

// late is the error of a step that had no answer within its deadline.
type late struct{ error }

func (l late) Unwrap() error      { return l.error }
func (late) Is(target error) bool { return target == quota.ErrLate }
