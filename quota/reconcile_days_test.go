package quota_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// Random days: two replicas and somebody else spend, replicas are replaced, some die with what they have not
// published, the store is emptied. What counts is never more than what was billed, and in the end no less.
func TestExternalIsNeitherForgottenNorCountedTwice(t *testing.T) {
	for seed := range max(*seeds/4, 1) {
		seeded(t, seed, func(t *testing.T) { randomDay(t, seed) })
	}
}

func randomDay(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	b := &bill{lag: time.Duration(rng.IntN(301)) * time.Second}
	store := &emptied{Store: memstore.New(nil)}
	o := quota.Options{Store: store, Limit: 100_000 * n, Heartbeat: sharedBeat}
	all := []*quota.Ledger{open(t, o), open(t, o)}
	next := time.Now()
	check := func() {
		t.Helper()
		for i, l := range all {
			s := l.Snapshot()
			billed := b.sum(s.Day, time.Now(), true)
			who := fmt.Sprint(time.Now(), ", replica ", i)
			within(t, who+": external", s.Account.External, 0, billed)
			within(t, who+": used and external", s.Account.Used+s.Account.External, 0, billed)
		}
	}
	for begin := time.Now(); time.Since(begin) < 6*time.Hour && !t.Failed(); {
		if rng.IntN(10) == 0 { // a burst
			for range rng.IntN(20) {
				b.own(t, all[rng.IntN(2)], quota.Neurons(rng.Int64N(int64(20*n))))
			}
		}
		b.own(t, all[rng.IntN(2)], quota.Neurons(rng.Int64N(int64(2*n))))
		if rng.IntN(3) == 0 {
			b.add(quota.Neurons(rng.Int64N(int64(4*n))), false)
		}
		time.Sleep(time.Duration(rng.IntN(120)) * time.Second)
		switch rng.IntN(40) {
		case 0: // a rolling restart
			i := rng.IntN(2)
			if err := all[i].Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			all[i] = open(t, o)
		case 1: // what living replicas have published comes back, what former ones published does not
			before := all[0].Snapshot().Account.External
			store.empty()
			time.Sleep(10 * time.Second)
			late := open(t, o)
			equal(t, "external after the store was emptied", late.Snapshot().Account.External, before)
			if err := late.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(next) {
			next = time.Now().Add(every)
			for _, l := range all {
				b.reconcile(t, l)
			}
			check()
		}
	}
	time.Sleep(15 * time.Minute)
	for range 3 {
		for _, l := range all {
			b.reconcile(t, l)
		}
		time.Sleep(every)
	}
	check()
	s := all[0].Snapshot()
	equal(t, "used and external in the end", s.Account.Used+s.Account.External, b.sum(s.Day, time.Now(), true))
}
