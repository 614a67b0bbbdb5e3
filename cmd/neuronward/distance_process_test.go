package main

import (
	"bytes"
	"flag"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// distances makes the server as far away as it may be, in steps:
//
//	go test -v ./cmd/neuronward -run TestReplicasFarFromRedis -distances
var distances = flag.Bool("distances", false, "replicas 1, 10, 30, 60, 100 and 200 ms away from Redis")

// Replicas far from their server spend a day as those nearby do: no call waits for more than it must, the limit is not
// passed, and nearly all of it is used.
func TestReplicasFarFromRedis(t *testing.T) {
	t.Parallel()
	trips := []time.Duration{30 * time.Millisecond}
	if *distances {
		trips = []time.Duration{1e6, 10e6, 30e6, 60e6, 100e6, 200e6}
	}
	for _, trip := range trips {
		t.Run(trip.String(), func(t *testing.T) {
			server := startRedis(t)
			at := relay(t, server.socket, trip)
			f := newFleet(t, server, "NEURONWARD_STORE=unix://:"+redisWord+"@"+at, "NEURONWARD_QUOTA_WAIT=5s")
			a := f.join()
			f.join()
			f.join()
			before := server.commands()
			began := time.Now()
			f.load(96)
			f.wait()
			took := time.Since(began)
			sent := server.commands() - before
			s, billed, limit := a.status(), f.billed(), *fleetDay
			perThousand := float64(sent) * 1000 / float64(f.asked.Load())
			t.Logf("billed %.2f of %.0f (%.2f %%) in %v; measured %.1f ms; longest call %v; %s", billed, limit,
				billed/limit*100, took.Round(time.Millisecond), *s.Store.RoundTrip, f.longest().Round(time.Millisecond),
				f.summary())
			t.Logf("away %v: %.1f %% used; calls took %v (p50), %v (p90), %v (p99); %.0f commands for 1,000 calls",
				trip, billed/limit*100, f.percentile(0.5), f.percentile(0.9), f.percentile(0.99), perThousand)
			// An exchange is for all calls that wait at its process, beside the reports that come however long it takes.
			reports := 3 * 2 * took.Seconds() / quota.Heartbeat.Seconds()
			if maxSent := 0.2*float64(f.asked.Load()) + reports; float64(sent) > maxSent {
				t.Errorf("got %d commands for %d calls in %v, want %.0f at most", sent, f.asked.Load(), took, maxSent)
			}
			if billed > limit || billed < 0.97*limit {
				t.Errorf("got %.2f neurons billed, want 97 to 100 %% of %.0f", billed, limit)
			}
			// None where the machine has time; a busy one, as in CI, makes the server late.
			failed := f.count("store_unavailable")
			if *distances && failed > f.asked.Load()/100 && trip <= 100*time.Millisecond {
				t.Errorf("got %d calls that were refused since the server was late, want 1 %% at most", failed)
			}
			f.counted(a, billed, 0)
		})
	}
}

// commands is how many commands the server was sent by proxies: scripts, waits for a replica, and pings.
func (r *redisServer) commands() (n int) {
	r.t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, Password: redisWord})
	defer c.Close()
	stats, err := c.Info(r.t.Context(), "commandstats").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"eval", "evalsha", "wait", "ping"} {
		_, calls, _ := strings.Cut(stats, "cmdstat_"+name+":calls=")
		calls, _, _ = strings.Cut(calls, ",")
		one, _ := strconv.Atoi(calls) // none was sent
		n += one
	}
	return n
}

// percentile is how long a part of the calls took at most, of those before the end of the day was near: then calls wait
// for others in flight.
func (f *fleet) percentile(part float64) time.Duration {
	f.slow.Lock()
	defer f.slow.Unlock()
	if len(f.slow.early) == 0 {
		return 0
	}
	slices.Sort(f.slow.early)
	return f.slow.early[int(part*float64(len(f.slow.early)-1))].Round(time.Millisecond / 10)
}

// All days that are kept are shown by a proxy far from its server, before anyone tires of waiting.
func TestUsageFarFromRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	address, err := redisstore.Parse("unix://:" + redisWord + "@" + server.socket)
	if err != nil {
		t.Fatal(err)
	}
	near := redisstore.Open(address, hexAccount, redisstore.Options{Timeout: time.Minute})
	today, two := quota.DayOf(time.Now()), quota.FromFloat(2)
	for i := range quota.Day(quota.KeepDays) {
		_, err := near.Sync(t.Context(), quota.Report{
			Day: today - i, Replica: "former", Seq: 1, Leave: true,
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: quota.FromFloat(10_000), Spent: two}},
			Records:  []quota.Record{{Model: "m", Calls: 1, Reported: two}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	at := relay(t, server.socket, 200*time.Millisecond)
	p := start(t, costly(t, "NEURONWARD_STORE=unix://:"+redisWord+"@"+at, "NEURONWARD_PLAN=free"))
	p.until("usage shows all days", func() bool { // again where a busy machine makes the server late
		var out, errs bytes.Buffer
		run(t.Context(), []string{"usage", "--days", "62", "--csv"}, []string{
			"NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(p.admin, "http://"),
		}, strings.NewReader(""), &out, &errs)
		got := strings.Count(out.String(), ",m,,1,2,")
		if got != quota.KeepDays {
			t.Logf("got %d days, want %d; %s%s", got, quota.KeepDays, out.String(), errs.String())
			<-time.After(time.Second)
		}
		return got == quota.KeepDays
	})
	p.stop()
}

// relay passes connections on to a socket, and whatever passes arrives half a round trip later. It returns its own.
func relay(t *testing.T, socket string, trip time.Duration) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(socket), "relay")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				time.Sleep(trip) // of the handshake
				far, err := new(net.Dialer).DialContext(t.Context(), "unix", socket)
				if err != nil {
					near.Close()
					return
				}
				go late(near, far, trip/2)
				late(far, near, trip/2)
			}()
		}
	}()
	return path
}

// late copies what comes from one connection to the other, each piece after a delay.
func late(from, to net.Conn, delay time.Duration) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 4096)
	go func() {
		defer to.Close()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				from.Close()
			}
		}
	}()
	defer close(pieces)
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			pieces <- piece{b[:n], time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}
