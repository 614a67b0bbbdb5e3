package redisstore

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/storetest"
)

const (
	n   = quota.OneNeuron
	day = quota.Day(20_000)
)

// patient is for tests that load the machine so much that 50 ms are not enough.
var patient = Options{Timeout: 30 * time.Second}

// wantReply checks the grant and the balance of the first budget of a reply.
func wantReply(t *testing.T, r quota.Reply, granted quota.Neurons, want quota.Balance) {
	t.Helper()
	if r.Granted[0] != granted {
		t.Errorf("got %v granted, want %v", r.Granted[0], granted)
	}
	if r.Balances[0] != want {
		t.Errorf("balance:\n got %+v\nwant %+v", r.Balances[0], want)
	}
}

// All of it as a user with the permissions that the error of one with less names.
func TestConformance(t *testing.T) {
	for _, binary := range binaries {
		t.Run(binary, func(t *testing.T) {
			server := serverOf(t, binary)
			setAdvisedUser(t, server)
			storetest.Run(t, func(t *testing.T) storetest.Place {
				account := rand.Text()
				return func(t *testing.T) quota.Store {
					return settled(t, open(t, server.url(advisedUser), account, patient))
				}
			})
		})
	}
}

// A replica makes reports with rising numbers.
type replica struct {
	name quota.Replica
	seq  uint64
}

func (r *replica) report(requests ...quota.BudgetRequest) quota.Report {
	r.seq++
	return quota.Report{Day: day, Replica: r.name, Seq: r.seq, Requests: requests}
}

// request is one to the account's budget of 100 neurons.
func request(spent, held, want quota.Neurons) quota.BudgetRequest {
	return quota.BudgetRequest{
		Budget: quota.Account, Limit: 100 * n, Spent: spent, Held: held, Min: min(want, 1), Want: want,
	}
}

// send sends a report and returns the reply.
func send(t testing.TB, s *Store, r quota.Report) quota.Reply {
	t.Helper()
	reply, err := s.Sync(t.Context(), r)
	if err != nil {
		t.Fatalf("report %d of %s: got error %v, want none", r.Seq, r.Replica, err)
	}
	return reply
}

// A block that is set without a time has the server's.
func TestBlockedNow(t *testing.T) {
	s := open(t, shared.url(""), rand.Text(), patient)
	a := replica{name: "a"}
	r := a.report()
	r.Block.Set = quota.Block{Set: true}
	reply := send(t, s, r)
	if b := reply.Block; !b.Set || !b.Until.IsZero() {
		t.Errorf("got block %+v, want one without an end", b)
	}
	if at := reply.Block.At; at.IsZero() || reply.Time.Sub(at).Abs() > time.Second {
		t.Errorf("got a block at %v, want the server's time, %v", at, reply.Time)
	}
	if time.Since(reply.Time).Abs() > time.Minute {
		t.Errorf("got the time %v, want the server's", reply.Time)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, shared.url(""), rand.Text(), patient)
	events, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-events; ok {
		t.Error("watch: got an event, want the channel closed")
	}
	a := replica{name: "a"}
	_, syncErr := s.Sync(t.Context(), a.report())
	_, historyErr := s.History(t.Context(), day, day)
	_, hoursErr := s.Hours(t.Context(), day)
	_, leaseErr := s.Lease(t.Context(), "x", time.Hour)
	_, watchErr := s.Watch(t.Context())
	for name, err := range map[string]error{
		"Sync": syncErr, "History": historyErr, "Hours": hoursErr, "Lease": leaseErr, "Watch": watchErr,
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrClosed)
		}
	}
}

// What a replica holds is lost while it does not report, until it reports again.
func TestDeadReplica(t *testing.T) {
	s := settled(t, open(t, shared.url(""), rand.Text(), patient))
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(10*n, 20*n, 0)))
	send(t, s, b.report(request(5*n, 15*n, 0)))
	long := time.Now().Add(-quota.ReplicaTimeout - time.Second).UnixMilli()
	seen := redis.Z{Score: float64(long), Member: "b"}
	if err := s.client.Load().ZAdd(t.Context(), s.keys(day)[4], seen).Err(); err != nil {
		t.Fatal(err)
	}
	reply := send(t, s, a.report(request(10*n, 20*n, 100*n)))
	wantReply(t, reply, 50*n, quota.Balance{Limit: 100 * n, Spent: 15 * n, Held: 70 * n, Lost: 15 * n})
	if reply.Replicas != 1 {
		t.Errorf("b is dead: got %d replicas, want 1", reply.Replicas)
	}
	reply = send(t, s, b.report(request(6*n, 14*n, 100*n)))
	wantReply(t, reply, 0, quota.Balance{Limit: 100 * n, Spent: 16 * n, Held: 84 * n})
	if reply.Replicas != 2 || reply.Joined {
		t.Errorf("b reports again: got %d replicas, Joined %v; want 2, false", reply.Replicas, reply.Joined)
	}
}
