package redisstore

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrClosed is returned by a Store that was closed.
	ErrClosed = errors.New("redisstore: the store is closed")

	// ErrUnusable is wrapped by errors of a server that answers and that cannot be
	// used as it is configured: by an address of another form, or with another
	// password.
	ErrUnusable = errors.New("the server cannot be used")

	// ErrTooLarge is returned by Sync for amounts of 2^53 micro-neurons or more,
	// nine billion neurons: the server counts exactly below that.
	ErrTooLarge = errors.New("redisstore: an amount of nine billion neurons or more cannot be counted exactly")

	errMixedUp = errors.New("an answer came that belongs to another question")
)

// A refusal is an answer of the server that begins with prefix.
type refusal struct {
	prefix, meaning string
	unusable        bool // until its configuration changes
}

var refusals = [...]refusal{
	{"WRONGPASS", "the user or the password is wrong", true},
	{"NOAUTH", noPassword, true},
	{"ERR Protocol error: unauthenticated", noPassword, true}, // the answer to a long question
	{"ERR AUTH", "it has no password, and the address has one", true},
	{"ERR DB index", "it has no such database", true},
	{"ERR invalid DB index", "it has no such database", true},
	{"NOPERM", forbidden, true},
	{"ERR The user executing the script can't", forbidden, true}, // Redis 7.0
	{"ERR ACL failure in script", forbidden, true},               // Redis 7.2 and Valkey
	{"MOVED", ofCluster, true},
	{"ASK", ofCluster, true},
	{"CLUSTERDOWN", ofCluster, true},
	{"CROSSSLOT", ofCluster, true},
	{"ERR SELECT is not allowed in cluster mode", ofCluster, true},
	{"ERR This instance has cluster support disabled", "it is no node of a cluster: write redis://host:6379/0", true},
	{"ERR unknown command 'sentinel'", "it is no Sentinel: write redis://host:6379/0", true},
	{"redis: nil", "the Sentinel knows no primary of that name", true},
	{"READONLY", readOnly, false},
	{"NOREPLICAS", "it has too few replicas to take changes, by its min-replicas-to-write", false},
	{"OOM", "its memory is full", false},
	{"MISCONF", "it cannot write to its disk and takes no changes", false},
	{"LOADING", "it is starting and reads its data", false},
}

// transient are refusals of servers that fail over.
var transient = [...]refusal{
	{"MOVED", "its slots are being moved", false},
	{"ASK", "its slots are being moved", false},
	{"CLUSTERDOWN", "the cluster is down, or chooses a new primary", false},
	{"READONLY", "it was the primary until now", false},
}

const (
	noPassword   = "it wants a password; write it into the address, or set NEURONWARD_STORE_PASSWORD"
	sentinelAuth = "; if the Sentinels want it, too: append ?sentinel_auth=yes"
	forbidden    = "this user may not do what is needed: +@read +@write +@scripting +@connection +time +info " +
		"on keys neuronward:*, and +publish +subscribe on channels neuronward:*; of a cluster also +cluster"
	ofCluster = "it is a node of a Redis Cluster: write redis+cluster://host:6379"
	readOnly  = "it is a replica and takes no changes: name the primary"
)

// explain says in plain words why a step failed that had the time timeout.
func (s *Store) explain(err error, timeout time.Duration) error {
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	if answer, answered := errors.AsType[redis.Error](err); answered {
		r, ok := s.address.refusal(strings.TrimPrefix(answer.Error(), "ERR Error running script: "))
		switch {
		case !ok:
			return fmt.Errorf("redisstore: the server refuses: %w", err)
		case r.unusable:
			return fmt.Errorf("redisstore: %w: %s (%w)", ErrUnusable, r.meaning, err)
		}
		return fmt.Errorf("redisstore: the server refuses: %s (%w)", r.meaning, err)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return late{fmt.Errorf("redisstore: no answer within %v: %w", timeout.Round(time.Millisecond), err)}
	}
	return fmt.Errorf("redisstore: %w", err)
}

// refusal finds what the answer text means.
func (a Address) refusal(text string) (refusal, bool) {
	var known []refusal
	if a.sentinel() || a.cluster() {
		known = transient[:]
	}
	if a.sentinel() && !a.sentinelAuth {
		known = append(slices.Clip(known), refusal{"NOAUTH", noPassword + sentinelAuth, true})
	}
	for _, r := range append(slices.Clip(known), refusals[:]...) {
		if strings.HasPrefix(text, r.prefix) {
			return r, true
		}
	}
	return refusal{}, false
}

// disconnected reports whether err says that the connection ended and not that the
// server refused: what is idempotent may be asked again.
func disconnected(err error) bool {
	_, answered := errors.AsType[redis.Error](err)
	return err != nil && !answered && !errors.Is(err, ErrClosed)
}
