package quota_test

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// A virtual day has 172,800 heartbeats of half a second. In tests that take hours and are not about the heartbeat
// ledgers have another one.
const (
	longBeat   = 30 * time.Second // of a ledger alone
	sharedBeat = 2 * time.Second  // of replicas that share a store
)

// virtually runs f in virtual time, on one processor: the race detector of Go 1.26 crashes when two processors fire
// timers of one bubble at once.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

// seeded is virtually for one of many seeds, and tells it where f fails, which ends the test.
func seeded(t *testing.T, seed uint64, f func(*testing.T)) {
	t.Helper()
	virtually(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("this was seed %d", seed)
			}
		}()
		f(t)
	})
}

// equal fails the test where got is not what was wanted.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// sameTime fails the test where got is another time than was wanted.
func sameTime(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// fails fails the test where err is not one of the wanted kind; nil stands for none.
func fails(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got the error %v, want %v", what, err, want)
	}
}

// within fails the test where got is not between low and high, these included.
func within[T cmp.Ordered](t *testing.T, what string, got, low, high T) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: got %v, want %v to %v", what, got, low, high)
	}
}

// figures fails the test where those of a budget that are given are not as wanted.
func figures(t *testing.T, what string, got quota.Status, want quota.Status) {
	t.Helper()
	equal(t, what+": used", got.Used, want.Used)
	equal(t, what+": reserved", got.Reserved, want.Reserved)
	equal(t, what+": external", got.External, want.External)
	equal(t, what+": lost", got.Lost, want.Lost)
}

// takeProbe makes a call that must be a probe.
func takeProbe(t *testing.T, l *quota.Ledger) *quota.Reservation {
	t.Helper()
	res := take(t, l, quota.Call{Estimate: n})
	if !res.Probe() {
		t.Fatal("got a call that is no probe, want a probe")
	}
	return res
}

// reported fails the test where the records of all days do not count these amounts as reported, in order. It returns
// them.
func reported(t *testing.T, of interface {
	History(ctx context.Context, from, to quota.Day) ([]quota.Record, error)
}, want ...quota.Neurons,
) []quota.Record {
	t.Helper()
	records, err := of.History(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got []quota.Neurons
	for _, r := range records {
		got = append(got, r.Reported)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("reported by record: got %v, want %v", got, want)
	}
	return records
}

const n = quota.OneNeuron

// open returns a ledger of the test, closed at its end. Without a store it has one of its own.
func open(t *testing.T, o quota.Options) *quota.Ledger {
	t.Helper()
	if o.Store == nil {
		o.Store = memstore.New(o.Now)
	}
	l, err := quota.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is still reserved stays so
		if err := l.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// take reserves what must be had.
func take(t *testing.T, l *quota.Ledger, c quota.Call) *quota.Reservation {
	t.Helper()
	res, d, err := l.Reserve(t.Context(), c)
	if err != nil || res == nil {
		t.Fatalf("Reserve(%+v): got %+v, %v, want a reservation", c, d, err)
	}
	equal(t, "outcome", d.Outcome, quota.Allowed)
	return res
}

// spend makes a call that costs just what it reserves.
func spend(t *testing.T, l *quota.Ledger, amount quota.Neurons) {
	t.Helper()
	take(t, l, quota.Call{Estimate: amount}).Settle(quota.Cost{Neurons: amount})
}

// refused makes a call that must be refused.
func refused(t *testing.T, l *quota.Ledger, c quota.Call, want quota.Outcome) quota.Decision {
	t.Helper()
	res, d, err := l.Reserve(t.Context(), c)
	if err != nil || res != nil {
		t.Fatalf("Reserve(%+v): got %+v, %v, want it refused as %v", c, d, err, want)
	}
	if d.Outcome != want {
		t.Fatalf("Reserve(%+v): got %v, want %v: %+v", c, d.Outcome, want, d)
	}
	return d
}

func settle(amount quota.Neurons) quota.Cost { return quota.Cost{Neurons: amount} }
