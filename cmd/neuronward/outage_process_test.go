package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// outages makes the outages of a Redis server long, and of every kind:
//
//	go test ./cmd/neuronward -run TestReplicasWithoutRedis -outages
var outages = flag.Bool("outages", false, "every kind of outage of a Redis server, for 5 s each")

// A cable is between processes and a server, and can be cut: connections then transfer nothing, as when packets are
// lost.
type cable struct {
	net.Listener
	mu  sync.Mutex
	cut chan struct{} // closed when what passes no longer passes
	to  string
}

func newCable(t *testing.T, server *redisServer) *cable {
	t.Helper()
	c := &cable{to: server.socket, cut: make(chan struct{})}
	var err error
	path := filepath.Join(filepath.Dir(server.socket), "cable")
	if c.Listener, err = new(net.ListenConfig).Listen(t.Context(), "unix", path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for {
			conn, err := c.Accept()
			if err != nil {
				return
			}
			go c.forward(conn)
		}
	}()
	return c
}

// forward passes bytes both ways until the cable is cut; then it only holds the connection open until its caller gives
// up.
func (c *cable) forward(near net.Conn) {
	defer near.Close()
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	select {
	case <-cut:
	default:
		far, err := net.Dial("unix", c.to)
		if err != nil {
			return
		}
		go func() {
			<-cut
			far.Close()
		}()
		go func() { _, _ = io.Copy(far, near) }()
		_, _ = io.Copy(near, far)
	}
	select {
	case <-cut:
		_, _ = io.Copy(io.Discard, near)
	default:
	}
}

func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.cut)
}

func (c *cable) restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = make(chan struct{})
}

// Whatever becomes of the server, no call hangs, nothing is forgotten that a process that lives has spent, and all
// continues by itself.
func TestReplicasWithoutRedis(t *testing.T) {
	t.Parallel()
	length := time.Second
	if *outages {
		length = 5 * time.Second
	}
	for _, c := range []struct {
		name   string
		always bool // also in the short form
		keeps  bool // the server writes to disk
		strike func(f *fleet, wire *cable, over func())
	}{
		{name: "paused", always: true, strike: func(f *fleet, _ *cable, over func()) {
			f.signalServer(syscall.SIGSTOP)
			over()
			f.signalServer(syscall.SIGCONT)
		}},
		{name: "emptied, as by a failover", always: true, strike: func(f *fleet, _ *cable, over func()) {
			f.server.kill()
			over()
			f.server.start()
		}},
		{name: "restarted with its data", keeps: true, strike: func(f *fleet, _ *cable, over func()) {
			f.server.kill()
			over()
			f.server.start("--appendonly", "yes")
		}},
		{name: "flushed", strike: func(f *fleet, _ *cable, over func()) {
			f.tellServer("FLUSHALL")
			over()
		}},
		{name: "cut", strike: func(_ *fleet, wire *cable, over func()) {
			wire.sever()
			over()
			wire.restore()
		}},
	} {
		for _, policy := range []string{"deny", "allow"} {
			if !*outages && !c.always {
				continue
			}
			t.Run(c.name+", "+policy, func(t *testing.T) {
				var more []string
				if c.keeps {
					more = []string{"--appendonly", "yes", "--appendfsync", "always"}
				}
				server := startRedis(t, more...)
				wire := newCable(t, server)
				f := newFleet( // with more neurons than there is time for
					t, server, "NEURONWARD_STORE=unix://:"+redisWord+"@"+wire.Addr().String(),
					"NEURONWARD_ON_STORE_FAILURE="+policy, "NEURONWARD_QUOTA_WAIT=2s",
					"NEURONWARD_DAILY_NEURONS=100000",
				)
				f.body = strings.Replace(fleetCall, "llama-3.3-70b-instruct-fp8-fast", "llama-3.1-8b-instruct-fp8", 1)
				a, b := f.join(), f.join()
				f.load(8)
				f.until(60) // so that neither may keep much free
				f.longest()
				var struck, during float64
				c.strike(f, wire, func() {
					struck = f.billed()
					f.pass(length)
					if policy == "deny" && c.name != "flushed" {
						a.until("a call is refused", func() bool { return f.count("store_unavailable") > 0 })
					}
					during = f.billed() - struck
				})
				back := time.Now()
				for _, p := range []*process{a, b} {
					p.until("it continues", func() bool {
						status, _ := p.get(p.admin + "/readyz")
						return status == http.StatusOK && p.status().Store.Healthy
					})
				}
				healthy := time.Since(back)
				f.until(f.billed() + 150) // more than both may have held
				recovered := time.Since(back)
				f.end()
				f.wait()
				longest, billed := f.longest(), f.billed()
				s := a.status()
				a.until("all is reported", func() bool {
					s = a.status()
					return s.Store.Healthy && s.InFlight == 0 && b.status().InFlight == 0
				})
				s = a.status()
				t.Logf("billed %.2f, of that %.2f while it was away; counted %.2f (%+.2f), lost %v; "+
					"healthy after %v, 150 more neurons after %v; longest call %v; failures %s; %s",
					billed, during, float64(*s.Used)/1e6, float64(*s.Used)/1e6-billed, s.Lost,
					healthy.Round(time.Millisecond), recovered.Round(time.Millisecond),
					longest.Round(time.Millisecond), a.series(`neuronward_store_failures_total{policy="`+policy+`"}`),
					f.summary())
				f.counted(a, billed, 0)
				f.counted(b, billed, 0)
				// Its own wait is 2 s, and the rest for a busy machine: one that hangs would take for ever.
				if maxTime := time.Minute; longest > maxTime {
					t.Errorf("longest call: got %v, want %v at most", longest, maxTime)
				}
				if away := c.name != "flushed"; away && policy == "deny" != (f.count("store_unavailable") > 0) {
					t.Errorf("%s: got the answers %s, want store_unavailable with deny alone", policy, f.summary())
				}
			})
		}
	}
}

