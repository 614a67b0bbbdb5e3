package redisstore

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A sentinels is a primary with a replica, and three Sentinels that watch them.
type sentinels struct {
	primary, replica *server
	watching         [3]*server
	ports            []string
}

const password = "right-word"

func newSentinels(t *testing.T) *sentinels {
	t.Helper()
	g := &sentinels{}
	auth := []string{"--requirepass", password, "--masterauth", password}
	var primary, follower string
	g.primary, primary = serverOnPort(t, "--port", auth...)
	g.replica, follower = serverOnPort(t, "--port", append(auth, "--replicaof", "127.0.0.1", primary)...)
	for i := range g.watching {
		s := newServer(t)
		s.config = "sentinel monitor mymaster 127.0.0.1 " + primary + " 2\n" +
			"sentinel auth-pass mymaster " + password + "\n" +
			"sentinel down-after-milliseconds mymaster 5000\nsentinel failover-timeout mymaster 5000\n"
		var port string
		g.watching[i], port = s.onPort(t, "--port", "--sentinel")
		g.ports = append(g.ports, "127.0.0.1:"+port)
	}
	for _, s := range g.watching {
		c := s.client(t)
		eventually(t, "each Sentinel knows the others and the replica", func() bool {
			others, _ := c.Do(t.Context(), "SENTINEL", "sentinels", "mymaster").Slice()
			replicas, _ := c.Do(t.Context(), "SENTINEL", "replicas", "mymaster").Slice()
			return len(others) == 2 && len(replicas) == 1
		})
	}
	copied := g.replica.clientWith(t, password)
	eventually(t, "the replica follows port "+primary+" at port "+follower, func() bool {
		return strings.Contains(copied.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return g
}

func (g *sentinels) url() string {
	return "redis+sentinel://:" + password + "@" + strings.Join(g.ports, ",") + "/mymaster/0"
}

// eventually polls until is true. The limit of time is against hanging.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 5 min: got no end of the wait until %s", what)
		}
	}
}

// The primary is killed: the replica that takes its place grants nothing until those that are alive have written their
// rows again, and then no more than is left.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	g := newSentinels(t)
	l := newPair(t, g.url())
	for _, s := range []*Store{l.storeA, l.storeB} {
		if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
			t.Errorf("Inspect: got %q, %v, want no warning", w, err)
		}
	}
	events, err := l.storeB.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.primary.kill()
	l.recover(t, g.url())
	eventually(t, "events come from the new primary", func() bool {
		waits := request(10*n, 20*n, 100*n)
		waits.Min, waits.Waiting = 100*n, 100*n
		send(t, l.storeA, l.a.report(waits))
		select {
		case <-events:
			return true
		default:
			return false
		}
	})
}

// A Sentinel that has a password, and a server.
func newLockedSentinel(t *testing.T) (server, sentinel *server, at string) {
	t.Helper()
	server, primary := serverOnPort(t, "--port", "--requirepass", password)
	sentinel = newServer(t)
	sentinel.config = "sentinel monitor mymaster 127.0.0.1 " + primary + " 1\n" +
		"sentinel auth-pass mymaster " + password + "\nrequirepass " + password + "\n"
	_, port := sentinel.onPort(t, "--port", "--sentinel")
	return server, sentinel, "127.0.0.1:" + port + "/mymaster/0"
}

func TestSentinelThatWantsAPassword(t *testing.T) {
	t.Parallel()
	_, _, at := newLockedSentinel(t)
	_, err := open(t, "redis+sentinel://:"+password+"@"+at, rand.Text(), patient).Inspect(t.Context())
	if !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "?sentinel_auth=yes") {
		t.Errorf("got error %v, want ErrUnusable with the setting", err)
	}
}

// A new password is in use once the old connections have ended, for Sentinels too.
func TestSentinelPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	const next = "next-word"
	server, sentinel, at := newLockedSentinel(t)
	var now atomic.Value
	now.Store(password)
	o := patient
	o.Password = func() string { return now.Load().(string) }
	s, a := open(t, "redis+sentinel://"+at+"?sentinel_auth=yes", rand.Text(), o), replica{name: "a"}
	send(t, s, a.report(request(0, 0, n)))
	for _, at := range []struct {
		on     *redis.Client
		change []any
	}{
		{sentinel.clientWith(t, password), []any{"ACL", "SETUSER", "default", "resetpass", ">" + next}},
		{server.clientWith(t, password), []any{"CONFIG", "SET", "requirepass", next}},
	} {
		c := at.on.Conn()
		defer c.Close()
		for _, command := range [][]any{
			at.change, {"CLIENT", "KILL", "TYPE", "pubsub"}, {"CLIENT", "KILL", "TYPE", "normal"},
		} {
			if err := c.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	now.Store(next)
	var err error
	for range 3 {
		if _, err = s.Sync(t.Context(), a.report(request(0, 0, n))); err == nil {
			return
		}
	}
	t.Errorf("with the new password: got error %v three times, want none at last", err)
}
