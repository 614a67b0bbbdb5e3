package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// Whatever is in a file whose checksum is right, it is refused or counted: what is counted is not negative, lifts no
// limit, and is the same when it was written and read again.
func FuzzDecode(f *testing.F) {
	const start = `{"latch":{"set":false,"at":"0001-01-01T00:00:00Z","until":"0001-01-01T00:00:00Z"},"days":[`
	f.Add(start + `]}`)
	f.Add(start + `{"day":"2026-11-23","pots":{"account":{"limit":10,"spent":3,"held":4}},` +
		`"records":[{"model":"m","calls":1,"priced":3}]}]}`)
	f.Add(start + `{"day":"2026-11-23","external":{"spent":1,"at":"2026-11-23T01:00:00Z"},"pots":{"client:a":{}},` +
		`"hours":[1,-2]}]}`)
	f.Add(`{"latch":{"set":true},"leases":{"a":"2026-11-23T01:00:00Z"},"days":[null,{}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		sum := sha256.Sum256([]byte(body))
		head := fmt.Sprintf("%s %d %d sha256:%s\n", magic, version, len(body), hex.EncodeToString(sum[:]))
		saved, err := decode([]byte(head + body + "\n"))
		if err != nil {
			return
		}
		first := counted(t, saved)
		data, err := encode(saved, map[*memstore.SavedDay][]byte{})
		if err != nil {
			t.Fatalf("encode() = %v, want none", err)
		}
		again, err := decode(data)
		if err != nil {
			t.Fatalf("decode() of what was encoded = %v, want none", err)
		}
		if second := counted(t, again); fmt.Sprint(second) != fmt.Sprint(first) {
			t.Errorf("counted after it was written and read again: got %v, want %v", second, first)
		}
	})
}

// counted returns what a store that begins with saved counts, by budget.
func counted(t *testing.T, saved *memstore.Saved) map[quota.Budget]quota.Neurons {
	t.Helper()
	s := memstore.NewDurable(saved, nil, func(memstore.Change, func() *memstore.Saved) error { return nil })
	days, err := s.Committed(context.Background(), -1<<31, 1<<31-1)
	if err != nil {
		t.Fatal(err)
	}
	sum := days.Sum()
	for name, n := range sum {
		if n < 0 {
			t.Errorf("counted of %q: got %v, want no less than 0", name, n)
		}
	}
	for _, d := range saved.Days {
		reply, err := s.Sync(context.Background(), quota.Report{
			Day: d.Day, Replica: "fuzz", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 100}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if free := reply.Balances[0].Free; free > 100 {
			t.Errorf("free on %v: got %v, want at most the limit of %v", d.Day, free, quota.Neurons(100))
		}
	}
	return sum
}
