package redisstore

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// slack is how much longer than its deadline a step may take on a busy machine. One that hangs would take for ever;
// deadline_test.go has the times themselves.
const slack = time.Minute

// timed sends a report, and fails the test if that takes longer than the deadline.
func timed(t *testing.T, s *Store, r *replica) error {
	t.Helper()
	began := time.Now()
	_, err := s.Sync(t.Context(), r.report(request(10*n, 20*n, 0)))
	if took := time.Since(began); took > s.o.Timeout+slack {
		t.Errorf("a step took %v, want at most %v", took, s.o.Timeout+slack)
	}
	return err
}

// recovers sends reports until one succeeds.
func recovers(t *testing.T, s *Store, r *replica) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := timed(t, s, r)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute: got error %v, want none", err)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s, a := open(t, server.url(""), rand.Text(), Options{}), replica{name: "a"}
	recovers(t, s, &a)
	events, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.kill()
	for range 20 {
		if timed(t, s, &a) == nil {
			t.Error("without a server: got no error, want one")
		}
	}
	server.mustStart(t)
	recovers(t, s, &a)
	// The subscription comes back by itself.
	other, b := open(t, server.url(""), s.address.String(), patient), replica{name: "b"}
	other.prefix = s.prefix
	for deadline := time.After(time.Minute); ; {
		waits := request(0, 0, 100*n)
		waits.Min, waits.Waiting = 100*n, 100*n
		send(t, other, b.report(waits))
		select {
		case <-events:
			return
		case <-deadline:
			t.Fatal("after the restart: got no event, want one")
		default:
		}
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://127.0.0.1:1", "unix://" + filepath.Join(t.TempDir(), "none")} {
		s, a := open(t, url, rand.Text(), Options{}), replica{name: "a"}
		if err := timed(t, s, &a); err == nil || errors.Is(err, ErrUnusable) {
			t.Errorf("%s: Sync: got error %v, want one that may pass", url, err)
		}
		if _, err := s.Inspect(t.Context()); err == nil || errors.Is(err, ErrUnusable) {
			t.Errorf("%s: Inspect: got error %v, want one that may pass", url, err)
		}
		if _, err := s.Watch(t.Context()); err != nil {
			t.Errorf("%s: Watch: got error %v, want none", url, err)
		}
	}
}

// Servers that refuse, as they are configured or at the moment.
func TestRefusals(t *testing.T) {
	locked := serverWith(t, "--requirepass", "right-word")
	clustered, _ := serverOnPort(t, "--port", "--cluster-enabled", "yes")
	follower := serverWith(t, "--replicaof", "127.0.0.1", freePort(t))
	sentinel, ofValkey := serverOf(t, "redis-server", "--sentinel"), serverOf(t, "valkey-server", "--sentinel")
	lonely := serverWith(t, "--min-replicas-to-write", "1")
	const (
		wrong     = "the user or the password is wrong"
		ofCluster = "node of a Redis Cluster"
		readOnly  = "it is a replica and takes no changes: name the primary"
	)
	for _, c := range []struct {
		name, url string
		unusable  bool
		sync      string // part of the error of Sync
		inspect   string // part of the error of Inspect, or of its warning
	}{
		{"no password", locked.url(""), true, "it wants a password", "it wants a password"},
		{"wrong password", locked.url(":wrong-word@"), true, wrong, "password is wrong"},
		{"wrong user", locked.url("somebody:right-word@"), true, wrong, "password is wrong"},
		{"no such database", shared.url("") + "?db=99", true, "no such database", "no such database"},
		{"node of a cluster", clustered.url(""), true, ofCluster, ofCluster},
		{"database of a cluster", clustered.url("") + "?db=1", true, ofCluster, ofCluster},
		{"without replicas", lonely.url(""), false, "it has too few replicas to take changes", ""},
		{"replica", follower.url(""), false, readOnly, "it is a replica"},
		{"sentinel", sentinel.url(""), false, "unknown command", "it is a Sentinel"},
		{"sentinel of Valkey", ofValkey.url(""), false, "unknown command", "it is a Sentinel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := open(t, c.url, rand.Text(), patient), replica{name: "a"}
			_, err := s.Sync(t.Context(), a.report(request(0, 0, n)))
			if err == nil || !strings.Contains(err.Error(), c.sync) {
				t.Fatalf("Sync: got error %v, want one with %q", err, c.sync)
			}
			if errors.Is(err, ErrUnusable) != c.unusable {
				t.Errorf("Sync: got error %v, want ErrUnusable: %v", err, c.unusable)
			}
			warnings, inspectErr := s.Inspect(t.Context())
			text := strings.Join(warnings, "\n")
			if inspectErr != nil {
				text = inspectErr.Error()
			}
			if !strings.Contains(text, c.inspect) {
				t.Errorf("Inspect: got %q, %v, want %q", warnings, inspectErr, c.inspect)
			}
			if want := c.unusable || strings.HasPrefix(c.name, "sentinel"); (inspectErr != nil) != want {
				t.Errorf("Inspect: got error %v, want one: %v", inspectErr, want)
			}
			if strings.Contains(text+err.Error(), "-word") {
				t.Errorf("got errors %v; %s; want them without a password", err, text)
			}
		})
	}
	s, a := open(t, locked.url(":right-word@"), rand.Text(), patient), replica{name: "a"}
	send(t, s, a.report(request(0, 0, n)))
	if warnings, err := s.Inspect(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("Inspect: got %q, %v, want no warning", warnings, err)
	}
}

