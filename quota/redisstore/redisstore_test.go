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

// patient is for tests that put more on the machine at once than 50 ms are
// enough for.
var patient = Options{Timeout: 30 * time.Second}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place {
		account := rand.Text()
		return func(t *testing.T) quota.Store {
			return old(t, open(t, shared.url(""), account, patient))
		}
	})
}

// A holder makes reports with rising numbers.
type holder struct {
	name quota.Replica
	seq  uint64
}

func (h *holder) report(claims ...quota.BudgetRequest) quota.Report {
	h.seq++
	return quota.Report{Day: day, Replica: h.name, Seq: h.seq, Requests: claims}
}

// of is a claim on the account's pot of 100 neurons.
func of(spent, held, want quota.Neurons) quota.BudgetRequest {
	return quota.BudgetRequest{Budget: quota.Account, Limit: 100 * n, Spent: spent, Held: held, Min: min(want, 1), Want: want}
}

func exchange(t testing.TB, s *Store, r quota.Report) quota.Reply {
	t.Helper()
	state, err := s.Sync(t.Context(), r)
	if err != nil {
		t.Fatalf("report %d of %s: %v", r.Seq, r.Replica, err)
	}
	return state
}

// The script does what Books do, report by report: both are given the same
// thousands, repeated, late and contradictory ones among them.
func TestAgreesWithBooks(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := mathrand.New(mathrand.NewPCG(seed, 1))
			s, books := old(t, open(t, shared.url(""), rand.Text(), patient)), quota.NewMemory(nil)
			holders := []*holder{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
			var former []quota.Report
			for range 500 {
				h := holders[rng.IntN(len(holders))]
				r := h.report()
				if len(former) > 0 && rng.IntN(8) == 0 {
					h.seq--
					r = former[max(0, len(former)-1-rng.IntN(6))]
				} else {
					randomize(rng, &r)
					former = append(former, r)
				}
				want, wantErr := books.Sync(t.Context(), r)
				got, err := s.Sync(t.Context(), r)
				if !errors.Is(err, wantErr) {
					t.Fatalf("%+v: %v, want %v", r, err, wantErr)
				}
				got.Time, want.Time = time.Time{}, time.Time{}
				if err == nil && !reflect.DeepEqual(got, want) {
					t.Fatalf("%+v\n got %+v\nwant %+v", r, got, want)
				}
			}
			got, err := s.History(t.Context(), 0, math.MaxInt32)
			want, _ := books.History(t.Context(), 0, math.MaxInt32)
			if err != nil || len(want) < 10 || !reflect.DeepEqual(got, want) {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
			}
			for on := day; on < day+2; on++ {
				got, err := s.Hours(t.Context(), on)
				if want, _ := books.Hours(t.Context(), on); err != nil || want == (quota.Hours{}) || got != want {
					t.Errorf("%v\n got %v\nwant %v", err, got, want)
				}
			}
		})
	}
}

