package redisstore

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrClosed is returned by a Store that was closed.
	ErrClosed = errors.New("redisstore: the store is closed")

	// ErrUnusable is wrapped by errors of a server that answers and that cannot be
	// used as it is configured: a node of a cluster, a Sentinel, one with another
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
	{"ERR The user executing the script can't", forbidden, true},
	{"MOVED", cluster, true},
	{"ASK", cluster, true},
	{"CLUSTERDOWN", cluster, true},
	{"CROSSSLOT", cluster, true},
	{"ERR SELECT is not allowed in cluster mode", cluster, true},
	{"READONLY", readOnly, false},
	{"OOM", "its memory is full", false},
	{"MISCONF", "it cannot write to its disk and takes no changes", false},
	{"LOADING", "it is starting and reads its data", false},
}

const (
	noPassword = "it wants a password; write it into the address"
	forbidden  = "this user may not do what is needed: +@read +@write +@scripting +@connection +time +info " +
		"on keys neuronward:*, and +publish +subscribe on channels neuronward:*"
	cluster  = "it is a node of a Redis Cluster, which is not supported: name a server outside of a cluster"
	readOnly = "it is a replica and takes no changes: name the primary"
)

// explain says in plain words why a step failed that had the time timeout.
func explain(err error, timeout time.Duration) error {
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	if _, answered := errors.AsType[redis.Error](err); answered {
		text := strings.TrimPrefix(err.Error(), "ERR Error running script: ")
		for _, r := range refusals {
			if !strings.HasPrefix(text, r.prefix) {
				continue
			}
			if r.unusable {
				return fmt.Errorf("redisstore: %w: %s (%w)", ErrUnusable, r.meaning, err)
			}
			return fmt.Errorf("redisstore: the server refuses: %s (%w)", r.meaning, err)
		}
		return fmt.Errorf("redisstore: the server refuses: %w", err)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return fmt.Errorf("redisstore: no answer within %v: %w", timeout, err)
	}
	return fmt.Errorf("redisstore: %w", err)
}

// disconnected reports whether err says that the connection ended and not that the
// server refused: what is idempotent may be asked again.
func disconnected(err error) bool {
	_, answered := errors.AsType[redis.Error](err)
	return err != nil && !answered && !errors.Is(err, ErrClosed)
}
