package redisstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

// replicaPause is how long nobody waits for a replica of the server after it was too late.
const replicaPause = 5 * time.Second

var errReplicaLate = errors.New("no replica of the server has it in time")

// A copyState is what is known of the server's replicas, guarded by Store.mu.
type copyState struct {
	replicas bool      // the server has some, by its last answer
	retryAt  time.Time // until then nobody waits for them
	err      error     // of the last wait
}

// copyWait is how long a replica may take to have what r is granted; 0: nothing is asked for, or there is none to wait
// for. It and the answer itself are over before limit is.
func (s *Store) copyWait(r quota.Report, limit time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.copies.replicas || time.Now().Before(s.copies.retryAt) {
		return 0
	}
	for _, c := range r.Requests {
		if c.Want > 0 {
			return cmp.Or(s.o.copyWait, max((limit-2*s.RoundTrip())/2, time.Millisecond))
		}
	}
	return 0
}

// copied takes up how an exchange went: whether the server has replicas, and how the wait for one ended, if there was
// any. It reports a grant that was to be copied.
func (s *Store) copied(replicas, waited bool, err error, granted []quota.Neurons) {
	s.mu.Lock()
	c := &s.copies
	had := c.replicas
	c.replicas = replicas
	if waited {
		c.err = err
		if err != nil {
			c.retryAt = time.Now().Add(replicaPause)
		}
	}
	err = c.err
	s.mu.Unlock()
	sum := quota.Neurons(0)
	for _, n := range granted {
		sum = sum.Add(n)
	}
	if had && sum > 0 && s.o.OnCopy != nil {
		s.o.OnCopy(err)
	}
}

// A noted command notes when its answer comes, since the answer to what is behind it in a pipeline takes longer.
type noted struct {
	*redis.Cmd
	at time.Time
}

// SetErr implements redis.Cmder. It is called once the answer was read.
func (n *noted) SetErr(err error) {
	n.at = time.Now()
	n.Cmd.SetErr(err)
}

// evalAndWait runs a script that the server has, and waits behind it, in the same round trip, until a replica has what
// it wrote. The answer of the script stands alone: copied says how the wait ended.
func (s *Store) evalAndWait(
	ctx context.Context, client *connection, wait time.Duration, script *redis.Script, keys []string, args ...any,
) (answer []string, copied, err error) {
	server, err := client.server(ctx, s.prefix)
	if err != nil {
		return nil, nil, err
	}
	words := []any{"evalsha", script.Hash(), len(keys)}
	for _, key := range keys {
		words = append(words, key)
	}
	eval := &noted{Cmd: redis.NewCmd(ctx, append(words, args...)...)}
	pipe := server.Pipeline()
	_ = pipe.Process(ctx, eval) // it queues
	waiting := pipe.Do(ctx, "wait", 1, max(wait.Milliseconds(), 1))
	s.timedUntil(server, func() (time.Time, error) {
		_, _ = pipe.Exec(ctx) // each command has its own error
		answer, err = eval.StringSlice()
		return eval.at, err
	})
	n, copied := waiting.Int64()
	if err != nil || disconnected(copied) || copied == nil && n == 0 {
		copied = errReplicaLate
	}
	return answer, s.explain(copied, wait), err
}