// randomize fills r with what a holder might say, and with what none would.
func randomize(rng *mathrand.Rand, r *quota.Report) {
	amount := func(most int64) quota.Neurons { return quota.Neurons(rng.Int64N(most)) }
	r.Day = day + quota.Day(rng.IntN(2))
	for _, p := range []quota.Budget{quota.Account, quota.ClientBudget("x"), quota.ClientBudget("y z")} {
		if rng.IntN(4) == 0 {
			continue
		}
		c := quota.BudgetRequest{Budget: p, Limit: 1_000_000_007 * n / 7, Spent: amount(3e13), Held: amount(1e13), Min: amount(1e12), Want: amount(9e13)}
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
				Day: r.Day, Model: model, Client: client, Calls: rng.Int64N(1e6), Reported: amount(1e15), Priced: amount(1e15), Estimated: amount(1e15),
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

// What reaches 2^53 is refused whole, wherever it comes up; what is below comes
// back to the last digit.
func TestExactBelow2To53(t *testing.T) {
	s := old(t, open(t, shared.url(""), rand.Text(), patient))
	a, b := holder{name: "a"}, holder{name: "b"}
	const most = 1<<53 - 1
	st := exchange(t, s, a.report(quota.BudgetRequest{Budget: quota.Account, Limit: most, Spent: most - 10, Min: 1, Want: 9}))
	if want := (quota.Balance{Limit: most, Spent: most - 10, Held: 9, Free: 1}); st.Granted[0] != 9 || st.Balances[0] != want {
		t.Errorf("%+v", st)
	}
	for name, r := range map[string]quota.Report{
		"a figure":       b.report(quota.BudgetRequest{Budget: quota.Account, Limit: most, Held: most + 1}),
		"a sum of spent": b.report(quota.BudgetRequest{Budget: quota.Account, Limit: most, Spent: 11}),
		"a record":       {Day: day, Replica: "b", Seq: 9, Records: []quota.Record{{Model: "m", Calls: 1 << 60}}},
		"an hour":        {Day: day, Replica: "b", Seq: 9, Hours: []quota.HourSpent{{Spent: -1 << 53}}},
		"a number":       {Day: day, Replica: "b", Seq: 1 << 53},
	} {
		if st, err := s.Sync(t.Context(), r); !errors.Is(err, ErrBeyond) {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
	st = exchange(t, s, b.report(quota.BudgetRequest{Budget: quota.Account, Limit: most}))
	if want := (quota.Balance{Limit: most, Spent: most - 10, Held: 9, Free: 1}); st.Balances[0] != want || !st.Joined {
		t.Errorf("what was refused left something: %+v", st)
	}
}

// No key tells whose it is, all are of one slot, and all end.
func TestKeys(t *testing.T) {
	server := serverWith(t)
	account := "0123456789abcdef0123456789abcdef"
	s := open(t, server.url(""), account, patient)
	a := holder{name: "a"}
	for range 2 {
		r := a.report(of(1, 1, 1), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: n})
		r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 1, Silent: 1, Table: 1}}
		r.Hours = []quota.HourSpent{{Hour: 3, Spent: 1}}
		r.Block.Set = quota.Block{Set: true, Until: time.Now().Add(time.Hour)}
		exchange(t, s, r)
	}
	if _, err := s.Lease(t.Context(), "probe", time.Minute); err != nil {
		t.Fatal(err)
	}
	c := server.client(t)
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 12 {
		t.Errorf("%q, %v: want 12 keys", keys, err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, s.prefix) || strings.Contains(key, account) {
			t.Errorf("the key %q", key)
		}
		least, most := 7*24*time.Hour, 9*24*time.Hour
		switch {
		case strings.HasSuffix(key, ":history"), strings.HasSuffix(key, ":hours"), strings.HasSuffix(key, ":silent"):
			least, most = 35*24*time.Hour, 37*24*time.Hour
		case strings.HasSuffix(key, ":epoch"), strings.HasSuffix(key, ":days"):
			least, most = 38*24*time.Hour, 42*24*time.Hour
		case strings.HasSuffix(key, ":lease:probe"):
			least, most = 50*time.Second, time.Minute
		}
		if ttl := c.PTTL(t.Context(), key).Val(); ttl < least || ttl > most {
			t.Errorf("%s ends in %v", key, ttl)
		}
	}
	other := open(t, server.url(""), "another account", patient)
	if st := exchange(t, other, a.report(of(0, 0, 0))); !st.Joined || st.Replicas != 1 || st.Block.Set {
		t.Errorf("another account: %+v", st)
	}
}

// Replicas of two versions share a server while one takes the other's place. The
// former one's script fails on records of more than six figures, and then that
// replica has no store.
func TestRecordsOfAFormerVersion(t *testing.T) {
	server := serverWith(t)
	s := old(t, open(t, server.url(""), rand.Text(), patient))
	c, history := server.client(t), s.prefix+day.String()+":history"
	for field, figures := range map[string]string{"m\x00four": "1 2 3 4", "m\x00six": "1 2 3 4 5 6", "m\x00later": "1 2 3 4 5 6 7 8 9"} {
		c.HSet(t.Context(), history, field, figures)
	}
	a := holder{name: "a"}
	r := a.report(of(1, 1, 1))
	for _, client := range []string{"", "four", "six", "later"} {
		r.Records = append(r.Records, quota.Record{
			Model: "m", Client: client, Calls: 10, Reported: 20, Priced: 30, Estimated: 40, Silent: 8, Table: 70, Calibration: quota.Calibration{Peak: 50, Usual: 60, Paid: 90},
		})
	}
	exchange(t, s, r)
	for field, figures := range c.HGetAll(t.Context(), history).Val() {
		if len(strings.Fields(figures)) != 6 {
			t.Errorf("%q has %s", field, figures)
		}
	}
	got, err := s.History(t.Context(), day, day)
	if err != nil || len(got) != 4 {
		t.Fatal(got, err)
	}
	for _, rec := range got {
		want := r.Records[0]
		want.Day, want.Client = day, rec.Client
		if rec.Client != "" {
			want.Calls, want.Reported, want.Priced, want.Estimated = 11, 22, 33, 44
		}
		if rec != want {
			t.Errorf("%+v, want %+v", rec, want)
		}
	}
}

// A latch that is set without a time is set at the server's.
func TestLatchedNow(t *testing.T) {
	s := open(t, shared.url(""), rand.Text(), patient)
	a := holder{name: "a"}
	r := a.report()
	r.Block.Set = quota.Block{Set: true}
	st := exchange(t, s, r)
	if !st.Block.Set || st.Block.At.IsZero() || !st.Block.Until.IsZero() || st.Time.Sub(st.Block.At).Abs() > time.Second || time.Since(st.Time).Abs() > time.Minute {
		t.Errorf("%+v", st)
	}
}

// As many pots and records as no array of the server's scripts has room for.
func TestMany(t *testing.T) {
	s := old(t, open(t, shared.url(""), rand.Text(), patient))
	a := holder{name: "a"}
	r := a.report()
	for i := range 5000 {
		r.Requests = append(r.Requests, quota.BudgetRequest{Budget: quota.ClientBudget(fmt.Sprint(i)), Limit: n, Spent: quota.Neurons(i), Min: 1, Want: 1})
		r.Records = append(r.Records, quota.Record{Day: day, Model: "m", Client: fmt.Sprint(i), Calls: int64(i)})
	}
	st := exchange(t, s, r)
	if b := st.Balances[4999]; st.Granted[4999] != 1 || b.Spent != 4999 || b.Held != 1 {
		t.Errorf("%+v", b)
	}
	if h, err := s.History(t.Context(), day, day); err != nil || len(h) != 5000 {
		t.Errorf("%d records, %v", len(h), err)
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
		t.Error("an event instead of the end")
	}
	a := holder{name: "a"}
	_, exchangeErr := s.Sync(t.Context(), a.report())
	_, historyErr := s.History(t.Context(), day, day)
	_, hoursErr := s.Hours(t.Context(), day)
	_, leaseErr := s.Lease(t.Context(), "x", time.Hour)
	_, watchErr := s.Watch(t.Context())
	for _, err := range []error{exchangeErr, historyErr, hoursErr, leaseErr, watchErr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	}
}

// What a holder that is not heard of holds is lost, until it is heard of again.
func TestDeadHolder(t *testing.T) {
	s := old(t, open(t, shared.url(""), rand.Text(), patient))
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(10*n, 20*n, 0)))
	exchange(t, s, b.report(of(5*n, 15*n, 0)))
	long := time.Now().Add(-quota.ReplicaTimeout - time.Second).UnixMilli()
	seen := redis.Z{Score: float64(long), Member: "b"}
	if err := s.client.Load().ZAdd(t.Context(), s.keys(day)[4], seen).Err(); err != nil {
		t.Fatal(err)
	}
	st := exchange(t, s, a.report(of(10*n, 20*n, 100*n)))
	if want := (quota.Balance{Limit: 100 * n, Spent: 15 * n, Held: 70 * n, Lost: 15 * n}); st.Granted[0] != 50*n || st.Balances[0] != want || st.Replicas != 1 {
		t.Errorf("%+v", st)
	}
	st = exchange(t, s, b.report(of(6*n, 14*n, 100*n)))
	if want := (quota.Balance{Limit: 100 * n, Spent: 16 * n, Held: 84 * n}); st.Granted[0] != 0 || st.Balances[0] != want || st.Replicas != 2 || st.Joined {
		t.Errorf("%+v", st)
	}
}
