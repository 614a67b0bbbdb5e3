package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	_ "embed" // the scripts
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/neuronward/neuronward/quota"
)

const (
	// defaultTimeout is how long one step may take. A server nearby answers within a millisecond.
	defaultTimeout = 50 * time.Millisecond

	// dialTimeout is for a connection, which goes on to be made when the step that wanted it has given up.
	dialTimeout = time.Second

	// settleTime is how long nothing is granted by a server that has lost rows. Each holder that lives exchanges within
	// it at least once.
	settleTime = 2 * quota.Heartbeat

	// dayLife is how long the holders' rows of a day are kept. A ledger publishes the last three days at most.
	dayLife = 8 * 24 * time.Hour

	// historyLife is how long a day's sums are kept after they last grew, which was some time of that day.
	historyLife = (quota.KeepDays + 1) * 24 * time.Hour

	// epochLife outlives the days.
	epochLife = historyLife + 4*24*time.Hour
)

//go:embed exchange.lua
var exchangeScript string

//go:embed lease.lua
var leaseScript string

//go:embed days.lua
var daysScript string

//go:embed history.lua
var historyScript string

// Options are the settings of a Store. The zero value is usable.
type Options struct {
	Timeout time.Duration // for one step; 0: 50 ms
	TLS     *tls.Config   // for rediss://; nil: the system's roots
}

// Store is a quota.Store in a Redis server. Several processes may share it,
// and several ledgers of one process.
type Store struct {
	address Address
	o       Options
	prefix  string // of every key, with the account's hash as the hash tag
	owner   string // of leases

	client                         atomic.Pointer[redis.Client]
	exchange, lease, days, history *redis.Script
	asked                          atomic.Uint64
	watchers                       quota.Watchers
	listening                      sync.Once
	listens                        chan struct{} // closed when the first subscription stands or has failed
	running                        sync.WaitGroup
	ctx                            context.Context // ends with the store
	cancel                         context.CancelFunc
	closing                        sync.Once

	mu       sync.Mutex
	epoch    uint64
	answered map[seat]uint64
}

// A seat is a holder on a day.
type seat struct {
	day    quota.Day
	holder quota.Replica
}

// Open returns a Store for account in the server at a. It does not connect: a
// server that is away is one that may come back. Inspect asks it.
func Open(a Address, account string, o Options) *Store {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	sum := sha256.Sum256([]byte("neuronward account " + account))
	s := &Store{
		address: a, o: o, owner: rand.Text(),
		prefix: "neuronward:{" + hex.EncodeToString(sum[:12]) + "}:",
		lease:  redis.NewScript(leaseScript), days: redis.NewScript(daysScript), history: redis.NewScript(historyScript),
		listens: make(chan struct{}), answered: map[seat]uint64{},
	}
	// Each account's differs, so that a server that does not have it yet is known to have begun anew for this account.
	s.exchange = redis.NewScript("-- " + s.prefix + "\n" + exchangeScript)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client.Store(s.connect())
	return s
}

// connect returns a client, which connects when it is first used. It repeats
// nothing by itself. What it would log, to the standard error, is what its
// errors say.
func (s *Store) connect() *redis.Client {
	logging.Disable()
	o := s.address.options(s.o.TLS)
	o.Protocol = 2
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = max(dialTimeout, s.o.Timeout)
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = s.o.Timeout, s.o.Timeout, s.o.Timeout
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o)
}

// ask runs a script and returns what it answers, without the number of the
// question that each answer begins with. A connection whose answers are shifted
// would else give one holder's neurons to another: all are given up then.
//
// The script's second argument says whether the server had to be given the
// script: it does not keep scripts when it restarts, nor does a replica have
// those of its primary.
func (s *Store) ask(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]string, error) {
	client := s.client.Load()
	number := strconv.FormatUint(s.asked.Add(1), 10)
	args = append([]any{number, 0}, args...)
	answer, err := script.EvalSha(ctx, client, keys, args...).StringSlice()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		args[1] = 1
		answer, err = script.Eval(ctx, client, keys, args...).StringSlice()
	}
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	if len(answer) == 0 || answer[0] != number {
		s.renew(client)
		return nil, errMixedUp
	}
	return answer[1:], nil
}

// renew puts new connections in place of those of client.
func (s *Store) renew(client *redis.Client) {
	if next := s.connect(); !s.client.CompareAndSwap(client, next) {
		next.Close() //nolint:errcheck // it was not used
		return
	}
	client.Close() //nolint:errcheck // whatever was asked on it fails
	if s.ctx.Err() != nil {
		s.client.Load().Close() //nolint:errcheck // the store was closed meanwhile
	}
}

// within is a step's time.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.o.Timeout)
}

// Lease implements quota.Store. It is not asked again when an answer is lost:
// then nobody has the lease until it ends.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	answer, err := s.ask(ctx, s.lease, []string{s.prefix + "lease:" + name}, s.owner, max(ttl.Milliseconds(), 1))
	if err != nil {
		return false, explain(err, s.o.Timeout)
	}
	return len(answer) == 1 && answer[0] == "1", nil
}

// Close ends the connections. Further calls do nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		s.cancel()
		if err = s.client.Load().Close(); err != nil {
			err = fmt.Errorf("redisstore: %w", err)
		}
		s.running.Wait()
	})
	return err
}
