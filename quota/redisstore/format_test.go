package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	random "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

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
		r.Records[0].Prompt = 1100
		r.Hours = []quota.HourSpent{{Hour: 3, Spent: 1}}
		r.Block.Set = quota.Block{Set: true, Until: time.Now().Add(time.Hour)}
		send(t, s, r)
	}
	if _, err := s.Lease(t.Context(), "probe", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prices(t.Context(), day, quota.DayPrice{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	c := server.client(t)
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 14 {
		t.Errorf("got keys %q, %v, want 14", keys, err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, s.prefix) || strings.Contains(key, account) {
			t.Errorf("got key %q, want one that begins with %q, without the account", key, s.prefix)
		}
		minTTL, maxTTL := 7*24*time.Hour, 9*24*time.Hour
		switch {
		case strings.HasSuffix(key, ":history"), strings.HasSuffix(key, ":silent"),
			strings.HasSuffix(key, ":learned"),
			strings.HasSuffix(key, ":sums"), strings.HasSuffix(key, ":external"):
			minTTL, maxTTL = 62*24*time.Hour, 64*24*time.Hour
		case strings.HasSuffix(key, ":epoch"), strings.HasSuffix(key, ":days"), strings.HasSuffix(key, ":prices"):
			minTTL, maxTTL = 65*24*time.Hour, 69*24*time.Hour
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
			Calibration: quota.Calibration{
				Peak: 50, Paid: 90, Prompt: 1100, Output: 2200,
				ByDefault: 300, Undocumented: 4000, UndocumentedCalls: 20,
			},
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

// A former version kept the sums of a day for a week, and its records for longer.
func TestCommittedOfDaysWhoseSumsHaveExpired(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := settled(t, open(t, server.url(""), rand.Text(), patient))
	a := replica{name: "a"}
	r := a.report(request(30*n, 5*n, 0))
	r.Records = []quota.Record{
		{Model: "m", Client: "x", Calls: 1, Reported: 10 * n, Priced: 5 * n}, {Model: "m", Estimated: 15 * n},
	}
	send(t, s, r)
	wantCommitted := func(what string, want map[quota.Budget]quota.Neurons) {
		t.Helper()
		got, err := s.Committed(t.Context(), r.Day, r.Day)
		if err != nil || !maps.Equal(got.Sum(), want) {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	wantCommitted("by the sums", map[quota.Budget]quota.Neurons{quota.Account: 35 * n})
	server.do(t, "DEL", s.prefix+r.Day.String()+":sums")
	wantCommitted("by the records", map[quota.Budget]quota.Neurons{
		quota.Account: 30 * n, quota.ClientBudget("x"): 15 * n,
	})
}

// Replicas of this version and of the former one, whose script is in testdata, count the same on one server. Another
// account beside them counts its own.
func TestTwoVersionsAndTwoAccounts(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	script, err := os.ReadFile("testdata/former.lua")
	if err != nil {
		t.Fatal(err)
	}
	const formerHead = 8 // values before those of the requests
	s, other := settled(t, open(t, server.url(""), "x", patient)), settled(t, open(t, server.url(""), "y", patient))
	former := redis.NewScript("-- " + s.prefix + "\n" + string(script))
	if err := former.Load(t.Context(), server.client(t)).Err(); err != nil {
		t.Fatal(err)
	}
	a, b, c := replica{name: "a"}, replica{name: "b"}, replica{name: "c"}
	var answered uint64
	asFormer := func(r quota.Report) (granted, sum quota.Neurons) {
		t.Helper()
		args, ok := s.arguments(r, 0, answered, false)
		if !ok {
			t.Fatal("got figures that are too large")
		}
		answer, err := s.ask(t.Context(), former, s.keys(r.Day), args...)
		if err != nil || len(answer) < formerHead+1 || answer[0] != "kept" {
			t.Fatalf("the former version: got %q, %v, want an answer", answer, err)
		}
		n, err := figures(answer[formerHead], 8)
		if err != nil {
			t.Fatal(err)
		}
		answered = r.Seq
		return n[0], n[2]
	}
	rnd := random.New(random.NewPCG(1, 2))
	var spentA, spentB, spentC quota.Neurons
	for i := range 300 {
		switch rnd.IntN(3) {
		case 0:
			spentA += send(t, s, a.report(request(spentA, 0, n/4))).Granted[0]
		case 1:
			granted, _ := asFormer(b.report(request(spentB, 0, n/4)))
			spentB += granted
		case 2:
			spentC += send(t, other, c.report(request(spentC, 0, n/4))).Granted[0]
		}
		if i%10 != 9 {
			continue
		}
		_, byFormer := asFormer(b.report(request(spentB, 0, 0)))
		bySent := send(t, s, a.report(request(spentA, 0, 0))).Balances[0].Spent
		_, again := asFormer(b.report(request(spentB, 0, 0)))
		if want := spentA + spentB; bySent != want || again != want || byFormer > want {
			t.Fatalf("after step %d: got %v spent by this version, %v by the former one; want %v",
				i, bySent, again, want)
		}
		if got := send(t, other, c.report(request(spentC, 0, 0))).Balances[0].Spent; got != spentC {
			t.Fatalf("after step %d: got %v spent of the other account, want %v", i, got, spentC)
		}
	}
	if spentA == 0 || spentB == 0 || spentC == 0 {
		t.Errorf("granted: got %v, %v and %v, want something to each", spentA, spentB, spentC)
	}
}
