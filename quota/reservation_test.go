package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

func TestSettleOnce(t *testing.T) {
	virtually(t, func(t *testing.T) {
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
		figures(t, "the account", s.Account, quota.Status{Used: 123 * n})
		equal(t, "remaining", s.Account.Remaining, 0)
		equal(t, "calls in flight", s.InFlight, 0)
		want := quota.Record{Day: s.Day, Model: "m", Client: "x", Calls: 2, Priced: 3 * n, Estimated: 120 * n}
		if len(s.Records) != 1 || s.Records[0] != want {
			t.Errorf("got the records %+v, want one of %+v", s.Records, want)
		}
		refused(t, l, quota.Call{Estimate: 1}, quota.Exhausted)
		equal(t, "the record in the store", reported(t, l, 0)[0], want)
	})
}

// The estimate by which a batch was charged is replaced by what it cost, in the budgets and in the records alike:
// neither is ever below nothing.
func TestCorrect(t *testing.T) {
	cost := func(amount quota.Neurons, basis quota.Basis) quota.Cost {
		return quota.Cost{Neurons: amount, Basis: basis}
	}
	for name, c := range map[string]struct {
		charged quota.Neurons
		actual  quota.Cost
		want    quota.Record
	}{
		"less":    {50 * n, cost(20*n, quota.Reported), quota.Record{Reported: 20 * n}},
		"more":    {50 * n, cost(60*n, quota.Priced), quota.Record{Priced: 60 * n}},
		"nothing": {50 * n, cost(0, quota.Reported), quota.Record{}},
		"a part": {
			30 * n, cost(5*n, quota.Reported), quota.Record{Reported: 5 * n, Estimated: 20 * n},
		},
		"an estimate":     {50 * n, cost(40*n, quota.Estimated), quota.Record{Estimated: 40 * n}},
		"more than there": {70 * n, cost(10*n, quota.Reported), quota.Record{Reported: 10 * n}},
		"less than none":  {50 * n, cost(-10*n, quota.Reported), quota.Record{}},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				l := open(t, quota.Options{Limit: 100 * n})
				batch := quota.Call{Model: "m", Client: "x", ClientLimit: 100 * n, Estimate: 50 * n}
				day := take(t, l, batch).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
				l.Correct(batch, day, c.charged, c.actual)
				c.want.Day, c.want.Model, c.want.Client, c.want.Calls = day, "m", "x", 1
				s := l.Snapshot()
				equal(t, "the record", s.Records[0], c.want)
				equal(t, "used of the account", s.Account.Used, c.want.Neurons())
				equal(t, "used by the client", s.Clients[0].Used, c.want.Neurons())
				take(t, l, quota.Call{Estimate: 100*n - c.want.Neurons()}).Release()
			})
		})
	}
}

// The day of the charge is over, and its figures are published: only what the batch cost beyond the charge is added,
// to the new day.
func TestCorrectTheNextDay(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Now: before(time.Hour)})
		batch := quota.Call{Model: "m", Estimate: 50 * n}
		day := take(t, l, batch).Settle(quota.Cost{Neurons: 50 * n, Basis: quota.Estimated})
		time.Sleep(time.Hour)
		take(t, l, batch).Settle(quota.Cost{Neurons: 30 * n, Basis: quota.Estimated})
		l.Correct(batch, day, 50*n, quota.Cost{Neurons: 20 * n, Basis: quota.Reported})
		l.Correct(batch, day, 50*n, quota.Cost{Neurons: 52 * n, Basis: quota.Reported})
		s := l.Snapshot()
		equal(t, "used", s.Account.Used, 32*n)
		equal(t, "the record", s.Records[0],
			quota.Record{Day: s.Day, Model: "m", Calls: 1, Reported: 2 * n, Estimated: 30 * n})
	})
}
