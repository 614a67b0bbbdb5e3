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

// slack is how much longer than its deadline a step may take on a machine that
// does much else.
const slack = time.Second

// timed exchanges, and fails the test if that takes longer than the deadline.
func timed(t *testing.T, s *Store, h *holder) error {
	t.Helper()
	began := time.Now()
	_, err := s.Sync(t.Context(), h.report(of(10*n, 20*n, 0)))
	if took := time.Since(began); took > s.o.Timeout+slack {
		t.Errorf("a step took %v", took)
	}
	return err
}

// recovers exchanges until it works.
func recovers(t *testing.T, s *Store, h *holder) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		err := timed(t, s, h)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not work again: %v", err)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s, a := open(t, server.url(""), rand.Text(), Options{}), holder{name: "a"}
	recovers(t, s, &a)
	events, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.kill()
	for range 20 {
		if timed(t, s, &a) == nil {
			t.Error("no failure without a server")
		}
	}
	server.begin(t)
	recovers(t, s, &a)
	// The subscription comes back by itself.
	other, b := open(t, server.url(""), s.address.String(), patient), holder{name: "b"}
	other.prefix = s.prefix
	for end := time.After(10 * time.Second); ; {
		asks := of(0, 0, 100*n)
		asks.Min, asks.Waiting = 100*n, 100*n
		exchange(t, other, b.report(asks))
		select {
		case <-events:
			return
		case <-end:
			t.Fatal("no event after the restart")
		default:
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://127.0.0.1:" + freePort(t), "unix://" + filepath.Join(t.TempDir(), "none")} {
		s, a := open(t, url, rand.Text(), Options{}), holder{name: "a"}
		if err := timed(t, s, &a); err == nil || errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := s.Inspect(t.Context()); err == nil || errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := s.Watch(t.Context()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// What a server says that cannot be used, as it is or as it is just now.
func TestRefusals(t *testing.T) {
	locked := serverWith(t, "--requirepass", "right-word")
	locked.client(t) // not used: it does not know the password
	port := freePort(t)
	clustered := serverWith(t, "--cluster-enabled", "yes", "--port", port)
	follower := serverWith(t, "--replicaof", "127.0.0.1", freePort(t))
	sentinel := serverWith(t, "--sentinel")
	for _, c := range []struct {
		name, url string
		unfit     bool
		exchange  string // part of the failure of an exchange
		inspect   string // part of the failure of Inspect, or of its warning
	}{
		{"no password", locked.url(""), true, "it wants a password", "it wants a password"},
		{"wrong password", locked.url(":wrong-word@"), true, "the user or the password is wrong", "password is wrong"},
		{"wrong user", locked.url("somebody:right-word@"), true, "the user or the password is wrong", "password is wrong"},
		{"no such database", shared.url("") + "?db=99", true, "no such database", "no such database"},
		{"node of a cluster", clustered.url(""), true, "node of a Redis Cluster", "node of a Redis Cluster"},
		{"database of a cluster", clustered.url("") + "?db=1", true, "node of a Redis Cluster", "node of a Redis Cluster"},
		{"replica", follower.url(""), false, "it is a replica and takes no changes: name the primary", "it is a replica"},
		{"sentinel", sentinel.url(""), false, "unknown command", "it is a Sentinel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := open(t, c.url, rand.Text(), patient), holder{name: "a"}
			_, err := s.Sync(t.Context(), a.report(of(0, 0, n)))
			if err == nil || !strings.Contains(err.Error(), c.exchange) || errors.Is(err, ErrUnfit) != c.unfit {
				t.Errorf("Exchange: %v", err)
			}
			warnings, inspectErr := s.Inspect(t.Context())
			text := strings.Join(warnings, "\n")
			if inspectErr != nil {
				text = inspectErr.Error()
			}
			if !strings.Contains(text, c.inspect) || (inspectErr != nil) != (c.unfit || c.name == "sentinel") {
				t.Errorf("Inspect: %q, %v", warnings, inspectErr)
			}
			if strings.Contains(text+err.Error(), "-word") {
				t.Errorf("a password is shown: %v; %s", err, text)
			}
		})
	}
	s, a := open(t, locked.url(":right-word@"), rand.Text(), patient), holder{name: "a"}
	exchange(t, s, a.report(of(0, 0, n)))
	if warnings, err := s.Inspect(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("%q, %v", warnings, err)
	}
}

// A full server keeps a report whole or not at all.
func TestFull(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	l := begin(t, server.url(""))
	server.do(t, "CONFIG", "SET", "maxmemory", "1")
	r := l.a.report(of(30*n, 0, 0))
	r.Block.Lift = true
	if st, err := l.sa.Sync(t.Context(), r); err == nil || !strings.Contains(err.Error(), "its memory is full") {
		t.Errorf("%+v, %v", st, err)
	}
	server.do(t, "CONFIG", "SET", "maxmemory", "0")
	if st := l.bs(t); st.Balances[0].Spent != 15*n || st.Balances[0].Held != 35*n {
		t.Errorf("the refused report left something: %+v", st)
	}
	if st := exchange(t, l.sa, r); st.Balances[0].Spent != 35*n {
		t.Errorf("%+v", st)
	}
}

func TestInspectWarns(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := open(t, server.url(""), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("%q, %v", w, err)
	}
	server.do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	if w, err := s.Inspect(t.Context()); err != nil || len(w) != 1 || !strings.Contains(w[0], "allkeys-lru") || !strings.Contains(w[0], "noeviction") {
		t.Errorf("%q, %v", w, err)
	}
}

// A user that may do what is needed and nothing else, not even publish.
func TestLeastUser(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	server.do(t, "ACL", "SETUSER", "proxy", "on", ">some-word", "resetchannels", "~neuronward:*", "-@all", "+eval", "+evalsha", "+ping", "+select",
		"+time", "+mget", "+hget", "+hmget", "+hset", "+hgetall", "+zadd", "+zrem", "+zrangebyscore", "+set", "+del", "+pexpire")
	s := open(t, server.url("proxy:some-word@"), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("what cannot be seen is warned of: %q, %v", w, err)
	}
	a := holder{name: "a"}
	asks := of(0, 0, 100*n)
	asks.Min, asks.Waiting = 100*n, 100*n
	if st := exchange(t, s, a.report(asks)); st.Balances[0].Limit != 100*n {
		t.Errorf("%+v", st)
	}
	for _, change := range []bool{true, false} {
		r := a.report()
		r.Block.Set.Set, r.Block.Lift, r.Leave = change, !change, !change
		r.Requests = append(r.Requests, of(0, 0, 0))
		exchange(t, s, r)
	}
	if ok, err := s.Lease(t.Context(), "probe", time.Hour); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, err := s.History(t.Context(), day, day); err != nil {
		t.Error(err)
	}
	server.do(t, "ACL", "SETUSER", "proxy", "-hset")
	if _, err := s.Sync(t.Context(), a.report(of(0, 0, 0))); err == nil || !strings.Contains(err.Error(), "may not do what is needed") {
		t.Errorf("%v", err)
	}
}

// A user made as the failure of one that may not says.
func TestUserAsAdvised(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	server.do(t, "ACL", "SETUSER", "proxy", "on", ">some-word", "resetchannels", "&neuronward:*", "~neuronward:*",
		"+@read", "+@write", "+@scripting", "+@connection", "+time", "+info", "+publish", "+subscribe")
	server.do(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	s := open(t, server.url("proxy:some-word@"), rand.Text(), patient)
	if w, err := s.Inspect(t.Context()); err != nil || len(w) != 1 {
		t.Errorf("%q, %v", w, err)
	}
	events, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := holder{name: "a"}
	r := a.report(of(0, 0, 0))
	r.Block.Set = quota.Block{Set: true}
	exchange(t, s, r)
	select {
	case e := <-events:
		if e != (quota.Event{Kind: quota.BlockChanged, Replica: "a"}) {
			t.Errorf("%+v", e)
		}
	case <-time.After(10 * time.Second):
		t.Error("no event")
	}
}
