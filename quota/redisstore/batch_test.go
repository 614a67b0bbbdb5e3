package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// What stands where a batch should be, and is none, is not believed and told.
func TestABatchThatCannotBeIsNotBelieved(t *testing.T) {
	for _, value := range []string{"", "+", `+{"charged":-1}`, `+{"charged":1e300}`, "x", `+[]`, `+{"charged":9e18}`} {
		var told doubts
		o := patient
		o.OnDoubt = told.add
		s := open(t, shared.url(""), rand.Text(), o)
		if err := s.client.Load().HSet(t.Context(), s.batchKey(day), "8f0c", value).Err(); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Batch(t.Context(), day, "8f0c", true)
		if err != nil {
			t.Errorf("%q: got error %v, want none", value, err)
		}
		if ok {
			t.Errorf("%q: got %+v, want no batch", value, got)
		}
		if len(told.told) != 1 {
			t.Errorf("%q: got told %q, want one doubt", value, told.told)
		}
	}
}

// The batches of a day are bounded, and expire together.
func TestBatchesAreBounded(t *testing.T) {
	s := open(t, shared.url(""), rand.Text(), patient)
	values := make([]any, 0, 2*quota.MaxBatches)
	for i := range quota.MaxBatches - 1 {
		values = append(values, fmt.Sprint(i), "+{}")
	}
	c := s.client.Load()
	if err := c.HSet(t.Context(), s.batchKey(day), values...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.PutBatch(t.Context(), quota.Batch{ID: "last", Day: day}); err != nil {
		t.Errorf("the last one: got error %v, want none", err)
	}
	if err := s.PutBatch(t.Context(), quota.Batch{ID: "more", Day: day}); !errors.Is(err, quota.ErrTooManyBatches) {
		t.Errorf("one more: got %v, want %v", err, quota.ErrTooManyBatches)
	}
	if ttl := c.PTTL(t.Context(), s.batchKey(day)).Val(); ttl < batchLife-time.Minute || ttl > batchLife {
		t.Errorf("got %v to live, want %v", ttl, batchLife)
	}
	if key := s.batchKey(day); !strings.HasPrefix(key, s.prefix) {
		t.Errorf("got key %q, want one that begins with %q", key, s.prefix)
	}
}

// A replica that takes back what another one has spent is no damage, also where the sum is made anew.
func TestTakingBackIsNotDoubted(t *testing.T) {
	var told doubts
	o := patient
	o.OnDoubt = told.add
	s := settled(t, open(t, shared.url(""), rand.Text(), o))
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, b.report(request(-30*n, 0, 0))) // before a has reported its charge
	send(t, s, a.report(request(50*n, 0, 0)))
	want := quota.Balance{Limit: 100 * n, Spent: 20 * n, Free: 80 * n}
	wantReply(t, send(t, s, b.report(request(-30*n, 0, 0))), 0, want)
	wantReply(t, send(t, s, a.report(request(50*n, 0, 0))), 0, want)
	if len(told.told) != 0 {
		t.Errorf("got told %q, want nothing", told.told)
	}
	if err := s.client.Load().HSet(t.Context(), s.keys(day)[6], "account", "damaged").Err(); err != nil {
		t.Fatal(err)
	}
	wantReply(t, send(t, s, a.report(request(50*n, 0, 0))), 0, want)
	if !slices.ContainsFunc(told.told, func(text string) bool { return strings.Contains(text, "damaged") }) {
		t.Errorf("got told %q, want the damaged sum", told.told)
	}
	wantReply(t, send(t, s, a.report(request(51*n, 0, 0))), 0,
		quota.Balance{Limit: 100 * n, Spent: 21 * n, Free: 79 * n})
	if len(told.told) != 1 {
		t.Errorf("got told %q, want one doubt", told.told)
	}
}
