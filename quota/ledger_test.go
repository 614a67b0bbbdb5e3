package quota_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const n = quota.OneNeuron

// open returns a ledger of the test, closed at its end.
func open(t *testing.T, o quota.Options) *quota.Ledger {
	t.Helper()
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
	if err != nil || res == nil || !d.OK() {
		t.Fatalf("Reserve(%+v): %+v, %v", c, d, err)
	}
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
	if err != nil || res != nil || d.Outcome != want {
		t.Fatalf("Reserve(%+v): %+v, %v; want %v", c, d, err, want)
	}
	return d
}

func settle(amount quota.Neurons) quota.Cost { return quota.Cost{Neurons: amount} }

func TestDecisions(t *testing.T) {
	reset := quota.DayOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).End()
	for _, c := range []struct {
		name            string
		limit           quota.Neurons
		spent, reserved quota.Neurons
		call            quota.Call
		want            quota.Decision // Estimate and ResetsAt are filled in
	}{
		{"it fits", 100 * n, 10 * n, 20 * n, quota.Call{Estimate: 70 * n}, quota.Decision{Used: 10 * n, Reserved: 20 * n, Limit: 100 * n, Remaining: 70 * n}},
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
		{"the last millionth", 100 * n, 100*n - 1, 0, quota.Call{Estimate: 1}, quota.Decision{Used: 100*n - 1, Limit: 100 * n, Remaining: 1}},
		{
			"nothing is left", 100 * n, 100 * n, 0,
			quota.Call{Estimate: 1},
			quota.Decision{Outcome: quota.Exhausted, Used: 100 * n, Limit: 100 * n},
		},
		{"a call that costs nothing always fits", 100 * n, 100 * n, 0, quota.Call{Estimate: -5}, quota.Decision{Used: 100 * n, Limit: 100 * n}},
		{"no ceiling", 0, 70_000 * n, 5 * n, quota.Call{Estimate: 9_000 * n}, quota.Decision{Unlimited: true, Used: 70_000 * n, Reserved: 5 * n}},
		{
			"a client's budget with no ceiling", 0, 50 * n, 0,
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
		{"low goes on to 80 %", 100 * n, 70 * n, 0, quota.Call{Estimate: 10 * n, Priority: quota.Low}, quota.Decision{Used: 70 * n, Limit: 100 * n, Kept: 20 * n, Remaining: 10 * n}},
		{
			"normal stops at 95 %", 100 * n, 90 * n, 0,
			quota.Call{Estimate: 5*n + 1, Priority: quota.Normal},
			quota.Decision{Outcome: quota.PriorityFloor, Used: 90 * n, Limit: 100 * n, Kept: 5 * n, Remaining: 5 * n},
		},
		{
			"normal beside what is reserved", 100 * n, 80 * n, 10 * n,
			quota.Call{Estimate: 5*n + 1, Priority: quota.Normal},
			quota.Decision{Outcome: quota.Contended, Used: 80 * n, Reserved: 10 * n, Limit: 100 * n, Kept: 5 * n, Remaining: 5 * n},
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
		{"high takes it all", 100 * n, 90 * n, 0, quota.Call{Estimate: 10 * n}, quota.Decision{Used: 90 * n, Limit: 100 * n, Remaining: 10 * n}},
		{"no floors without a ceiling", 0, 90 * n, 0, quota.Call{Estimate: 10 * n, Priority: quota.Low}, quota.Decision{Unlimited: true, Used: 90 * n}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
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
					// The table tells how things stood before.
					d.Reserved -= res.Neurons()
					if d.Limit > 0 {
						d.Remaining += res.Neurons()
					}
					res.Release()
					res.Release()
				}
				after := l.Snapshot()
				if after.Account.Reserved != before.Account.Reserved || after.Account.Used != before.Account.Used {
					t.Errorf("before %+v, after %+v", before.Account, after.Account)
				}
				want := c.want
				want.ResetsAt, want.Estimate = reset, min(max(c.call.Estimate, 0), 1_000_000_000*n)
				if want.Budget == "" {
					want.Budget = quota.Account
				}
				if !d.At.Equal(reset.Add(-24 * time.Hour)) {
					t.Errorf("decided at %v", d.At)
				}
				d.At = time.Time{}
				if d != want {
					t.Errorf("\n got %+v\nwant %+v", d, want)
				}
			})
		})
	}
}

func TestSettleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n})
		res := take(t, l, quota.Call{Model: "m", Client: "x", Estimate: 10 * n})
		res.Settle(quota.Cost{Neurons: 3 * n, Basis: quota.Priced})
		res.Settle(quota.Cost{Neurons: 4 * n, Basis: quota.Reported})
		res.Release()
		over := take(t, l, quota.Call{Model: "m", Client: "x", Estimate: 10 * n})
		over.Settle(quota.Cost{Neurons: 120 * n, Basis: quota.Estimated})
		never := take(t, l, quota.Call{Model: "never", Estimate: 0})
		never.Release()
		never.Settle(settle(5 * n))
		s := l.Snapshot()
		if s.Account.Used != 123*n || s.Account.Reserved != 0 || s.Account.Remaining != 0 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
		want := quota.Record{Day: s.Day, Model: "m", Client: "x", Calls: 2, Priced: 3 * n, Estimated: 120 * n}
		if len(s.Records) != 1 || s.Records[0] != want {
			t.Errorf("%+v", s.Records)
		}
		refused(t, l, quota.Call{Estimate: 1}, quota.Exhausted)
		if h, err := l.History(t.Context(), s.Day, s.Day); err != nil || len(h) != 1 || h[0] != want {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

func TestAllPotsOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n})
		x := quota.Call{Client: "x", ClientLimit: 30 * n, Estimate: 20 * n}
		res := take(t, l, x)
		refused(t, l, x, quota.Contended)
		if s := l.Snapshot(); s.Account.Reserved != 20*n || s.Clients[0].Reserved != 20*n || s.Clients[0].Remaining != 10*n {
			t.Errorf("%+v", s)
		}
		res.Settle(settle(25 * n))
		refused(t, l, x, quota.Exhausted)
		x.ClientLimit = 60 * n // a new clients file
		take(t, l, x).Release()
		x.ClientLimit = 26 * n
		x.Estimate = 2 * n
		if d := refused(t, l, x, quota.Exhausted); d.Budget != quota.ClientBudget("x") || d.Used != 25*n || d.Limit != 26*n || d.Remaining != n {
			t.Errorf("%+v", d)
		}
	})
}

func TestObserveRefusesNothingAndSaysWhatItWouldHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Mode: quota.Observe, Wait: time.Hour})
		ask := func(c quota.Call, want quota.Outcome) *quota.Reservation {
			t.Helper()
			res, d, err := l.Reserve(t.Context(), c)
			if err != nil || res == nil || !d.OK() || d.Would != want || d.Waited != 0 {
				t.Fatalf("%+v, %v; want %v", d, err, want)
			}
			return res
		}
		a := ask(quota.Call{Estimate: 60 * n}, quota.Allowed)
		b := ask(quota.Call{Estimate: 60 * n}, quota.Contended)
		b.Settle(settle(10 * n))
		ask(quota.Call{Estimate: 21 * n, Priority: quota.Low}, quota.PriorityFloor).Release()
		a.Settle(settle(60 * n))
		ask(quota.Call{Estimate: 31 * n}, quota.Exhausted).Settle(settle(31 * n))
		ask(quota.Call{Estimate: n, Client: "x", ClientLimit: n / 2}, quota.Exhausted).Release()
		if s := l.Snapshot().Account; s.Used != 101*n || s.Remaining != 0 {
			t.Errorf("%+v", s)
		}
		l.Block(time.Time{})
		ask(quota.Call{Estimate: 0}, quota.Blocked).Accepted()
		if l.Snapshot().Block.Set {
			t.Error("a call that Workers AI took leaves the latch shut")
		}
	})
}

func TestOffCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Mode: quota.Off})
		l.Block(time.Time{})
		res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: 900 * n, Client: "x", ClientLimit: 1})
		if err != nil || !d.OK() || d.Would != quota.Allowed || !d.Unlimited {
			t.Fatal(d, err)
		}
		res.Settle(settle(800 * n))
		if s := l.Snapshot(); s.Account.Used != 800*n || s.Records[0].Neurons() != 800*n || s.Block.Set {
			t.Errorf("%+v", s)
		}
	})
}

