package main

import (
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// moves is how often the account's slot moves and its primary fails:
//
//	go test -v ./cmd/neuronward -run TestReplicasOnACluster -moves 20
var moves = flag.Int("moves", 1, "how often a slot of a Redis cluster moves and its primary fails")

const clusterSlots = 16384

// A clusterServer is three primaries and a replica of each, on ports of loopback.
type clusterServer struct {
	t       *testing.T
	nodes   [6]*exec.Cmd
	ports   [6]string
	clients [6]*redis.Client
}

func startCluster(t *testing.T) *clusterServer {
	t.Helper()
	c := &clusterServer{t: t}
	for i := range c.nodes {
		c.nodes[i], c.ports[i] = onPort(t, func(dir, port string) []string {
			return []string{
				"--port", port, "--dir", dir, "--save", "", "--cluster-enabled", "yes",
				"--cluster-node-timeout", "5000", "--cluster-replica-validity-factor", "0",
				"--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0",
			}
		})
		c.clients[i] = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + c.ports[i], MaxRetries: -1})
		t.Cleanup(func() { c.clients[i].Close() })
	}
	for i := range 3 {
		c.do(i, "CLUSTER", "ADDSLOTSRANGE", i*clusterSlots/3, (i+1)*clusterSlots/3-1)
		c.do(i, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for i := range c.nodes {
		for _, port := range c.ports[:i] {
			c.do(i, "CLUSTER", "MEET", "127.0.0.1", port)
		}
	}
	for i := range c.nodes {
		c.until("each node knows all", func() bool {
			nodes := fmt.Sprint(c.do(i, "CLUSTER", "NODES"))
			return strings.Count(nodes, "connected") == 6 && !strings.Contains(nodes, "handshake")
		})
	}
	for i := range 3 {
		c.do(i+3, "CLUSTER", "REPLICATE", c.do(i, "CLUSTER", "MYID"))
	}
	for i := range 3 {
		c.until("the replica follows", func() bool {
			return strings.Contains(fmt.Sprint(c.do(i+3, "INFO", "replication")), "master_link_status:up")
		})
	}
	for i := range c.nodes {
		c.until("the cluster is up", func() bool {
			return strings.Contains(fmt.Sprint(c.do(i, "CLUSTER", "INFO")), "cluster_state:ok")
		})
	}
	return c
}

// do runs a command at one node.
func (c *clusterServer) do(node int, args ...any) any {
	c.t.Helper()
	v, err := c.clients[node].Do(c.t.Context(), args...).Result()
	if err != nil {
		c.t.Fatalf("%v at node %d: got error %v, want none", args, node, err)
	}
	return v
}

func (c *clusterServer) until(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !is(); pause() {
		if time.Now().After(end) {
			c.t.Fatalf("after 5 minutes: got no end of the wait until %s", what)
		}
	}
}

// account returns the slot of the only account, and the primary that has it.
func (c *clusterServer) account() (slot, node int) {
	c.t.Helper()
	for node := range 3 {
		if keys := c.clients[node].Keys(c.t.Context(), "*").Val(); len(keys) > 0 {
			return int(c.do(node, "CLUSTER", "KEYSLOT", keys[0]).(int64)), node
		}
	}
	c.t.Fatal("got no key on any primary, want those of the account")
	return 0, 0
}

// move moves a slot with its keys from one primary to another, and waits until all nodes know it.
func (c *clusterServer) move(slot, from, to int) {
	c.t.Helper()
	source, target := c.do(from, "CLUSTER", "MYID"), c.do(to, "CLUSTER", "MYID")
	c.do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source)
	c.do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", target)
	for {
		keys := c.clients[from].ClusterGetKeysInSlot(c.t.Context(), slot, 2).Val()
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", "127.0.0.1", c.ports[to], "", 0, 5000, "KEYS"}
		for _, key := range keys {
			args = append(args, key)
		}
		c.do(from, args...)
		pause() // calls are made while the keys are in two places
	}
	c.do(to, "CLUSTER", "SETSLOT", slot, "NODE", target)
	c.do(from, "CLUSTER", "SETSLOT", slot, "NODE", target)
	for i := range c.nodes {
		c.until("all nodes know who has the slot", func() bool { return c.has(i, slot, to) })
	}
}

// has reports whether a node takes another one for the primary of a slot.
func (c *clusterServer) has(node, slot, primary int) bool {
	for _, shard := range c.clients[node].ClusterShards(c.t.Context()).Val() {
		if !slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool {
			return r.Start <= int64(slot) && int64(slot) <= r.End
		}) {
			continue
		}
		for _, n := range shard.Nodes {
			if n.Role == "master" && strconv.FormatInt(n.Port, 10) == c.ports[primary] {
				return true
			}
		}
	}
	return false
}

// The slot of an account moves to another primary of a cluster under load, and that primary is killed. Proxies go on by
// themselves, and count what was billed.
func TestReplicasOnACluster(t *testing.T) {
	t.Parallel()
	for range *moves {
		t.Run("moved and killed", func(t *testing.T) {
			c := startCluster(t)
			f := newFleet(t, &redisServer{}, "NEURONWARD_DAILY_NEURONS=100000",
				"NEURONWARD_STORE=redis+cluster://127.0.0.1:"+c.ports[0]+",127.0.0.1:"+c.ports[1])
			f.takes = 50 * time.Millisecond
			a, b := f.join(), f.join()
			f.load(4)
			f.until(100)
			slot, from := c.account()
			to := (from + 1) % 3
			c.move(slot, from, to)
			f.until(f.billed() + 100)
			moved := f.longest()
			if err := c.nodes[to].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			c.until("the replica is the primary", func() bool { return c.has(from, slot, to+3) })
			for _, p := range []*process{a, b} {
				p.until("it continues", func() bool {
					status, _ := p.get(p.admin + "/readyz")
					return status == http.StatusOK && p.status().Store.Healthy
				})
			}
			f.until(f.billed() + 200)
			f.end()
			f.wait()
			billed := f.billed()
			if made, answered := f.simulator.Calls(), f.count(""); made != answered {
				t.Errorf("got %d calls answered, want the %d that Workers AI did", answered, made)
			}
			for _, p := range []*process{a, b} {
				p.until("all is counted", func() bool {
					s := p.status()
					return s.Store.Healthy && s.InFlight == 0 &&
						fmt.Sprintf("%.2f", float64(*s.Used)/1e6) == fmt.Sprintf("%.2f", billed)
				})
				f.counted(p, billed, 0)
			}
			t.Logf("billed and counted %.2f; longest call %v while the slot moved, %v when its primary was killed; %s",
				billed, moved, f.longest(), f.summary())
		})
	}
}
