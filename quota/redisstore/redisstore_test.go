package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"reflect"
	"strings"
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

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		account := rand.Text()
		return func(t *testing.T) quota.Store {
			return settled(t, open(t, shared.url(""), account, patient))
		}
	})
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

// The script does what quota.Memory does, report by report: both are given the same
// thousands, repeated, late and contradictory ones among them.
func TestAgreesWithMemory(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := mathrand.New(mathrand.NewPCG(seed, 1))
			s, memory := settled(t, open(t, shared.url(""), rand.Text(), patient)), quota.NewMemory(nil)
			replicas := []*replica{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
			var former []quota.Report
			for range 500 {
				who := replicas[rng.IntN(len(replicas))]
				r := who.report()
				if len(former) > 0 && rng.IntN(8) == 0 {
					who.seq--
					r = former[max(0, len(former)-1-rng.IntN(6))]
				} else {
					randomize(rng, &r)
					former = append(former, r)
				}
				want, wantErr := memory.Sync(t.Context(), r)
				got, err := s.Sync(t.Context(), r)
				if !errors.Is(err, wantErr) {
					t.Fatalf("%+v: got error %v, want %v", r, err, wantErr)
				}
				got.Time, want.Time = time.Time{}, time.Time{}
				if err == nil && !reflect.DeepEqual(got, want) {
					t.Fatalf("%+v\n got %+v\nwant %+v", r, got, want)
				}
			}
			got, err := s.History(t.Context(), 0, math.MaxInt32)
			want, _ := memory.History(t.Context(), 0, math.MaxInt32)
			if len(want) < 10 {
				t.Errorf("got %d records, want at least 10", len(want))
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("history: %v\n got %+v\nwant %+v", err, got, want)
			}
			for on := day; on < day+2; on++ {
				got, err := s.Hours(t.Context(), on)
				want, _ := memory.Hours(t.Context(), on)
				if want == (quota.Hours{}) {
					t.Errorf("%v: got no hours, want some", on)
				}
				if err != nil || got != want {
					t.Errorf("%v: %v\n got %v\nwant %v", on, err, got, want)
				}
			}
		})
	}
}

// randomize fills r with what a replica might report, and with what none would.
func randomize(rng *mathrand.Rand, r *quota.Report) {
	amount := func(limit int64) quota.Neurons { return quota.Neurons(rng.Int64N(limit)) }
	r.Day = day + quota.Day(rng.IntN(2))
	for _, budget := range []quota.Budget{quota.Account, quota.ClientBudget("x"), quota.ClientBudget("y z")} {
		if rng.IntN(4) == 0 {
			continue
		}
		c := quota.BudgetRequest{
			Budget: budget, Limit: 1_000_000_007 * n / 7,
			Spent: amount(3e13), Held: amount(1e13), Min: amount(1e12), Want: amount(9e13),
		}
		c.Reserved = amount(int64(c.Held) + 1)
		if rng.IntN(3) == 0 {
			c.Waiting = c.Want
		}
		if rng.IntN(10) == 0 {
			c.Limit = 0
		}
		r.Requests = append(r.Requests, c)
	}
	for _, model := range []string{"@cf/a", "@cf/b"} {
		if client := fmt.Sprint(rng.IntN(4)); rng.IntN(2) == 0 {
			r.Records = append(r.Records, quota.Record{
				Day: r.Day, Model: model, Client: client, Calls: rng.Int64N(1e6),
				Reported: amount(1e15), Priced: amount(1e15), Estimated: amount(1e15),
				Silent: rng.Int64N(1e6), Table: amount(1e15),
			})
		}
	}
	for hour := range 24 {
		if rng.IntN(12) == 0 {
			r.Hours = append(r.Hours, quota.HourSpent{Hour: hour, Spent: amount(2e14) - 1e14})
		}
	}
	at := time.Unix(rng.Int64N(2), rng.Int64N(1e9)).UTC()
	switch rng.IntN(10) {
	case 0:
		r.Block.Set = quota.Block{Set: true, At: at, Until: at.Add(time.Hour)}
	case 1:
		r.Block.Lift = true
	case 2:
		r.Leave = true
	}
}

// What reaches 2^53 is refused whole, wherever it appears; what is below comes back
// to the last digit.
func TestExactBelow2To53(t *testing.T) {
	s := settled(t, open(t, shared.url(""), rand.Text(), patient))
	a, b := replica{name: "a"}, replica{name: "b"}
	const largest = 1<<53 - 1
	ask := quota.BudgetRequest{Budget: quota.Account, Limit: largest, Spent: largest - 10, Min: 1, Want: 9}
	kept := quota.Balance{Limit: largest, Spent: largest - 10, Held: 9, Free: 1}
	wantReply(t, send(t, s, a.report(ask)), 9, kept)
	for name, r := range map[string]quota.Report{
		"a figure":       b.report(quota.BudgetRequest{Budget: quota.Account, Limit: largest, Held: largest + 1}),
		"a sum of spent": b.report(quota.BudgetRequest{Budget: quota.Account, Limit: largest, Spent: 11}),
		"a record":       {Day: day, Replica: "b", Seq: 9, Records: []quota.Record{{Model: "m", Calls: 1 << 60}}},
		"an hour":        {Day: day, Replica: "b", Seq: 9, Hours: []quota.HourSpent{{Spent: -1 << 53}}},
		"a number":       {Day: day, Replica: "b", Seq: 1 << 53},
	} {
		if reply, err := s.Sync(t.Context(), r); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %+v, %v, want %v", name, reply, err, ErrTooLarge)
		}
	}
	reply := send(t, s, b.report(quota.BudgetRequest{Budget: quota.Account, Limit: largest}))
	wantReply(t, reply, 0, kept) // nothing of what was refused
	if !reply.Joined {
		t.Error("after refused reports: got Joined false, want true")
	}
}

