package redisstore

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/storetest"
)

// A cluster is three primaries and a replica of each.
type cluster struct {
	nodes [6]*server
	ports [6]string
}

const slots = 16384

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	for i := range c.nodes {
		c.nodes[i], c.ports[i] = serverOnPort(t, "--port", "--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
			"--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no")
	}
	for i := range 3 {
		c.nodes[i].do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/3, (i+1)*slots/3-1)
		c.nodes[i].do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, port := range c.ports[1:] {
		c.nodes[0].do(t, "CLUSTER", "MEET", "127.0.0.1", port)
	}
	for _, s := range c.nodes {
		eventually(t, "each node knows all", func() bool {
			nodes, _ := s.do(t, "CLUSTER", "NODES").(string)
			return strings.Count(nodes, "connected") == 6 && !strings.Contains(nodes, "handshake")
		})
	}
	for i, s := range c.nodes[3:] {
		s.do(t, "CLUSTER", "REPLICATE", c.nodes[i].do(t, "CLUSTER", "MYID"))
		eventually(t, "the replica follows", func() bool {
			info, _ := s.do(t, "INFO", "replication").(string)
			return strings.Contains(info, "master_link_status:up")
		})
	}
	for _, s := range c.nodes {
		eventually(t, "the cluster is up", func() bool {
			info, _ := s.do(t, "CLUSTER", "INFO").(string)
			return strings.Contains(info, "cluster_state:ok")
		})
	}
	return c
}

func (c *cluster) url() string {
	return "redis+cluster://127.0.0.1:" + strings.Join(c.ports[:2], ",127.0.0.1:")
}

// slotOf returns the slot of the account of s, and the primary that has it.
func (c *cluster) slotOf(t *testing.T, s *Store) (slot, node int) {
	t.Helper()
	found, _ := c.nodes[0].do(t, "CLUSTER", "KEYSLOT", s.prefix).(int64)
	return int(found), int(found) * 3 / slots
}

// slotsAsked is how often clients have asked the nodes, but for one, which of them has what.
func (c *cluster) slotsAsked(t *testing.T, without int) (n int) {
	t.Helper()
	for i, s := range c.nodes {
		if i == without {
			continue
		}
		stats, _ := s.do(t, "INFO", "commandstats").(string)
		if _, calls, ok := strings.Cut(stats, "cmdstat_cluster|slots:calls="); ok {
			calls, _, _ = strings.Cut(calls, ",")
			one, err := strconv.Atoi(calls)
			if err != nil {
				t.Fatal(err)
			}
			n += one
		}
	}
	return n
}

func TestClusterConformance(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	storetest.Run(t, func(t *testing.T) storetest.Place {
		account := rand.Text()
		return func(t *testing.T) quota.Store { return settled(t, open(t, c.url(), account, patient)) }
	})
}

// The primary of the account's slot is killed, then the slot moves to another one.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	l := newPair(t, c.url())
	if w, err := l.storeA.Inspect(t.Context()); err != nil || len(w) > 0 {
		t.Errorf("Inspect: got %q, %v, want no warning", w, err)
	}
	slot, node := c.slotOf(t, l.storeA)
	asked := c.slotsAsked(t, node)
	c.nodes[node].kill()
	_, _ = l.storeA.Sync(t.Context(), l.a.report(request(10*n, 20*n, 0))) // it fails, and asks
	eventually(t, "the cluster is asked anew who has the slot", func() bool { return c.slotsAsked(t, node) > asked })
	l.recover(t, c.url())

	from, to := c.nodes[node+3], c.nodes[(node+1)%3]
	l.move(t, slot, from, to, c.ports[(node+1)%3])
	l.reportA(t)
	if b := l.reportB(t).Balances[0]; b.Spent != 15*n || b.Held+b.Lost != 85*n {
		t.Errorf("after the slot moved: got %v spent, %v held or lost; want %v, %v", b.Spent, b.Held+b.Lost, 15*n, 85*n)
	}
}

// move moves a slot with its keys while a and b report.
func (l *pair) move(t *testing.T, slot int, from, to *server, port string) {
	t.Helper()
	source, target := from.do(t, "CLUSTER", "MYID"), to.do(t, "CLUSTER", "MYID")
	to.do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", source)
	from.do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", target)
	client := from.client(t)
	for {
		keys := client.ClusterGetKeysInSlot(t.Context(), slot, 2).Val()
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", "127.0.0.1", port, "", 0, 5000, "KEYS"}
		for _, key := range keys {
			args = append(args, key)
		}
		from.do(t, args...)
		// A script whose keys are in two places fails until all have moved.
		_, err := l.storeA.Sync(t.Context(), l.a.report(request(10*n, 20*n, 0)))
		if errors.Is(err, ErrUnusable) {
			t.Errorf("while slot %d moves: got %v, want none, or one that may pass", slot, err)
		}
	}
	for _, s := range []*server{to, from} {
		s.do(t, "CLUSTER", "SETSLOT", slot, "NODE", target)
	}
}

// An address of another form than the server's says what to write.
func TestOtherForms(t *testing.T) {
	t.Parallel()
	_, alone := serverOnPort(t, "--port")
	for address, want := range map[string]string{
		"redis+cluster://127.0.0.1:" + alone:                   "it is no node of a cluster",
		"redis+sentinel://127.0.0.1:" + alone + "/mymaster":    "it is no Sentinel",
		"redis+sentinel://127.0.0.1:" + sentinelPort(t) + "/x": "knows no primary of that name",
	} {
		s, a := open(t, address, rand.Text(), patient), replica{name: "a"}
		if _, err := s.Inspect(t.Context()); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Inspect: got %v, want ErrUnusable with %q", address, err, want)
		}
		if _, err := s.Sync(t.Context(), a.report()); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: Sync: got %v, want ErrUnusable", address, err)
		}
	}
}

func sentinelPort(t *testing.T) string {
	t.Helper()
	_, port := serverOnPort(t, "--port", "--sentinel")
	return port
}

// A password that is replaced is used by connections that are made then; those that stand go on.
func TestPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	server := serverWith(t, "--requirepass", "first")
	current := "first"
	s := open(t, server.url(":never@"), rand.Text(), Options{
		Timeout: patient.Timeout, Password: func() string { return current },
	})
	a := replica{name: "a"}
	send(t, s, a.report(request(0, 0, 0)))
	admin := server.clientWith(t, "first")
	for i := range 5 {
		current = "password" + strconv.Itoa(i)
		if err := admin.ConfigSet(t.Context(), "requirepass", current).Err(); err != nil {
			t.Fatal(err)
		}
		send(t, s, a.report(request(0, 0, 0)))
		if err := admin.ClientKillByFilter(t.Context(), "TYPE", "normal").Err(); err != nil {
			t.Fatal(err)
		}
		send(t, s, a.report(request(0, 0, 0)))
	}
	current = "wrong"
	s.reconnect(s.client.Load())
	if _, err := s.Sync(t.Context(), a.report()); !errors.Is(err, ErrUnusable) {
		t.Errorf("a wrong password: got %v, want ErrUnusable", err)
	}
}
