package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// Of each limit a hundredth is for calls that cost more than they reserved, until the day's last hour.
func TestMargin(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Store: memstore.New(nil), Limit: 1000 * n, Margin: 0.01})
		ask := func(c quota.Call) (*quota.Reservation, quota.Decision) {
			t.Helper()
			res, d, err := l.Reserve(t.Context(), c)
			fails(t, "reserving", err, nil)
			return res, d
		}
		res, d := ask(quota.Call{Estimate: 990*n + 1})
		if res != nil {
			t.Errorf("got a reservation of more than all but the margin, want none")
		}
		equal(t, "outcome", d.Outcome, quota.Exhausted)
		equal(t, "what is left", d.Left(), 990*n)
		equal(t, "the margin", d.Margin, 10*n)
		_, d = ask(quota.Call{Estimate: 100 * n, Client: "a", ClientLimit: 100 * n})
		equal(t, "outcome of a client's", d.Outcome, quota.Exhausted)
		equal(t, "what is left of a client's budget", d.Left(), 99*n)

		res, d = ask(quota.Call{Estimate: 500 * n})
		equal(t, "what remains", d.Remaining, 490*n)
		_, low := ask(quota.Call{Estimate: 1, Priority: quota.Normal})
		equal(t, "what remains for a priority that has 95 % of the limit", low.Remaining, 450*n-1)
		res.Settle(settle(505 * n))
		last, _ := ask(quota.Call{Estimate: 484 * n})
		last.Settle(settle(489 * n))
		s := l.Snapshot()
		figures(t, "after calls that cost more", s.Account, quota.Status{Used: 994 * n, Reserved: 1})
		equal(t, "what remains then", s.Account.Remaining, 0)
		equal(t, "the margin", s.Account.Margin, 10*n)
	})
}

func TestMarginIsGivenBack(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Store: memstore.New(nil), Limit: 1200 * n, Margin: 0.01, Heartbeat: longBeat})
		midnight := l.Snapshot().ResetsAt
		for _, c := range []struct {
			left time.Duration
			want quota.Neurons
		}{
			{20 * time.Hour, 1188 * n},
			{61 * time.Minute, 1188 * n},
			{56 * time.Minute, 1189 * n},
			{31 * time.Minute, 1194 * n},
			{6 * time.Minute, 1199 * n},
			{4 * time.Minute, 1200 * n},
			{-time.Minute, 1188 * n},
		} {
			time.Sleep(time.Until(midnight.Add(-c.left)))
			equal(t, c.left.String()+" before midnight: what remains", l.Snapshot().Account.Remaining, c.want)
			if res := take(t, l, quota.Call{Estimate: c.want}); res != nil {
				res.Release()
			}
		}
	})
}

// Replicas keep one margin together.
func TestMarginOfReplicas(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		var reserved quota.Neurons
		var all [3]*quota.Ledger
		for i := range all {
			all[i] = open(t, quota.Options{Store: store, Limit: 1000 * n, Margin: 0.01, Heartbeat: sharedBeat})
		}
		for refused := 0; refused < 10; {
			for _, l := range all {
				res, _, err := l.Reserve(t.Context(), quota.Call{Estimate: 3 * n})
				fails(t, "reserving", err, nil)
				if res == nil {
					refused++
					continue
				}
				reserved += 3 * n
			}
		}
		within(t, "reserved by all", reserved, 980*n, 990*n)
	})
}

func TestMarginIsAPart(t *testing.T) {
	for _, margin := range []float64{-0.01, 1, 2} {
		_, err := quota.New(t.Context(), quota.Options{Store: memstore.New(nil), Margin: margin})
		if err == nil {
			t.Errorf("a margin of %v: got no error, want one", margin)
		}
	}
}