// A full server keeps a report whole or not at all.
func TestFull(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := newPair(t, server.url(""))
	server.do(t, "CONFIG", "SET", "maxmemory", "1")
	r := l.a.report(request(30*n, 0, 0))
	r.Block.Lift = true
	if st, err := l.storeA.Sync(t.Context(), r); err == nil || !strings.Contains(err.Error(), "its memory is full") {
		t.Errorf("full: got %+v, %v, want an error", st, err)
	}
	server.do(t, "CONFIG", "SET", "maxmemory", "0")
	if b := l.reportB(t).Balances[0]; b.Spent != 15*n || b.Held != 35*n {
		t.Errorf("after the refused report: got %v spent, %v held; want %v, %v", b.Spent, b.Held, 15*n, 35*n)
	}
	if b := send(t, l.storeA, r).Balances[0]; b.Spent != 35*n {
		t.Errorf("the report again: got %v spent, want %v", b.Spent, 35*n)
	}
}

func TestInspectWarns(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := open(t, server.url(""), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("Inspect: got %q, %v, want no warning", w, err)
	}
	server.do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	w, err := s.Inspect(t.Context())
	if err != nil || len(w) != 1 {
		t.Fatalf("Inspect: got %q, %v, want one warning", w, err)
	}
	for _, want := range []string{"allkeys-lru", "noeviction"} {
		if !strings.Contains(w[0], want) {
			t.Errorf("warning: got %q, want one with %q", w[0], want)
		}
	}
}

// A user that may do what is needed and nothing else, not even publish.
func TestMinimalUser(t *testing.T) {
	t.Parallel()
	for _, binary := range binaries {
		t.Run(binary, func(t *testing.T) { minimalUser(t, serverOf(t, binary)) })
	}
}

func minimalUser(t *testing.T, server *server) {
	t.Helper()
	server.do(t, "ACL", "SETUSER", "proxy", "on", ">some-word", "resetchannels", "~neuronward:*", "-@all",
		"+eval", "+evalsha", "+ping", "+select", "+time", "+mget", "+hget", "+hmget", "+hset", "+hgetall",
		"+zadd", "+zrem", "+zrangebyscore", "+set", "+del", "+pexpire", "+exists")
	s := open(t, server.url("proxy:some-word@"), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("Inspect: got %q, %v, want no warning of what cannot be seen", w, err)
	}
	a := replica{name: "a"}
	waits := request(0, 0, 100*n)
	waits.Min, waits.Waiting = 100*n, 100*n
	if got := send(t, s, a.report(waits)).Balances[0].Limit; got != 100*n {
		t.Errorf("got limit %v, want %v", got, 100*n)
	}
	for _, change := range []bool{true, false} {
		r := a.report()
		r.Block.Set.Set, r.Block.Lift, r.Leave = change, !change, !change
		r.Requests = append(r.Requests, request(0, 0, 0))
		send(t, s, r)
	}
	if ok, err := s.Lease(t.Context(), "probe", time.Hour); !ok || err != nil {
		t.Errorf("Lease: got %v, %v, want true", ok, err)
	}
	if _, err := s.History(t.Context(), day, day); err != nil {
		t.Error(err)
	}
	server.do(t, "ACL", "SETUSER", "proxy", "-hset")
	_, err := s.Sync(t.Context(), a.report(request(0, 0, 0)))
	if want := "may not do what is needed"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("without hset: got error %v, want one with %q", err, want)
	}
}

const advisedUser = "advised:some-word@"

func setAdvisedUser(t *testing.T, s *server) {
	t.Helper()
	s.do(t, "ACL", "SETUSER", "advised", "on", ">some-word", "resetchannels", "&neuronward:*", "~neuronward:*",
		"+@read", "+@write", "+@scripting", "+@connection", "+time", "+info", "+publish", "+subscribe")
}

// A user with the permissions that the error names.
func TestUserAsAdvised(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	setAdvisedUser(t, server)
	server.do(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	s := open(t, server.url(advisedUser), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) != 1 {
		t.Errorf("Inspect: got %q, %v, want one warning", w, err)
	}
	events, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := replica{name: "a"}
	r := a.report(request(0, 0, 0))
	r.Block.Set = quota.Block{Set: true}
	send(t, s, r)
	select {
	case e := <-events:
		if want := (quota.Event{Kind: quota.BlockChanged, Replica: "a"}); e != want {
			t.Errorf("got event %+v, want %+v", e, want)
		}
	case <-time.After(time.Minute):
		t.Error("got no event, want one")
	}
}