// The estimate by which a batch was charged is replaced by what it cost, in the
// pots and in the records alike: neither ever tells of less than nothing.
func TestCorrect(t *testing.T) {
	for name, c := range map[string]struct {
		charged quota.Neurons
		actual  quota.Cost
		want    quota.Record
	}{
		"less":            {50 * n, quota.Cost{Neurons: 20 * n, Basis: quota.Reported}, quota.Record{Reported: 20 * n}},
		"more":            {50 * n, quota.Cost{Neurons: 60 * n, Basis: quota.Priced}, quota.Record{Priced: 60 * n}},
		"nothing":         {50 * n, quota.Cost{Basis: quota.Reported}, quota.Record{}},
		"a part":          {30 * n, quota.Cost{Neurons: 5 * n, Basis: quota.Reported}, quota.Record{Reported: 5 * n, Estimated: 20 * n}},
		"an estimate":     {50 * n, quota.Cost{Neurons: 40 * n, Basis: quota.Estimated}, quota.Record{Estimated: 40 * n}},
		"more than there": {70 * n, quota.Cost{Neurons: 10 * n, Basis: quota.Reported}, quota.Record{Reported: 10 * n}},
		"less than none":  {50 * n, quota.Cost{Neurons: -10 * n, Basis: quota.Reported}, quota.Record{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 100 * n})
				batch := quota.Call{Model: "m", Client: "x", ClientLimit: 100 * n, Estimate: 50 * n}
				day := take(t, l, batch).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
				l.Correct(batch, day, c.charged, c.actual)
				c.want.Day, c.want.Model, c.want.Client, c.want.Calls = day, "m", "x", 1
				s := l.Snapshot()
				if used := c.want.Neurons(); s.Records[0] != c.want || s.Account.Used != used || s.Clients[0].Used != used {
					t.Errorf("%+v", s)
				}
				take(t, l, quota.Call{Estimate: 100*n - c.want.Neurons()}).Release()
			})
		})
	}
}

// The day of the charge is over, and its figures are published: only what the
// batch cost beyond the charge is added, to the new day.
func TestCorrectTheNextDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Hour)})
		batch := quota.Call{Model: "m", Estimate: 50 * n}
		day := take(t, l, batch).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
		time.Sleep(time.Hour)
		take(t, l, batch).Settle(quota.Cost{Neurons: 30 * n, Basis: quota.Estimated})
		l.Correct(batch, day, 50*n, quota.Cost{Neurons: 20 * n, Basis: quota.Reported})
		l.Correct(batch, day, 50*n, quota.Cost{Neurons: 52 * n, Basis: quota.Reported})
		s := l.Snapshot()
		if want := (quota.Record{Day: s.Day, Model: "m", Calls: 1, Reported: 2 * n, Estimated: 30 * n}); s.Account.Used != 32*n || s.Records[0] != want {
			t.Errorf("%+v", s)
		}
	})
}

func TestCloseGivesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
		a := open(t, quota.Options{Store: store, Limit: 100 * n})
		spend(t, a, 4*n)
		res := take(t, a, quota.Call{Model: "m", Estimate: 10 * n})
		closed := make(chan error, 1)
		go func() { closed <- a.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("closed with a call in flight")
		}
		if _, _, err := a.Reserve(t.Context(), quota.Call{Estimate: 1}); !errors.Is(err, quota.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
		res.Settle(settle(6 * n))
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
		b := open(t, quota.Options{Store: store, Limit: 100 * n})
		if s := b.Snapshot(); s.Account.Used != 10*n || s.Account.Held != 0 || s.Account.Lost != 0 || s.Replicas != 1 {
			t.Errorf("%+v", s)
		}
		take(t, b, quota.Call{Estimate: 90 * n}).Release()
		if h, err := b.History(t.Context(), 0, 1<<20); err != nil || len(h) != 2 || h[1].Reported != 6*n {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

// A drain that is cut short: what is in flight is lost for the day, the rest is
// given back.
func TestCloseDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
		a := open(t, quota.Options{Store: store, Limit: 100 * n})
		take(t, a, quota.Call{Estimate: 10 * n})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := a.Close(ctx); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		b := open(t, quota.Options{Store: store, Limit: 100 * n})
		if s := b.Snapshot().Account; s.Lost != 10*n || s.Held != 0 || s.Remaining != 90*n {
			t.Errorf("%+v", s)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []quota.Options{{Limit: -1}, {Limit: quota.MaxNeurons}, {Wait: -1}, {Probe: -1}, {StoreTimeout: -1}} {
		if l, err := quota.New(t.Context(), o); err == nil || l != nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
