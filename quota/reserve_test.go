package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestDecisions(t *testing.T) {
	reset := quota.DayOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).End()
	for _, c := range []struct {
		name            string
		limit           quota.Neurons
		spent, reserved quota.Neurons
		call            quota.Call
		want            quota.Decision // Estimate and ResetsAt are filled in
	}{
		{
			"it fits", 100 * n, 10 * n, 20 * n,
			quota.Call{Estimate: 70 * n},
			quota.Decision{Used: 10 * n, Reserved: 20 * n, Limit: 100 * n, Remaining: 70 * n},
		},
		{
			"not beside what is reserved", 100 * n, 10 * n, 20 * n,
			quota.Call{Estimate: 70*n + 1},
			quota.Decision{Outcome: quota.Contended, Used: 10 * n, Reserved: 20 * n, Limit: 100 * n, Remaining: 70 * n},
		},
		{
			"whatever comes back", 100 * n, 10 * n, 20 * n,
			quota.Call{Estimate: 90*n + 1},
			quota.Decision{Outcome: quota.Exhausted, Used: 10 * n, Reserved: 20 * n, Limit: 100 * n, Remaining: 70 * n},
		},
		{
			"more than anything", 100 * n, 0, 0,
			quota.Call{Estimate: quota.MaxNeurons},
			quota.Decision{Outcome: quota.Exhausted, Limit: 100 * n, Remaining: 100 * n},
		},
		{
			"the last millionth", 100 * n, 100*n - 1, 0,
			quota.Call{Estimate: 1},
			quota.Decision{Used: 100*n - 1, Limit: 100 * n, Remaining: 1},
		},
		{
			"nothing is left", 100 * n, 100 * n, 0,
			quota.Call{Estimate: 1},
			quota.Decision{Outcome: quota.Exhausted, Used: 100 * n, Limit: 100 * n},
		},
		{
			"a call that costs nothing always fits", 100 * n, 100 * n, 0,
			quota.Call{Estimate: -5},
			quota.Decision{Used: 100 * n, Limit: 100 * n},
		},
		{
			"no limit", 0, 70_000 * n, 5 * n,
			quota.Call{Estimate: 9_000 * n},
			quota.Decision{Unlimited: true, Used: 70_000 * n, Reserved: 5 * n},
		},
		{
			"a client's budget with no limit", 0, 50 * n, 0,
			quota.Call{Estimate: 9 * n, Client: "x", ClientLimit: 10 * n},
			quota.Decision{Budget: quota.ClientBudget("x"), Limit: 10 * n, Remaining: 10 * n},
		},
		{
			"a client's budget", 100 * n, 50 * n, 0,
			quota.Call{Estimate: 11 * n, Client: "x", ClientLimit: 10 * n},
			quota.Decision{Outcome: quota.Exhausted, Budget: quota.ClientBudget("x"), Limit: 10 * n, Remaining: 10 * n},
		},
		{
			"the account before the client", 100 * n, 95 * n, 0,
			quota.Call{Estimate: 11 * n, Client: "x", ClientLimit: 10 * n},
			quota.Decision{Outcome: quota.Exhausted, Used: 95 * n, Limit: 100 * n, Remaining: 5 * n},
		},
		{
			"low stops at 80 %", 100 * n, 70 * n, 0,
			quota.Call{Estimate: 10*n + 1, Priority: quota.Low},
			quota.Decision{Outcome: quota.PriorityFloor, Used: 70 * n, Limit: 100 * n, Kept: 20 * n, Remaining: 10 * n},
		},
		{
			"low goes on to 80 %", 100 * n, 70 * n, 0,
			quota.Call{Estimate: 10 * n, Priority: quota.Low},
			quota.Decision{Used: 70 * n, Limit: 100 * n, Kept: 20 * n, Remaining: 10 * n},
		},
		{
			"normal stops at 95 %", 100 * n, 90 * n, 0,
			quota.Call{Estimate: 5*n + 1, Priority: quota.Normal},
			quota.Decision{Outcome: quota.PriorityFloor, Used: 90 * n, Limit: 100 * n, Kept: 5 * n, Remaining: 5 * n},
		},
		{
			"normal beside what is reserved", 100 * n, 80 * n, 10 * n,
			quota.Call{Estimate: 5*n + 1, Priority: quota.Normal},
			quota.Decision{
				Outcome: quota.Contended, Used: 80 * n, Reserved: 10 * n, Limit: 100 * n, Kept: 5 * n, Remaining: 5 * n,
			},
		},
		{
			"low beyond all that is left", 100 * n, 70 * n, 0,
			quota.Call{Estimate: 31 * n, Priority: quota.Low},
			quota.Decision{Outcome: quota.PriorityFloor, Used: 70 * n, Limit: 100 * n, Kept: 20 * n, Remaining: 10 * n},
		},
		{
			"low once all is spent", 100 * n, 99 * n, 0,
			quota.Call{Estimate: 2 * n, Priority: quota.Low},
			quota.Decision{Outcome: quota.Exhausted, Used: 99 * n, Limit: 100 * n, Kept: 20 * n},
		},
		{
			"low with a budget larger than what is left for low", 100 * n, 70 * n, 0,
			quota.Call{Estimate: n, Priority: quota.Low, Client: "x", ClientLimit: 20 * n},
			quota.Decision{Used: 70 * n, Limit: 100 * n, Kept: 20 * n, Remaining: 10 * n},
		},
		{
			"high takes it all", 100 * n, 90 * n, 0,
			quota.Call{Estimate: 10 * n},
			quota.Decision{Used: 90 * n, Limit: 100 * n, Remaining: 10 * n},
		},
		{
			"no floors without a limit", 0, 90 * n, 0,
			quota.Call{Estimate: 10 * n, Priority: quota.Low},
			quota.Decision{Unlimited: true, Used: 90 * n},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: c.limit})
				if c.spent > 0 {
					spend(t, l, c.spent)
				}
				if c.reserved > 0 {
					defer take(t, l, quota.Call{Estimate: c.reserved}).Release()
				}
				// All that is left has come back here: one millionth too much must not fit either.
				if left := c.limit - c.spent - c.reserved; left > 0 {
					take(t, l, quota.Call{Estimate: left}).Release()
				}
				before := l.Snapshot()
				res, d, err := l.Reserve(t.Context(), c.call)
				if err != nil {
					t.Fatal(err)
				}
				if res != nil {
					// The table says how things stood before.
					d.Reserved -= res.Neurons()
					if d.Limit > 0 {
						d.Remaining += res.Neurons()
					}
					res.Release()
					res.Release()
				}
				figures(t, "afterwards", l.Snapshot().Account, before.Account)
				want := c.want
				want.ResetsAt, want.Estimate = reset, min(max(c.call.Estimate, 0), 1_000_000_000*n)
				if want.Budget == "" {
					want.Budget = quota.Account
				}
				sameTime(t, "the time of the decision", d.At, reset.Add(-24*time.Hour))
				d.At, d.Calls, d.RetryIn = time.Time{}, 0, 0
				if d != want {
					t.Errorf("got  %+v\nwant %+v", d, want)
				}
			})
		})
	}
}

