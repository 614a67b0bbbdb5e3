package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// distances makes the server as far away as it may be, in steps, under several loads:
//
//	go test -v ./cmd/neuronward -run TestReplicasFarFromRedis -distances -day 10000
var distances = flag.Bool("distances", false, "replicas 0, 1, 10, 30, 60, 100 and 200 ms away from Redis")

// A load is callers of three replicas, who spend -day neurons of so many times as much.
type load struct {
	callers int
	times   float64
}

// Replicas far from their server spend a day as those nearby do: no call waits for more than it must, the limit is not
// passed, and nearly all of it is used.
func TestReplicasFarFromRedis(t *testing.T) {
	t.Parallel()
	trips, loads := []time.Duration{30 * time.Millisecond}, []load{{96, 1}}
	if *distances {
		trips, loads = []time.Duration{0, 1e6, 10e6, 30e6, 60e6, 100e6, 200e6}, []load{{96, 1}, {3, 1}, {3, 100}}
	}
	for _, trip := range trips {
		for _, l := range loads {
			limit := l.times * *fleetDay
			t.Run(fmt.Sprintf("%v, %d callers, limit %v", trip, l.callers, limit), func(t *testing.T) {
				spendFarAway(t, trip, l.callers, limit)
			})
		}
	}
}

func spendFarAway(t *testing.T, trip time.Duration, callers int, limit float64) {
	t.Helper()
	server := startRedis(t)
	at := relay(t, server.socket, trip)
	environ := []string{
		"NEURONWARD_STORE=unix://:" + redisWord + "@" + at, "NEURONWARD_QUOTA_WAIT=5s",
		fmt.Sprintf("NEURONWARD_DAILY_NEURONS=%f", limit),
	}
	var spans *otlptest.Collector // a busy machine, as in CI, may lose some
	if *distances {
		spans = otlptest.New(t)
		environ = append(environ, "OTEL_EXPORTER_OTLP_ENDPOINT="+spans.URL, "OTEL_BSP_SCHEDULE_DELAY=10")
	}
	f := newFleet(t, server, environ...)
	a := f.join()
	f.join()
	f.join()
	for range 3 { // a new server grants nothing for a second
		f.call(f.next())
	}
	before := server.commands()
	began := time.Now()
	f.load(callers)
	if limit > *fleetDay {
		f.until(*fleetDay)
		f.end()
	}
	f.wait()
	took := time.Since(began)
	sent := server.commands() - before
	s, billed := a.status(), f.billed()
	perThousand := float64(sent) * 1000 / float64(f.asked.Load())
	t.Logf("billed %.2f of %.0f (%.2f %%) in %v; round trip %.1f ms; longest call %v; %s", billed, limit,
		billed/limit*100, took.Round(time.Millisecond), *s.Store.RoundTrip, f.longest().Round(time.Millisecond),
		f.summary())
	if *distances {
		waits, calls := f.waits(spans, began)
		none, _ := slices.BinarySearch(waits, 1) // calls that did not wait
		t.Logf("away %v, %d callers, limit %v, until 90 %% of a day were spent: "+
			"calls took %v (p50), %v (p90), %v (p99), "+
			"and waited for neurons %v (p50), %v (p90), %v (p99), %.1f %% of them at all; "+
			"%.0f commands for 1,000 calls",
			trip, callers, limit, percentile(calls, 0.5), percentile(calls, 0.9), percentile(calls, 0.99),
			percentile(waits, 0.5), percentile(waits, 0.9), percentile(waits, 0.99),
			float64(len(waits)-none)/float64(max(len(waits), 1))*100, perThousand)
	}
	// An exchange is for all calls that wait at its process, beside the reports that come however long it takes.
	reports := 3 * 2 * took.Seconds() / quota.Heartbeat.Seconds()
	if maxSent := 0.2*float64(f.asked.Load()) + reports; callers > 3 && float64(sent) > maxSent {
		t.Errorf("got %d commands for %d calls in %v, want %.0f at most", sent, f.asked.Load(), took, maxSent)
	}
	if billed > limit || billed < 0.97**fleetDay {
		t.Errorf("got %.2f neurons billed of %.0f, want 97 %% of %.0f at least", billed, limit, *fleetDay)
	}
	// None where the machine has time; a busy one, as in CI, makes the server late.
	failed := f.count("store_unavailable")
	if *distances && failed > f.asked.Load()/100 && trip <= 100*time.Millisecond {
		t.Errorf("got %d calls that were refused since the server was late, want 1 %% at most", failed)
	}
	a.until("all is counted", func() bool { return float64(*a.status().Used)/1e6 > billed-1e-6 })
	f.counted(a, billed, 0)
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

// waits is how long calls that came after began waited for neurons, by their traces, and how long they took, of those
// that ended before the end of the day was near: then calls wait for others in flight. The shortest come first.
func (f *fleet) waits(c *otlptest.Collector, began time.Time) (waits, calls []time.Duration) {
	f.t.Helper()
	for _, s := range c.Await(int(f.asked.Load()) + int(f.simulator.Calls())) {
		if s.Parent != "" || s.Start.Before(began) || s.End.After(f.slow.nearEnd) {
			continue
		}
		var waited float64
		for _, e := range s.Events {
			if e.Name == "neuronward.quota_wait" {
				waited, _ = e.Attrs["neuronward.waited"].(float64)
			}
		}
		waits = append(waits, time.Duration(waited*float64(time.Second)))
		calls = append(calls, s.End.Sub(s.Start))
	}
	slices.Sort(waits)
	slices.Sort(calls)
	return waits, calls
}

// percentile is how long a part of them was at most.
func percentile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(part*float64(len(sorted)-1))].Round(time.Millisecond / 10)
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
