package redisstore

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

// doubts are what a store told of.
type doubts struct {
	mu   sync.Mutex
	told []string
}

func (d *doubts) add(key, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, key[strings.Index(key, ":")+1:]+" = "+value)
}

// What another program wrote is not believed: it lifts no limit, ends no day and keeps no replica from its store. It is
// told once.
func TestFiguresThatCannotBeAreNotBelieved(t *testing.T) {
	const today = "2024-10-04:"
	hset := func(key, field, value string) func(*testing.T, *redis.Client, string) {
		return func(t *testing.T, c *redis.Client, prefix string) {
			if err := c.HSet(t.Context(), prefix+key, field, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := func(key, value string) func(*testing.T, *redis.Client, string) {
		return func(t *testing.T, c *redis.Client, prefix string) {
			if err := c.Set(t.Context(), prefix+key, value, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	row := func(figures string) func(*testing.T, *redis.Client, string) {
		return hset(today+"rows", "b\x00account", figures)
	}
	balance := quota.Balance{Limit: 100 * n, Spent: 15 * n, Held: 35 * n, Free: 50 * n}
	lost := balance // what b holds is not known
	lost.Held, lost.Lost = 20*n, 15*n
	for name, c := range map[string]struct {
		damage func(t *testing.T, c *redis.Client, prefix string)
		want   quota.Balance
		tells  string
	}{
		"a row with negative holding":  {row("100000000 5000000 -99000000 0 0 0 1 0"), lost, "-99000000"},
		"a row above all":              {row("100000000 5000000 99999999999999999999 0 0 0 1 0"), lost, "99999999"},
		"a row of text":                {row("nan inf 0x10 0 0 0 1 0"), lost, "nan inf 0x10"},
		"a row with a fraction":        {row("100000000 5000000 1e300 0 0 0 1 0"), lost, "1e300"},
		"a row that is cut":            {row("100000000 5000000"), lost, "100000000 5000000"},
		"an empty row":                 {row(""), lost, today + "rows b account"},
		"a low limit that is negative": {row("-5 5000000 15000000 0 0 0 1 1"), lost, "-5 5000000"},
		"a negative sum":               {hset(today+"sums", "account", "-90000000 0"), balance, "-90000000 0"},
		"an absurd sum":                {hset(today+"sums", "account", "9223372036854775807 0"), balance, "9223372"},
		"a sum below its parts":        {hset(today+"sums", "account", "0 0"), balance, "sums account = 0 0"},
		"a sum of text":                {hset(today+"sums", "account", "many"), balance, "many"},
		"a sum that is gone": {func(t *testing.T, c *redis.Client, prefix string) {
			if err := c.HDel(t.Context(), prefix+today+"sums", "account").Err(); err != nil {
				t.Fatal(err)
			}
		}, balance, ""},
		"our own row":               {hset(today+"rows", "a\x00account", "-1 -1 -1"), balance, "a account = -1 -1 -1"},
		"negative externals":        {set(today+"external", "-50000000 0 1728000000 5"), balance, "-50000000"},
		"externals of another year": {set(today+"external", "50000000 0 9000000000 5"), balance, "9000000000"},
		"externals of text":         {set(today+"external", "x"), balance, "external = x"},
		"a block for years":         {set("latch", "1728000000.000000000 9000000000.0"), balance, "latch = 1728"},
		"a block of text":           {set("latch", "yes"), balance, "latch = yes"},
		"replicas of tomorrow": {func(t *testing.T, c *redis.Client, prefix string) {
			for i := range 3000 {
				far := float64(time.Now().Add(time.Hour).UnixMilli())
				c.ZAdd(t.Context(), prefix+today+"seen", redis.Z{Score: far, Member: fmt.Sprint("x", i)})
			}
		}, balance, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, told := newPair(t, shared.url("")), new(doubts)
			l.storeA.o.OnDoubt = told.add
			c.damage(t, shared.client(t), l.storeA.prefix)
			var reply quota.Reply
			for range 2 {
				reply = l.reportA(t)
			}
			wantReply(t, reply, 0, c.want)
			if reply.Block.Set {
				t.Errorf("block: got %+v, want none", reply.Block)
			}
			if reply.External != (quota.External{}) {
				t.Errorf("external: got %+v, want none", reply.External)
			}
			if reply.Replicas > 2 {
				t.Errorf("replicas: got %d, want 2", reply.Replicas)
			}
			if c.tells != "" && (len(told.told) != 1 || !strings.Contains(told.told[0], c.tells)) {
				t.Errorf("told: got %q, want one line with %q", told.told, c.tells)
			}
			l.reportB(t) // it writes its row again
			wantReply(t, l.reportA(t), 0, balance)
		})
	}
}

// A key of another type is put aside, and the store works.
func TestKeysOfAnotherType(t *testing.T) {
	keys := []string{"rows", "sums", "holders", "seen", "records", "history", "hours", "silent", "external"}
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			l, told := newPair(t, shared.url("")), new(doubts)
			l.storeA.o.OnDoubt = told.add
			c, at := shared.client(t), l.storeA.prefix+day.String()+":"+key
			if err := c.Del(t.Context(), at).Err(); err != nil {
				t.Fatal(err)
			}
			if err := c.LPush(t.Context(), at, "x").Err(); err != nil {
				t.Fatal(err)
			}
			r := l.a.report(request(10*n, 20*n, 0))
			r.Records = []quota.Record{{Model: "m", Calls: 1, Silent: 1, Table: 1}}
			r.Hours = []quota.HourSpent{{Hour: 3, Spent: 1}}
			r.External = quota.External{Spent: n, At: day.Start().Add(time.Hour)}
			send(t, l.storeA, r)
			l.reportB(t)
			want := quota.Balance{Limit: 100 * n, Spent: 15 * n, Held: 35 * n, Free: 49 * n}
			wantReply(t, l.reportA(t), 0, want)
			if key != "external" && len(told.told) != 1 || len(told.told) > 1 {
				t.Errorf("told: got %q, want one line", told.told)
			}
			if h, err := l.storeA.History(t.Context(), day, day); err != nil || len(h) != 1 {
				t.Errorf("History() = %v, %v, want one record", h, err)
			}
		})
	}
}

// Damaged fields of the history are left out, and the others are there.
func TestHistoryLeavesOutWhatCannotBe(t *testing.T) {
	t.Parallel()
	told := new(doubts)
	s := settled(t, open(t, shared.url(""), rand.Text(), Options{Timeout: patient.Timeout, OnDoubt: told.add}))
	a := replica{name: "a"}
	r := a.report(request(30*n, 5*n, 0))
	r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 1, Reported: 10 * n}}
	r.Hours = []quota.HourSpent{{Hour: 3, Spent: 10 * n}}
	send(t, s, r)
	c, at := shared.client(t), s.prefix+day.String()
	c.HSet(t.Context(), at+":history", "m\x00bad", "1 x 3 4 5 6")
	c.HSet(t.Context(), at+":silent", "m\x00x", "1")
	c.HSet(t.Context(), at+":hours", "30", "5", "x", "6")
	c.HSet(t.Context(), at+":sums", "client:x", "-5000000 0", "client:y", "1 2")
	c.ZAdd(t.Context(), s.prefix+"days", redis.Z{Score: float64(day), Member: "never"})
	for range 2 {
		h, err := s.History(t.Context(), day, day)
		if err != nil || len(h) != 1 || h[0].Reported != 10*n {
			t.Errorf("History() = %+v, %v, want the one record", h, err)
		}
		hours, err := s.Hours(t.Context(), day)
		if err != nil || hours != (quota.Hours{3: 10 * n}) {
			t.Errorf("Hours() = %v, %v, want 10 neurons in the fourth", hours, err)
		}
		sum, err := s.Committed(t.Context(), day, day)
		want := map[quota.Budget]quota.Neurons{
			quota.Account: 35 * n, quota.ClientBudget("x"): 0, quota.ClientBudget("y"): 3,
		}
		if err != nil || !maps.Equal(sum.Sum(), want) {
			t.Errorf("Committed() = %v, %v, want %v", sum, err, want)
		}
	}
	slices.Sort(told.told)
	if len(told.told) != 5 {
		t.Errorf("told: got %q, want five lines", told.told)
	}
}
