package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A watchedServer is a primary with a replica, watched by three Sentinels, all on ports of loopback.
type watchedServer struct {
	t         *testing.T
	nodes     [2]*exec.Cmd // the primary first
	ports     [2]string
	sentinels []string // addresses
}

// watchRedis starts one that ends with the test.
func watchRedis(t *testing.T) *watchedServer {
	t.Helper()
	w := &watchedServer{t: t}
	w.nodes[0], w.ports[0] = onPort(t, func(dir, port string) []string {
		return []string{
			"--port", port, "--dir", dir, "--save", "", "--requirepass", redisWord, "--masterauth", redisWord,
		}
	})
	w.nodes[1], w.ports[1] = onPort(t, func(dir, port string) []string {
		return []string{
			"--port", port, "--dir", dir, "--save", "", "--requirepass", redisWord, "--masterauth", redisWord,
			"--replicaof", "127.0.0.1", w.ports[0],
		}
	})
	for range 3 {
		_, port := onPort(t, func(dir, port string) []string {
			path := filepath.Join(dir, "sentinel.conf")
			text := "port " + port + "\nsentinel monitor mymaster 127.0.0.1 " + w.ports[0] + " 2\n" +
				"sentinel auth-pass mymaster " + redisWord + "\n" +
				"sentinel down-after-milliseconds mymaster 5000\nsentinel failover-timeout mymaster 5000\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{path, "--sentinel"}
		})
		w.sentinels = append(w.sentinels, "127.0.0.1:"+port)
	}
	for _, at := range w.sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: at})
		defer c.Close()
		w.until("the Sentinels know each other and the replica", func() bool {
			others, _ := c.Sentinels(t.Context(), "mymaster").Result()
			replicas, _ := c.Replicas(t.Context(), "mymaster").Result()
			return len(others) == 2 && len(replicas) == 1
		})
	}
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + w.ports[1], Password: redisWord})
	defer c.Close()
	w.until("the replica has what the primary has", func() bool {
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return w
}

// onPort starts a server on a free port, and waits until it takes connections. Another process may take the port first,
// or the port of the cluster's bus: then the next one is tried.
func onPort(t *testing.T, args func(dir, port string) []string) (cmd *exec.Cmd, port string) {
	t.Helper()
	for range 20 {
		port = freePort(t)
		cmd = exec.CommandContext(context.Background(), *redisBinary, args(t.TempDir(), port)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ready, ended := make(chan struct{}), make(chan struct{})
		go func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if text := lines.Text(); strings.Contains(text, "Ready to accept connections") ||
					strings.Contains(text, "Sentinel ID is") {
					close(ready)
					break
				}
			}
			_, _ = io.Copy(io.Discard, out)
			cmd.Wait() //nolint:errcheck // that it was killed
			close(ended)
		}()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-ended
		})
		select {
		case <-ready:
			return cmd, port
		case <-ended:
		}
	}
	t.Fatalf("got no %s on 20 ports, want one", *redisBinary)
	return nil, ""
}

// freePort is one that nobody listens on, and below those that the system gives to whoever asks for any. So is the port
// of a cluster's bus, which is 10,000 above it.
func freePort(t testing.TB) string {
	t.Helper()
	for {
		port := strconv.Itoa(12_000 + rand.IntN(10_000))
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			ln.Close()
			return port
		}
	}
}

func (w *watchedServer) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !is(); pause() {
		if time.Now().After(end) {
			w.t.Fatalf("after 5 minutes: got no end of the wait until %s", what)
		}
	}
}

func (w *watchedServer) store() string {
	return "NEURONWARD_STORE=redis+sentinel://" + strings.Join(w.sentinels, ",") + "/mymaster/0"
}

// failedOver reports whether the Sentinels name the replica as the primary.
func (w *watchedServer) failedOver() bool {
	c := redis.NewSentinelClient(&redis.Options{Addr: w.sentinels[0]})
	defer c.Close()
	at, err := c.GetMasterAddrByName(w.t.Context(), "mymaster").Result()
	return err == nil && at[1] == w.ports[1]
}

// failovers is how often each kind of failover is run:
//
//	go test -v ./cmd/neuronward -run TestReplicasFailOver -failovers 20
var failovers = flag.Int("failovers", 1, "how often a primary of Redis fails in each way")

// The primary fails under load and Sentinels put its replica in its place. Proxies go on by themselves, and count
// whatever was billed, though the new primary lacks the last writes: those that live write their counts again.
func TestReplicasFailOver(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name   string
		signal syscall.Signal
	}{{"killed", syscall.SIGKILL}, {"stopped", syscall.SIGSTOP}} {
		for range *failovers {
			t.Run(kind.name, func(t *testing.T) {
				w := watchRedis(t)
				password := filepath.Join(t.TempDir(), "password")
				if err := os.WriteFile(password, []byte(redisWord+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				f := newFleet(t, &redisServer{}, w.store(), "NEURONWARD_STORE_PASSWORD_FILE="+password,
					"NEURONWARD_QUOTA_WAIT=2s", "NEURONWARD_DAILY_NEURONS=100000")
				f.body = strings.Replace(fleetCall, "llama-3.3-70b-instruct-fp8-fast", "llama-3.1-8b-instruct-fp8", 1)
				a, b := f.join(), f.join()
				f.load(8)
				f.until(60)
				f.longest()
				struck := time.Now()
				if err := w.nodes[0].Process.Signal(kind.signal); err != nil {
					t.Fatal(err)
				}
				w.until("the replica is the primary", w.failedOver)
				for _, p := range []*process{a, b} {
					p.until("it continues", func() bool {
						status, _ := p.get(p.admin + "/readyz")
						return status == http.StatusOK && p.status().Store.Healthy
					})
				}
				healthy := time.Since(struck)
				f.until(f.billed() + 150)
				recovered := time.Since(struck)
				if kind.signal == syscall.SIGSTOP { // the former primary comes back, and becomes a replica
					if err := w.nodes[0].Process.Signal(syscall.SIGCONT); err != nil {
						t.Fatal(err)
					}
					f.until(f.billed() + 50)
				}
				f.end()
				f.wait()
				billed := f.billed()
				for _, p := range []*process{a, b} {
					p.until("all is reported", func() bool {
						s := p.status()
						return s.Store.Healthy && s.InFlight == 0 &&
							fmt.Sprintf("%.2f", float64(*s.Used)/1e6) == fmt.Sprintf("%.2f", billed)
					})
					f.counted(p, billed, 0)
				}
				t.Logf("billed and counted %.2f; healthy after %v, 150 more neurons after %v; longest call %v; %s",
					billed, healthy.Round(time.Millisecond), recovered.Round(time.Millisecond),
					f.longest().Round(time.Millisecond), f.summary())
			})
		}
	}
}