// No key shows the account, all are of one slot, and all expire.
func TestKeys(t *testing.T) {
	server := serverWith(t)
	account := "0123456789abcdef0123456789abcdef"
	s := open(t, server.url(""), account, patient)
	a := replica{name: "a"}
	for range 2 {
		r := a.report(request(1, 1, 1), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: n})
		r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 1, Silent: 1, Table: 1}}
		r.Hours = []quota.HourSpent{{Hour: 3, Spent: 1}}
		r.Block.Set = quota.Block{Set: true, Until: time.Now().Add(time.Hour)}
		send(t, s, r)
	}
	if _, err := s.Lease(t.Context(), "probe", time.Minute); err != nil {
		t.Fatal(err)
	}
	c := server.client(t)
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 12 {
		t.Errorf("got keys %q, %v, want 12", keys, err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, s.prefix) || strings.Contains(key, account) {
			t.Errorf("got key %q, want one that begins with %q, without the account", key, s.prefix)
		}
		minTTL, maxTTL := 7*24*time.Hour, 9*24*time.Hour
		switch {
		case strings.HasSuffix(key, ":history"), strings.HasSuffix(key, ":hours"), strings.HasSuffix(key, ":silent"):
			minTTL, maxTTL = 35*24*time.Hour, 37*24*time.Hour
		case strings.HasSuffix(key, ":epoch"), strings.HasSuffix(key, ":days"):
			minTTL, maxTTL = 38*24*time.Hour, 42*24*time.Hour
		case strings.HasSuffix(key, ":lease:probe"):
			minTTL, maxTTL = 50*time.Second, time.Minute
		}
		if ttl := c.PTTL(t.Context(), key).Val(); ttl < minTTL || ttl > maxTTL {
			t.Errorf("%s: got %v to live, want %v to %v", key, ttl, minTTL, maxTTL)
		}
	}
	other := open(t, server.url(""), "another account", patient)
	reply := send(t, other, a.report(request(0, 0, 0)))
	if !reply.Joined || reply.Replicas != 1 {
		t.Errorf("another account: got Joined %v, %d replicas; want true, 1", reply.Joined, reply.Replicas)
	}
	if reply.Block.Set {
		t.Errorf("another account: got block %+v, want none", reply.Block)
	}
}

// Replicas of two versions share a server during an update. The script of former
// versions fails on records of more than six figures, and then that replica has no
// store.
func TestRecordsOfAFormerVersion(t *testing.T) {
	server := serverWith(t)
	s := settled(t, open(t, server.url(""), rand.Text(), patient))
	c, history := server.client(t), s.prefix+day.String()+":history"
	for field, figures := range map[string]string{
		"m\x00four": "1 2 3 4", "m\x00six": "1 2 3 4 5 6", "m\x00later": "1 2 3 4 5 6 7 8 9",
	} {
		c.HSet(t.Context(), history, field, figures)
	}
	a := replica{name: "a"}
	r := a.report(request(1, 1, 1))
	for _, client := range []string{"", "four", "six", "later"} {
		r.Records = append(r.Records, quota.Record{
			Model: "m", Client: client, Calls: 10, Reported: 20, Priced: 30, Estimated: 40, Silent: 8, Table: 70,
			Calibration: quota.Calibration{Peak: 50, Usual: 60, Paid: 90},
		})
	}
	send(t, s, r)
	for field, figures := range c.HGetAll(t.Context(), history).Val() {
		if len(strings.Fields(figures)) != 6 {
			t.Errorf("%q: got figures %s, want six", field, figures)
		}
	}
	got, err := s.History(t.Context(), day, day)
	if err != nil || len(got) != 4 {
		t.Fatalf("history: got %+v, %v, want 4 records", got, err)
	}
	for _, rec := range got {
		want := r.Records[0]
		want.Day, want.Client = day, rec.Client
		if rec.Client != "" {
			want.Calls, want.Reported, want.Priced, want.Estimated = 11, 22, 33, 44
		}
		if rec != want {
			t.Errorf("record: got %+v, want %+v", rec, want)
		}
	}
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

// More budgets and records than one call of unpack in the server's scripts takes.
func TestMany(t *testing.T) {
	s := settled(t, open(t, shared.url(""), rand.Text(), patient))
	a := replica{name: "a"}
	r := a.report()
	for i := range 5000 {
		r.Requests = append(r.Requests, quota.BudgetRequest{
			Budget: quota.ClientBudget(fmt.Sprint(i)), Limit: n, Spent: quota.Neurons(i), Min: 1, Want: 1,
		})
		r.Records = append(r.Records, quota.Record{Day: day, Model: "m", Client: fmt.Sprint(i), Calls: int64(i)})
	}
	reply := send(t, s, r)
	if g := reply.Granted[4999]; g != 1 {
		t.Errorf("last budget: got %d micro-neurons granted, want 1", g)
	}
	if b := reply.Balances[4999]; b.Spent != 4999 || b.Held != 1 {
		t.Errorf("last budget: got %d micro-neurons spent, %d held; want 4999, 1", b.Spent, b.Held)
	}
	if h, err := s.History(t.Context(), day, day); err != nil || len(h) != 5000 {
		t.Errorf("got %d records, %v, want 5000", len(h), err)
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
