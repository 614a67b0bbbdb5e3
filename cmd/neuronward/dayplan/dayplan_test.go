package dayplan

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

const n = quota.OneNeuron

func TestDay(t *testing.T) {
	at := func(hours, minutes int) time.Duration {
		return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	}
	fit := func(left quota.Neurons) Call { // reserves up to 100 neurons, at least 10, and costs half of that
		r := min(max(left, 10*n), 100*n)
		return Call{r, r / 2}
	}
	for _, c := range []struct {
		name string
		plan Plan
		want Day
	}{
		{
			"callers alone",
			Plan{Callers: 2, Duration: time.Minute, Call: Call{10 * n, n}},
			Day{Calls: 2 * 24 * 60, Used: 2 * 24 * 60 * n, LimitedBy: Callers, Waiting: length, Spent: length},
		},
		{
			"a limit that is wide",
			Plan{Limit: 10_000 * n, Callers: 2, Duration: time.Minute, Call: Call{10 * n, n}},
			Day{Calls: 2880, Used: 2880 * n, AtOnce: 1000, LimitedBy: Callers, Waiting: length, Spent: length},
		},
		{
			"neurons",
			Plan{Limit: 100 * n, Callers: 4, Duration: time.Hour, Call: Call{20 * n, 10 * n}},
			// 4, 3, 1 and 1 calls: each time as many as fit into 100, 60, 30 and 20.
			Day{Calls: 9, Used: 90 * n, AtOnce: 5, LimitedBy: Neurons, Waiting: at(1, 0), Spent: at(4, 0)},
		},
		{
			"one call that never fits",
			Plan{Limit: 10 * n, Callers: 1, Duration: time.Hour, Call: Call{20 * n, 10 * n}},
			Day{LimitedBy: Neurons},
		},
		{
			"requests a minute",
			Plan{Callers: 10, Duration: time.Second, PerMinute: 60, Call: Call{n, n}},
			Day{Calls: 86_400, Used: 86_400 * n, LimitedBy: Requests, Waiting: length, Spent: length},
		},
		{
			"requests a minute that nobody reaches",
			Plan{Callers: 1, Duration: time.Minute, PerMinute: 300, Call: Call{n, n}},
			Day{Calls: 1440, Used: 1440 * n, LimitedBy: Callers, Waiting: length, Spent: length},
		},
		{
			"requests a minute, then neurons",
			Plan{Limit: 90 * n, Callers: 10, Duration: time.Second, PerMinute: 60, Call: Call{n, n}},
			Day{
				Calls: 90, Used: 90 * n, AtOnce: 90, LimitedBy: Neurons, Waiting: 90 * time.Second,
				Spent: 90 * time.Second,
			},
		},
		{
			"what fits",
			Plan{Limit: 150 * n, Callers: 1, Duration: time.Hour, Fit: fit},
			// 50, 50 and 25 neurons, then 12.5, then 6.25 of the last 12.5.
			Day{
				Calls: 5, Used: 50*n + 50*n + 25*n + 12*n + n/2 + 6*n + n/4, AtOnce: 2, LimitedBy: Neurons,
				Waiting: at(5, 0), Spent: at(5, 0),
			},
		},
		{
			"what fits, of no limit",
			Plan{Callers: 1, Duration: time.Hour, Fit: fit},
			Day{Calls: 24, Used: 24 * 50 * n, LimitedBy: Callers, Waiting: length, Spent: length},
		},
	} {
		if got := c.plan.Day(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// A day comes to what the ledger makes of it in virtual time.
func TestDayIsTheLedgers(t *testing.T) {
	for name, p := range map[string]Plan{
		"few callers":  {Limit: 60 * n, Callers: 2, Duration: 20 * time.Second, Call: Call{3 * n, n}},
		"many callers": {Limit: 1000 * n, Callers: 12, Duration: 20 * time.Second, Call: Call{90 * n, 20 * n}},
		"large calls":  {Limit: 1000 * n, Callers: 8, Duration: 20 * time.Second, Call: Call{240 * n, 60 * n}},
	} {
		want := p.Day()
		calls, used := ledgerDay(t, p)
		if low, high := want.Calls-2, want.Calls+2; calls < low || calls > high {
			t.Errorf("%s: got %d calls by the ledger, want %d to %d", name, calls, low, high)
		}
		if got, low := want.Used, used-2*p.Call.Cost; got < low || got > used+2*p.Call.Cost {
			t.Errorf("%s: got %v used, want about %v as by the ledger", name, got, used)
		}
	}
}

// ledgerDay lets callers reserve and settle until nothing fits any more.
func ledgerDay(t *testing.T, p Plan) (calls int64, used quota.Neurons) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		ledger, err := quota.New(t.Context(), quota.Options{
			Store: memstore.New(nil), Limit: p.Limit, Wait: time.Hour, Heartbeat: 30 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var callers sync.WaitGroup
		for range p.Callers {
			callers.Go(func() {
				for {
					r, d, err := ledger.Reserve(t.Context(), quota.Call{Estimate: p.Call.Reserved})
					if err != nil || r == nil {
						if d.Outcome != quota.Exhausted {
							t.Errorf("got %v, error %v, want %v", d.Outcome, err, quota.Exhausted)
						}
						return
					}
					time.Sleep(p.Duration)
					r.Settle(quota.Cost{Neurons: p.Call.Cost})
					mu.Lock()
					calls++
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		used = ledger.Snapshot().Account.Used
		if err := ledger.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return calls, used
}