// pass lets time go by under load.
func (f *fleet) pass(d time.Duration) {
	end := time.After(d)
	for {
		select {
		case <-f.answered:
		case <-end:
			return
		}
	}
}

func (f *fleet) signalServer(s syscall.Signal) {
	f.t.Helper()
	if err := f.server.cmd.Process.Signal(s); err != nil {
		f.t.Fatal(err)
	}
}

// tellServer sends a command to the server.
func (f *fleet) tellServer(command string) {
	f.t.Helper()
	conn, err := net.Dial("unix", f.server.socket)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "AUTH "+redisWord+"\r\n"+command+"\r\n"); err != nil {
		f.t.Fatal(err)
	}
	answer := make([]byte, len("+OK\r\n+OK\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+OK\r\n+OK\r\n" {
		f.t.Fatalf("got %v: %s, want two times OK", err, answer)
	}
}

// Without the server for the rest of the day, three replicas that may continue spend what was left, each its
// part, and when it comes back it gets all usage.
func TestReplicasOnTheirOwn(t *testing.T) {
	t.Parallel()
	const limit = 10_000.0
	server := startRedis(t)
	f := newFleet(t, server, "NEURONWARD_ON_STORE_FAILURE=allow", "NEURONWARD_QUOTA_WAIT=1s",
		fmt.Sprintf("NEURONWARD_DAILY_NEURONS=%v", limit))
	all := []*process{f.join(), f.join(), f.join()}
	f.load(24)
	f.until(limit / 5)
	server.kill()
	f.until(limit * 0.95)
	for quiet := false; !quiet; {
		select {
		case <-f.answered:
		case <-time.After(3 * time.Second):
			quiet = true
		}
	}
	f.end()
	f.wait()
	billed := f.billed()
	server.start()
	for _, p := range all {
		p.until("it continues", func() bool { return p.status().Store.Healthy })
	}
	all[0].until("all is reported", func() bool { return all[0].status().Replicas == len(all) })
	t.Logf("billed %.2f of %.0f (%.2f %%); longest call %v; %s", billed, limit, billed/limit*100,
		f.longest().Round(time.Millisecond), f.summary())
	if billed > limit*1.03 || billed < limit*0.95 {
		t.Errorf("got %.2f neurons billed, want 95 to 103 %% of %.0f", billed, limit)
	}
	for _, p := range all {
		f.counted(p, billed, 0)
	}
}
