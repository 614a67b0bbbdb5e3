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

	// ErrUnfit is wrapped by errors of a server that is there and that can never
	// keep neurons as it is: a node of a cluster, a Sentinel, one that does not
	// know the password.
	ErrUnfit = errors.New("the server cannot be used")

	// ErrBeyond is returned by Exchange for amounts of 2^53 micro-neurons or
	// more, nine billion neurons: the server counts exactly below that.
	ErrBeyond = errors.New("redisstore: an amount of nine billion neurons or more cannot be counted exactly")

	errMixedUp = errors.New("an answer came that belongs to another question")
)

// An answer of the server that begins so, and what it means.
type refusal struct {
	prefix, meaning string
	unfit           bool
}

var refusals = [...]refusal{
	{"WRONGPASS", "the user or the password is wrong", true},
	{"NOAUTH", nobody, true},
	{"ERR Protocol error: unauthenticated", nobody, true}, // so it says to long questions
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
	{"READONLY", replica, false},
	{"OOM", "its memory is full", false},
	{"MISCONF", "it cannot write to its disk and takes no changes", false},
	{"LOADING", "it is starting and reads its data", false},
}

const (
	nobody    = "it wants a password; write it into the address"
	forbidden = "this user may not do what is needed: +@read +@write +@scripting +@connection +time +info on keys neuronward:*, " +
		"and +publish +subscribe on channels neuronward:*"
	cluster = "it is a node of a Redis Cluster, which is not supported: name a server outside of a cluster"
	replica = "it is a replica and takes no changes: name the primary"
)

// explain says in its own words what a step failed of, which had most of time.
func explain(err error, most time.Duration) error {
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	if _, answered := errors.AsType[redis.Error](err); answered {
		text := strings.TrimPrefix(err.Error(), "ERR Error running script: ")
		for _, r := range refusals {
			if !strings.HasPrefix(text, r.prefix) {
				continue
			}
			if r.unfit {
				return fmt.Errorf("redisstore: %w: %s (%w)", ErrUnfit, r.meaning, err)
			}
			return fmt.Errorf("redisstore: the server refuses: %s (%w)", r.meaning, err)
		}
		return fmt.Errorf("redisstore: the server refuses: %w", err)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("redisstore: no answer within %v: %w", most, err)
	}
	return fmt.Errorf("redisstore: %w", err)
}

// broke reports whether err says that the connection ended and not that the
// server refused: what is idempotent may be asked again.
func broke(err error) bool {
	_, answered := errors.AsType[redis.Error](err)
	return err != nil && !answered && !errors.Is(err, ErrClosed)
}
