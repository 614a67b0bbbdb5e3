package main

import (
	"context"
	"flag"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// splits is how often a primary of Redis is cut off, and splitTime for how long:
//
//	go test -v ./cmd/neuronward -run TestReplicasInASplitBrain -splits 20 -split-time 10s
var (
	splits    = flag.Int("splits", 1, "how often a primary of Redis is cut off from all but one proxy")
	splitTime = flag.Duration("split-time", 0, "for how long; 0: until both sides have spent the day")
)

// A moving address passes connections on to the port that it has now, as a name in DNS does that is changed.
type moving struct {
	at   string
	port atomic.Value
	mu   sync.Mutex
	open []net.Conn
}

func newMoving(t *testing.T, port string) *moving {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{at: ln.Addr().String()}
	m.port.Store(port)
	t.Cleanup(func() {
		ln.Close()
		m.move(port)
	})
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(context.Background(), "tcp", "127.0.0.1:"+m.port.Load().(string))
			if err != nil {
				near.Close()
				continue
			}
			m.mu.Lock()
			m.open = append(m.open, near, far)
			m.mu.Unlock()
			go io.Copy(near, far)
			go io.Copy(far, near)
		}
	}()
	return m
}

// move ends all connections; new ones go to port.
func (m *moving) move(port string) {
	m.port.Store(port)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.open {
		c.Close()
	}
	m.open = nil
}

// A primary that is cut off from its replica and the Sentinels goes on for one proxy, and the replica, now the primary,
// for the other: each side can spend what was left, and no more. Once the two are one again all is counted.
func TestReplicasInASplitBrain(t *testing.T) {
	t.Parallel()
	const limit = 4000
	for range *splits {
		t.Run("cut off", func(t *testing.T) {
			w := watchRedis(t)
			var nodes [2]*redis.Conn
			for i, port := range w.ports {
				c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Password: redisWord})
				defer c.Close()
				nodes[i] = c.Conn()
				defer nodes[i].Close()
			}
			do := func(node *redis.Conn, words string) {
				t.Helper()
				var args []any
				for word := range strings.FieldsSeq(words) {
					args = append(args, word)
				}
				if err := node.Do(t.Context(), args...).Err(); err != nil {
					t.Fatalf("%s: got error %v, want none", words, err)
				}
			}
			for _, node := range nodes {
				do(node, "ACL SETUSER proxy on >"+redisWord+" ~neuronward:* &neuronward:* +@all")
			}
			name := newMoving(t, w.ports[0])
			f := newFleet(t, &redisServer{}, w.store(), "NEURONWARD_STORE_PASSWORD="+redisWord,
				"NEURONWARD_QUOTA_WAIT=2s", "NEURONWARD_DAILY_NEURONS=4000")
			watches := f.join()
			f.environ = append(f.environ, "NEURONWARD_STORE=redis://proxy@"+name.at+"/0")
			isolated := f.join()
			f.load(8)
			f.until(limit / 4)

			cut := f.billed() // before either side can spend what the other one has spent
			began := time.Now()
			// Only the user of the one proxy is still let in.
			do(nodes[0], "ACL SETUSER default resetpass >another-word")
			do(nodes[0], "CLIENT KILL TYPE replica")
			do(nodes[0], "CLIENT KILL USER default SKIPME yes")
			w.until("the replica is the primary", w.failedOver)
			if *splitTime > 0 {
				time.Sleep(time.Until(began.Add(*splitTime)))
			} else {
				f.wait()
			}
			apart, split := f.billed(), time.Since(began)

			do(nodes[0], "ACL SETUSER default resetpass >"+redisWord)
			do(nodes[0], "REPLICAOF 127.0.0.1 "+w.ports[1])
			name.move(w.ports[1])
			f.wait()
			billed := f.billed()
			t.Logf("%.2f of %d were billed at the cut, %.2f after %v apart, %.2f at the end: %.2f too many; "+
				"longest call %v; %s", cut, limit, apart, split.Round(time.Millisecond), billed, billed-limit,
				f.longest().Round(time.Millisecond), f.summary())
			if bound := limit + limit - cut; billed > bound {
				t.Errorf("got %.2f neurons billed, want %.2f at most: what was left at the cut, twice", billed, bound)
			}
			for _, p := range []*process{watches, isolated} {
				p.until("all is counted", func() bool {
					s := p.status()
					used := float64(*s.Used) / 1e6
					return s.Store.Healthy && s.InFlight == 0 && used > billed-1e-6
				})
				f.counted(p, billed, limit/100)
			}
		})
	}
}
