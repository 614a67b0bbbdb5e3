package redisstore

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// binary is the server that tests start which do not start both:
//
//	go test ./quota/redisstore -server valkey-server
var binary = flag.String("server", "redis-server", "the server to test with: redis-server or valkey-server")

var binaries = []string{"redis-server", "valkey-server"}

// shared is a real server for all tests that do not change its state or settings.
var shared *server

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = &server{binary: *binary, dir: dir}
	if err := shared.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := m.Run()
	shared.kill()
	// These two end within a second of the close of their client.
	leaked := goleak.Find(
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*clusterStateHolder).LazyReload.func1"))
	if err := errors.Join(os.RemoveAll(dir), leaked); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// A server is a Redis or Valkey server in a directory of its own, on a socket there. Its data
// are lost when it ends, unless args say otherwise.
type server struct {
	binary string
	dir    string
	args   []string
	config string // of a Sentinel, beyond its socket
	cmd    *exec.Cmd
}

// serverWith starts a server that ends with the test.
func serverWith(t testing.TB, args ...string) *server {
	t.Helper()
	return serverOf(t, *binary, args...)
}

// serverOf is serverWith for one of binaries.
func serverOf(t testing.TB, binary string, args ...string) *server {
	t.Helper()
	s := newServer(t, args...)
	s.binary = binary
	s.mustStart(t)
	return s
}

// serverOnPort is serverWith for a server that also listens on a port, which option names. Another process may take a
// free port before the server does: then the next one is tried.
func serverOnPort(t testing.TB, option string, args ...string) (s *server, port string) {
	t.Helper()
	return newServer(t).onPort(t, option, args...)
}

func (s *server) onPort(t testing.TB, option string, args ...string) (_ *server, port string) {
	t.Helper()
	for tries := 1; ; tries++ {
		port = freePort(t)
		s.args = append(slices.Clip(args), option, port)
		err := s.start()
		if err == nil {
			return s, port
		}
		taken := strings.Contains(err.Error(), "Address already in use") ||
			strings.Contains(err.Error(), "port number too high") // of a cluster, which takes one 10,000 above as well
		if tries == 20 || !taken {
			t.Fatalf("start %d of the server: got %v, want none, or a port that is taken", tries, err)
		}
	}
}

func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // its path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s := &server{binary: *binary, dir: dir, args: args}
	t.Cleanup(func() {
		s.kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) mustStart(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// start starts the server and waits until it takes connections.
func (s *server) start() error {
	args := []string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--daemonize", "no"}
	args = append(args, s.args...)
	if len(s.args) > 0 && s.args[0] == "--sentinel" {
		config := filepath.Join(s.dir, "sentinel.conf")
		text := "port 0\nunixsocket " + s.socket() + "\n" + s.config
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		args = append([]string{config}, s.args...)
	}
	s.cmd = exec.CommandContext(context.Background(), s.binary, args...)
	s.cmd.SysProcAttr = diesWithUs()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("these tests need %s; .ci/install installs it: %w", s.binary, err)
	}
	var printed []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		printed = append(printed, lines.Text())
		ready := strings.Contains(lines.Text(), "eady to accept connections")
		if ready || strings.Contains(lines.Text(), "Sentinel ID is") {
			go func() {
				for lines.Scan() { // or the server blocks
				}
			}()
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("%s ended: %s", s.binary, strings.Join(printed, "\n"))
}

// kill ends the server as a crash would.
func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait() //nolint:errcheck // that it was killed
		s.cmd = nil
	}
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

// url is the server's address; user is empty or ends in @.
func (s *server) url(user string) string { return "unix://" + user + s.socket() }

// client is a connection of the test's own.
func (s *server) client(t testing.TB) *redis.Client {
	t.Helper()
	return s.clientWith(t, "")
}

func (s *server) clientWith(t testing.TB, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Network: "unix", Addr: s.socket(), Protocol: 2, DisableIdentity: true, MaxRetries: -1, Password: password,
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// do runs a command and fails the test if it fails.
func (s *server) do(t testing.TB, args ...any) any {
	t.Helper()
	v, err := s.client(t).Do(context.Background(), args...).Result()
	if err != nil {
		t.Fatalf("%v: got error %v, want none", args, err)
	}
	return v
}

// open opens a store at url for account that ends with the test.
func open(t testing.TB, url, account string, o Options) *Store {
	t.Helper()
	a, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	s := Open(a, account, o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// settled makes the account of s one that the server has known for long, so that it
// grants from the first report on.
func settled(t testing.TB, s *Store) *Store {
	t.Helper()
	o := s.o
	o.Timeout = patient.Timeout
	own := Open(s.address, "", o)
	defer own.Close()
	c, ctx := own.client.Load(), context.Background()
	if err := errors.Join(c.Set(ctx, s.prefix+"epoch", "1 0", 0).Err(), s.sync.Load(ctx, c).Err()); err != nil {
		t.Fatal(err)
	}
	return s
}

// freePort is one that nobody listens on, and below those that the system gives to whoever asks for any. So is the port
// of a cluster's bus, which is 10,000 above it.
func freePort(t testing.TB) string {
	t.Helper()
	for {
		port := strconv.Itoa(12_000 + rand.IntN(10_000))
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			ln.Close()
			return port
		}
	}
}
