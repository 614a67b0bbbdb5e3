package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// inTime is when a replica that works has a grant on any machine, and tooLate when one that does not is given up.
const (
	inTime  = 30 * time.Second
	tooLate = 20 * time.Millisecond
)

// waits is how often a server was asked to wait for its replicas.
func waits(t *testing.T, s *server) string {
	t.Helper()
	stats, _ := s.do(t, "INFO", "commandstats").(string)
	_, calls, _ := strings.Cut(stats, "cmdstat_wait:calls=")
	calls, _, _ = strings.Cut(calls, ",")
	return calls
}

// follow makes a replica of the server at address and waits until it follows.
func follow(t *testing.T, primary *server, address string) *server {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	replica := serverWith(t, "--replicaof", host, port, "--repl-diskless-sync-delay", "0")
	eventually(t, "the replica follows", func() bool {
		info, _ := primary.do(t, "INFO", "replication").(string)
		return strings.Contains(info, "state=online")
	})
	return replica
}

// slowly passes connections on to a server on a port. Once lags is set, what the server sends comes a minute later.
func slowly(t *testing.T, port string, lags *atomic.Bool) (address string) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(context.Background(), "tcp", "127.0.0.1:"+port)
			if err != nil {
				near.Close()
				return
			}
			context.AfterFunc(t.Context(), func() {
				near.Close()
				far.Close()
			})
			running.Go(func() { io.Copy(far, near) })
			running.Go(func() {
				for b := make([]byte, 1<<16); ; {
					n, err := far.Read(b)
					if err != nil {
						return
					}
					if lags.Load() {
						select {
						case <-time.After(time.Minute):
						case <-t.Context().Done():
							return
						}
					}
					near.Write(b[:n])
				}
			})
		}
	})
	return ln.Addr().String()
}

// A copyTest is a replica of a quota on a primary, and what was told of its grants.
type copyTest struct {
	*Store
	a     replica
	spent quota.Neurons
	told  []error
}

func newCopyTest(t *testing.T, primary *server) *copyTest { return newCopyTestOver(t, primary, nil) }

func newCopyTestOver(t *testing.T, primary *server, dial dialer) *copyTest {
	t.Helper()
	c := &copyTest{a: replica{name: "a"}}
	o := patient
	o.copyWait, o.dial = inTime, dial
	o.OnCopy = func(err error) { c.told = append(c.told, err) }
	c.Store = settled(t, open(t, primary.url(""), rand.Text(), o))
	send(t, c.Store, c.a.report(request(0, 0, 0))) // it learns that there are replicas
	return c
}

// grant is granted one neuron, and returns what was told of it.
func (c *copyTest) grant(t *testing.T) []error {
	t.Helper()
	c.told = nil
	if got := send(t, c.Store, c.a.report(request(c.spent, 0, n))).Granted[0]; got != n {
		t.Errorf("granted: got %v, want %v", got, n)
	}
	c.spent += n
	return c.told
}

// A server without replicas is not asked to wait for any.
func TestNoReplicaCostsNothing(t *testing.T) {
	t.Parallel()
	primary := serverWith(t)
	c := newCopyTest(t, primary)
	if told := c.grant(t); len(told) != 0 {
		t.Errorf("told: got %v, want nothing", told)
	}
	if got := waits(t, primary); got != "" {
		t.Errorf("waits: got %s, want none", got)
	}
}

// A replica has what was granted by the time that it may be spent.
func TestAReplicaHasWhatWasGranted(t *testing.T) {
	t.Parallel()
	primary, port := serverOnPort(t, "--port")
	copied := follow(t, primary, "127.0.0.1:"+port)
	c := newCopyTest(t, primary)
	for range 10 {
		if told := c.grant(t); len(told) != 1 || told[0] != nil {
			t.Errorf("told: got %v, want that the replica has it", told)
		}
		rows := c.prefix + day.String() + ":rows"
		want := primary.do(t, "HGET", rows, "a\x00account")
		if got := copied.do(t, "HGET", rows, "a\x00account"); got != want {
			t.Errorf("row at the replica: got %v, want %v", got, want)
		}
	}
	send(t, c.Store, c.a.report(request(c.spent, 0, 0)))
	if got := waits(t, primary); got != "10" {
		t.Errorf("waits: got %s, want 10: a report that asks for nothing needs none", got)
	}
}

// A replica that is stopped, or lags, is told of, and does not hold grants up for long: the next ones do not wait.
func TestAReplicaThatIsLate(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]func(t *testing.T) *server{
		"stopped": func(t *testing.T) *server {
			primary, port := serverOnPort(t, "--port")
			copied := follow(t, primary, "127.0.0.1:"+port)
			if err := copied.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			return primary
		},
		"lags": func(t *testing.T) *server {
			primary, port := serverOnPort(t, "--port")
			lags := &atomic.Bool{}
			follow(t, primary, slowly(t, port, lags))
			lags.Store(true)
			return primary
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := late(t)
			c := newCopyTest(t, primary)
			c.o.copyWait = tooLate
			for range 3 {
				if told := c.grant(t); len(told) != 1 || !errors.Is(told[0], errReplicaLate) {
					t.Errorf("told: got %v, want that no replica has it", told)
				}
			}
			if got := waits(t, primary); got != "1" {
				t.Errorf("waits: got %s, want 1: nobody waits for a while after one in vain", got)
			}
		})
	}
}

// A replica that goes on is waited for again.
func TestAReplicaThatGoesOn(t *testing.T) {
	t.Parallel()
	primary, port := serverOnPort(t, "--port")
	copied := follow(t, primary, "127.0.0.1:"+port)
	c := newCopyTest(t, primary)
	for _, s := range []struct {
		signal syscall.Signal
		want   error
	}{{syscall.SIGSTOP, errReplicaLate}, {syscall.SIGCONT, nil}} {
		if err := copied.cmd.Process.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
		if c.o.copyWait = inTime; s.want != nil {
			c.o.copyWait = tooLate
		}
		c.mu.Lock()
		c.copies.retryAt = time.Time{} // as if the pause was over
		c.mu.Unlock()
		if told := c.grant(t); len(told) != 1 || !errors.Is(told[0], s.want) {
			t.Errorf("after %v: told %v, want %v", s.signal, told, s.want)
		}
	}
}

// dialer makes connections as Options.dial does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// A breaking connection is closed instead of asked once, as soon as it is to be asked to wait.
type breaking struct {
	net.Conn
	due *atomic.Bool
}

func (b breaking) Write(p []byte) (int, error) {
	if strings.Contains(strings.ToLower(string(p)), "wait\r\n") && b.due.CompareAndSwap(true, false) {
		b.Close()
	}
	return b.Conn.Write(p)
}

// What is asked again on another connection does not wait for a replica, and is not told as if one had it.
func TestAConnectionThatBreaksDuringTheWait(t *testing.T) {
	t.Parallel()
	primary, port := serverOnPort(t, "--port")
	follow(t, primary, "127.0.0.1:"+port)
	due := &atomic.Bool{}
	c := newCopyTestOver(t, primary, func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return breaking{conn, due}, err
	})
	due.Store(true)
	if told := c.grant(t); len(told) != 1 || !errors.Is(told[0], errReplicaLate) {
		t.Errorf("told: got %v, want that it is not known to be copied", told)
	}
	if due.Load() {
		t.Error("the connection did not break")
	}
}