func TestAllBudgetsOrNone(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n})
		x := quota.Call{Client: "x", ClientLimit: 30 * n, Estimate: 20 * n}
		res := take(t, l, x)
		refused(t, l, x, quota.Contended)
		s := l.Snapshot()
		equal(t, "reserved of the account", s.Account.Reserved, 20*n)
		equal(t, "reserved of the client", s.Clients[0].Reserved, 20*n)
		equal(t, "remaining of the client", s.Clients[0].Remaining, 10*n)
		res.Settle(settle(25 * n))
		refused(t, l, x, quota.Exhausted)
		x.ClientLimit = 60 * n // a new clients file
		take(t, l, x).Release()
		x.ClientLimit = 26 * n
		x.Estimate = 2 * n
		d := refused(t, l, x, quota.Exhausted)
		equal(t, "the budget that refuses", d.Budget, quota.ClientBudget("x"))
		equal(t, "used", d.Used, 25*n)
		equal(t, "limit", d.Limit, 26*n)
		equal(t, "remaining", d.Remaining, n)
	})
}

func TestObserveRefusesNothingAndSaysWhatItWouldHave(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Mode: quota.Observe, Wait: time.Hour})
		ask := func(c quota.Call, want quota.Outcome) *quota.Reservation {
			t.Helper()
			res, d, err := l.Reserve(t.Context(), c)
			if err != nil || res == nil {
				t.Fatalf("Reserve(%+v): got %+v, %v, want a reservation", c, d, err)
			}
			equal(t, "outcome", d.Outcome, quota.Allowed)
			equal(t, "what it would have been", d.Would, want)
			equal(t, "waited", d.Waited, 0)
			return res
		}
		a := ask(quota.Call{Estimate: 60 * n}, quota.Allowed)
		b := ask(quota.Call{Estimate: 60 * n}, quota.Contended)
		b.Settle(settle(10 * n))
		ask(quota.Call{Estimate: 21 * n, Priority: quota.Low}, quota.PriorityFloor).Release()
		a.Settle(settle(60 * n))
		ask(quota.Call{Estimate: 31 * n}, quota.Exhausted).Settle(settle(31 * n))
		ask(quota.Call{Estimate: n, Client: "x", ClientLimit: n / 2}, quota.Exhausted).Release()
		s := l.Snapshot().Account
		equal(t, "used", s.Used, 101*n)
		equal(t, "remaining", s.Remaining, 0)
		l.Block(time.Time{})
		ask(quota.Call{Estimate: 0}, quota.Blocked).Accepted()
		equal(t, "the account is blocked after a call that Workers AI took", l.Snapshot().Block.Set, false)
	})
}

func TestOffCounts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Mode: quota.Off})
		l.Block(time.Time{})
		res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: 900 * n, Client: "x", ClientLimit: 1})
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		equal(t, "outcome", d.Outcome, quota.Allowed)
		equal(t, "what it would have been", d.Would, quota.Allowed)
		equal(t, "unlimited", d.Unlimited, true)
		res.Settle(settle(800 * n))
		s := l.Snapshot()
		equal(t, "used", s.Account.Used, 800*n)
		equal(t, "used by record", s.Records[0].Neurons(), 800*n)
		equal(t, "the account is blocked", s.Block.Set, false)
	})
}

func TestOptionsAreChecked(t *testing.T) {
	check := func(o quota.Options) {
		t.Helper()
		if l, err := quota.New(t.Context(), o); err == nil || l != nil {
			t.Errorf("New(%+v): got %v, %v, want an error alone", o, l, err)
		}
	}
	check(quota.Options{}) // no store
	for _, o := range []quota.Options{
		{Limit: -1}, {Limit: quota.MaxNeurons}, {Wait: -1}, {Probe: -1}, {StoreTimeout: -1}, {Heartbeat: -1},
	} {
		o.Store = memstore.New(nil)
		check(o)
	}
}
