package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	_ "embed" // the scripts
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/watch"
)

const (
	// dialTimeout is for a connection. It is still made when the step that wanted it has timed out.
	dialTimeout = time.Second

	// settleTime is how long a server that has lost rows grants nothing. Each replica that is alive reports at least
	// once within it.
	settleTime = 2 * quota.Heartbeat

	// dayLife is how long the replicas' rows of a day are kept. A ledger reports the last three days at most.
	dayLife = 8 * 24 * time.Hour

	// historyLife is how long the sums of a day are kept after they last grew, which was on that day.
	historyLife = (quota.KeepDays + 1) * 24 * time.Hour

	// batchLife is how long the batches of a day are kept after the last of them.
	batchLife = (quota.BatchDays + 1) * 24 * time.Hour

	// epochLife is longer than that of any day.
	epochLife = historyLife + 4*24*time.Hour
)

//go:embed sync.lua
var syncScript string

//go:embed lease.lua
var leaseScript string

//go:embed batch.lua
var batchScript string

//go:embed days.lua
var daysScript string

//go:embed committed.lua
var committedScript string

//go:embed history.lua
var historyScript string

// Options are the settings of a Store. The zero value is usable.
type Options struct {
	Timeout time.Duration // for one step; 0: by the round trip that is measured, from 50 ms to 1 s
	TLS     *tls.Config   // instead of what the address says of TLS; nil: that

	// Password returns the password as it is now, "" for that of the address. It may be nil.
	Password func() string

	// OnDoubt is called once for each key and field whose value is not believed: it was not made here, or is damaged.
	// What is known otherwise counts. It may be nil, and must not call back.
	OnDoubt func(key, value string)

	// OnCopy is called for each grant of a server that has replicas: with nil if one of them had it in time, else with
	// the reason. It may be nil, and must not call back.
	OnCopy func(err error)

	// OnDistance is called when the server turns out to be more than 100 ms away, and when it no longer is. Without it
	// Inspect warns. It must not call back.
	OnDistance func(trip time.Duration, far bool)

	// Of tests:
	dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: as go-redis does it
	copyWait time.Duration                                                        // 0: by the deadline
}

// Store is a quota.Store in a Redis server. Several processes may share it,
// and several ledgers of one process.
type Store struct {
	address Address
	o       Options
	prefix  string // of every key, with the account's hash as the hash tag
	owner   string // of leases

	client                     atomic.Pointer[connection]
	sync, lease, days, history *redis.Script
	committed, batch, prices   *redis.Script
	lastID                     atomic.Uint64 // of the questions
	watchers                   watch.Watchers
	subscribeOnce              sync.Once
	subscribed                 chan struct{}  // closed when the first subscription is made or has failed
	running                    sync.WaitGroup // begun with inBackground
	trip                       roundTrip
	distance                   distance
	measuring                  atomic.Bool     // the round trip, after a step that had no answer in time
	ctx                        context.Context // ends with the store
	cancel                     context.CancelFunc
	closeOnce                  sync.Once

	mu       sync.Mutex
	copies   copyState
	epoch    uint64                // the largest that the server has named
	answered map[replicaDay]uint64 // Seq of the last report that was answered
	doubted  map[string]bool       // keys and fields that OnDoubt was told of
}

// replicaDay is a replica on a day.
type replicaDay struct {
	day     quota.Day
	replica quota.Replica
}

// Open returns a Store for account in the server at a. It does not connect: a
// server that is down may come back. Inspect connects.
func Open(a Address, account string, o Options) *Store {
	o.Timeout = max(o.Timeout, 0)
	sum := sha256.Sum256([]byte("neuronward account " + account))
	s := &Store{
		address: a, o: o, owner: rand.Text(),
		prefix: "neuronward:{" + hex.EncodeToString(sum[:12]) + "}:",
		lease:  redis.NewScript(leaseScript), days: redis.NewScript(daysScript),
		history: redis.NewScript(historyScript), committed: redis.NewScript(committedScript),
		batch: redis.NewScript(batchScript), prices: redis.NewScript(pricesScript),
		subscribed: make(chan struct{}), answered: map[replicaDay]uint64{}, doubted: map[string]bool{},
	}
	// The script of each account differs: if a server does not have it yet, its rows of this account may be lost.
	s.sync = redis.NewScript("-- " + s.prefix + "\n" + syncScript)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client.Store(s.connect())
	return s
}

// ask runs a script and returns its answer, without the id of the question that
// each answer begins with. A connection whose answers are shifted would give one
// replica's neurons to another: then all connections are replaced.
//
// The second argument of a script says whether the server did not have it: it does
// not keep scripts when it restarts, nor does a replica of the server have those of
// its primary.
func (s *Store) ask(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]string, error) {
	answer, _, err := s.askAndWait(ctx, 0, script, keys, args...)
	return answer, err
}

// askAndWait is ask for what a replica of the server is to have after wait at most; 0: it does not matter. copied says
// whether it has.
func (s *Store) askAndWait(
	ctx context.Context, wait time.Duration, script *redis.Script, keys []string, args ...any,
) (answer []string, copied, err error) {
	client := s.client.Load()
	id := strconv.FormatUint(s.lastID.Add(1), 10)
	args = append([]any{id, 0}, args...)
	if wait > 0 {
		answer, copied, err = s.evalAndWait(ctx, client, wait, script, keys, args...)
	}
	if wait == 0 || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") {
		s.timed(client, func() error {
			answer, err = script.EvalSha(ctx, client, keys, args...).StringSlice()
			return err
		})
	}
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		args[1] = 1
		answer, err = script.Eval(ctx, client, keys, args...).StringSlice()
	}
	if s.ctx.Err() != nil {
		return nil, nil, ErrClosed
	}
	if err != nil {
		if disconnected(err) {
			client.reload(ctx)
		}
		if _, password := s.credentials(); s.address.sentinelAuth && password != client.toSentinels {
			s.reconnect(client)
		}
		return nil, nil, err
	}
	if len(answer) == 0 || answer[0] != id {
		s.reconnect(client)
		return nil, nil, errMixedUp
	}
	return answer[1:], copied, nil
}

// reconnect replaces the connections of client by new ones.
func (s *Store) reconnect(client *connection) {
	if next := s.connect(); !s.client.CompareAndSwap(client, next) {
		next.Close() //nolint:errcheck // it was not used
		return
	}
	client.Close() //nolint:errcheck // what was asked on it fails
	if s.ctx.Err() != nil {
		s.client.Load().Close() //nolint:errcheck // the store was closed meanwhile
	}
}

// Lease implements quota.Store. It does not ask again when an answer is lost:
// then nobody has the lease until it ends.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel, limit := s.withTimeout(ctx)
	defer cancel()
	answer, err := s.ask(ctx, s.lease, []string{s.prefix + "lease:" + name}, s.owner, max(ttl.Milliseconds(), 1))
	if err != nil {
		return false, s.failed(err, limit)
	}
	return len(answer) == 1 && answer[0] == "1", nil
}

// Close ends the connections. Further calls do nothing.
func (s *Store) Close() (err error) {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.cancel()
		s.mu.Unlock()
		if err = s.client.Load().Close(); err != nil {
			err = fmt.Errorf("redisstore: %w", err)
		}
		s.running.Wait()
	})
	return err
}
