package main

import (
	"bufio"
	"bytes"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

// redisBinary is the server that tests start which do not start both:
//
//	go test ./cmd/neuronward -run TestReplicas -server valkey-server
var redisBinary = flag.String("server", "redis-server", "the store's server: redis-server or valkey-server")

// A redisServer is a real one, on a socket, with a password.
type redisServer struct {
	t              *testing.T
	binary, socket string
	cmd            *exec.Cmd
}

const redisWord = "hidden-word"

// startRedis starts one that ends with the test. What it keeps is lost when it ends, unless more says otherwise.
func startRedis(t *testing.T, more ...string) *redisServer {
	t.Helper()
	return startServer(t, *redisBinary, more...)
}

// startServer is startRedis for redis-server or valkey-server.
func startServer(t *testing.T, binary string, more ...string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // its path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, binary: binary, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		r.kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r.start(more...)
	return r
}

// start waits until the server takes connections.
func (r *redisServer) start(more ...string) {
	r.t.Helper()
	r.cmd = exec.Command(r.binary, append([]string{
		"--port", "0", "--unixsocket", r.socket, "--dir", filepath.Dir(r.socket), "--save", "", "--requirepass",
		redisWord,
	}, more...)...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("got %v, want %s, which .ci/install installs", err, r.binary)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() {
				for lines.Scan() { // or the server blocks
				}
			}()
			return
		}
	}
	r.t.Fatalf("%s ended, want it to accept connections", r.binary)
}

func (r *redisServer) kill() {
	if r.cmd.ProcessState == nil {
		r.cmd.Process.Kill()
		r.cmd.Wait() //nolint:errcheck // that it was killed
	}
}

func (r *redisServer) url(password string) string {
	return "NEURONWARD_STORE=unix://:" + password + "@" + r.socket
}

// used waits until /status shows this figure.
func (p *process) used(want string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		page := p.status()
		if asJSON(p.t, page.Used) == want {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("used is not %s: %s", want, asJSON(p.t, page.Today))
		}
		pause()
	}
}

// ready waits until /readyz answers so.
func (p *process) ready(want int) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		status, body := p.get(p.admin + "/readyz")
		if status == want {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("readyz: %d %s, not %d", status, body, want)
		}
		pause()
	}
}

func TestProcessesShareAStore(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	environ := costly(t, server.url(redisWord), "NEURONWARD_PLAN=free")
	a, b := start(t, environ), start(t, environ)
	a.spend()
	a.spend()
	b.spend()
	for _, p := range []*process{a, b} {
		p.used("7.5")
		page := p.status()
		equal(t, "kind of the store", page.Store.Kind, config.StoreRedis)
		equal(t, "the store is healthy", page.Store.Healthy, true)
		equal(t, "replicas", page.Replicas, 2)
		if trip := page.Store.RoundTrip; trip == nil || *trip <= 0 {
			t.Errorf("the round trip: got %v, want more than 0", trip)
		}
		_, body := p.get(p.admin + "/status")
		lacks(t, "the settings", body, redisWord)
		contains(t, "the settings", body, "unix://"+server.socket)
	}
	b.stop()

	// Without the server calls are refused once the process cannot continue alone; once it is back, all continues by
	// itself. It has forgotten the day, but for what the process that lives has spent.
	server.kill()
	equal(t, "policy in the log", a.await("the store fails")["policy"], any("deny"))
	a.ready(http.StatusServiceUnavailable)
	server.start()
	a.await("the store works again")
	a.spend()
	a.used("7.5")
	a.ready(http.StatusOK)
	a.stop()
	for _, p := range []*process{a, b} {
		lacks(t, "the log", p.log.String(), redisWord)
	}
}

func TestServeWithAStoreThatCannotBe(t *testing.T) {
	server := startRedis(t)
	for _, command := range []string{"serve", "check"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{command}, []string{
			"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, server.url("fake-word"), "NEURONWARD_LISTEN=127.0.0.1:0",
			"NEURONWARD_ADMIN_LISTEN=",
		}, strings.NewReader(""), &out, &errs)
		said := out.String() + errs.String()
		if code == exitDone {
			t.Errorf("%s: got exit %d, want another one\n%s", command, code, said)
		}
		contains(t, command, said, "redisstore: the server cannot be used: the user or the password is wrong")
		lacks(t, command, said, "fake-word")
	}
}

// The check says how far away the server is.
func TestCheckSaysHowLongTheServerTakes(t *testing.T) {
	var out, errs bytes.Buffer
	run(t.Context(), []string{"check"}, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, startRedis(t).url(redisWord), "NEURONWARD_LISTEN=127.0.0.1:0",
		"NEURONWARD_ADMIN_LISTEN=",
	}, strings.NewReader(""), &out, &errs)
	if said := out.String() + errs.String(); !regexp.MustCompile(`answers within [\d.]+m?s`).MatchString(said) {
		t.Errorf("check says nothing of how long the server takes to answer:\n%s", said)
	}
}

// What somebody else wrote into the server is told in the log, and does not stop the proxy.
func TestAProcessTellsOfFiguresInRedisThatCannotBe(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	p := start(t, costly(t, server.url(redisWord), "NEURONWARD_PLAN=free"))
	p.spend()
	p.used("2.5")
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: server.socket, Password: redisWord})
	defer c.Close()
	keys, err := c.Keys(t.Context(), "*:sums").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("got the keys %q, %v, want one", keys, err)
	}
	if err := c.HSet(t.Context(), keys[0], "account", "-90000000000 0").Err(); err != nil {
		t.Fatal(err)
	}
	line := p.await("a value in Redis is damaged")
	equal(t, "the key", line["key"], any(keys[0]+" account"))
	equal(t, "the value", line["value"], any("-90000000000 0"))
	p.spend()
	p.used("5")
	p.stop()
}
