package quota_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestCloseGivesEverythingBack(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		a := open(t, quota.Options{Store: store, Limit: 100 * n})
		spend(t, a, 4*n)
		res := take(t, a, quota.Call{Model: "m", Estimate: 10 * n})
		closed := make(chan error, 1)
		go func() { closed <- a.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("got the ledger closed, want it to wait for the call in flight")
		}
		_, _, err := a.Reserve(t.Context(), quota.Call{Estimate: 1})
		fails(t, "Reserve", err, quota.ErrClosed)
		res.Settle(settle(6 * n))
		fails(t, "Close", <-closed, nil)
		fails(t, "Close again", a.Close(t.Context()), nil)
		b := open(t, quota.Options{Store: store, Limit: 100 * n})
		s := b.Snapshot()
		figures(t, "by the store", s.Account, quota.Status{Used: 10 * n})
		equal(t, "held by the store", s.Account.Held, 0)
		equal(t, "replicas", s.Replicas, 1)
		take(t, b, quota.Call{Estimate: 90 * n}).Release()
		reported(t, b, 4*n, 6*n)
	})
}

// A drain that is cut short: what is in flight is lost for the day, the rest is given back.
func TestCloseDoesNotWaitForever(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		a := open(t, quota.Options{Store: store, Limit: 100 * n})
		take(t, a, quota.Call{Estimate: 10 * n})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		fails(t, "Close", a.Close(ctx), nil)
		equal(t, "the time of Close", time.Since(start), 3*time.Second)
		s := open(t, quota.Options{Store: store, Limit: 100 * n}).Snapshot().Account
		equal(t, "lost", s.Lost, 10*n)
		equal(t, "held", s.Held, 0)
		equal(t, "remaining", s.Remaining, 90*n)
	})
}
