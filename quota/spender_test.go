package quota_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// A spender that bypasses the proxy is known of within unknown: the lag, a minute that has to end, the time between
// two readings, a minute until what has jumped is read again, and the jitter of both. Of our own calls, those of
// the minute after that in which the figure ends may be taken for billed already.
const (
	unknown    = lag + time.Minute + (every+time.Minute)*11/10 + 2*time.Second
	unknownOwn = time.Minute + 2*time.Second
)

// cloud is a simulated account, and a client that asks it for its own figure.
type cloud struct {
	*workersai.Simulator
	client  *account.Client
	catalog map[string]price.Row // what models/search says; nil: the simulator's
	figures *wrongFigures        // nil: none is wrong

	mu          sync.Mutex
	own, others []item
}

// inside is a transport to a handler, without a network.
type inside struct{ http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	i.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func newCloud(t *testing.T, o workersai.Options) *cloud {
	t.Helper()
	o.AnalyticsLag = lag
	c := &cloud{Simulator: workersai.New(o)}
	var err error
	c.client, err = account.New(account.Config{
		API:     &url.URL{Scheme: "https", Host: "api.example.com", Path: "/client/v4"},
		Account: "a", Token: func() string { return "t" }, Transport: inside{c},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bill bills the account.
func (c *cloud) bill(amount quota.Neurons, own bool) {
	c.Spend("m", amount)
	c.mu.Lock()
	defer c.mu.Unlock()
	all := &c.others
	if own {
		all = &c.own
	}
	*all = append(*all, item{time.Now(), amount, own})
}

// of sums up what was billed since a time.
func (c *cloud) of(own bool, since time.Time) (sum quota.Neurons) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.others
	if own {
		all = c.own
	}
	for i := len(all) - 1; i >= 0 && all[i].at.After(since); i-- {
		sum += all[i].amount
	}
	return sum
}

// most is the most of our own calls in any span of length that has ended since.
func (c *cloud) most(length, since time.Duration) (most quota.Neurons) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := time.Now().Add(-since - length)
	var sum quota.Neurons
	for i, j := len(c.own)-1, len(c.own)-1; i >= 0 && c.own[i].at.After(begin); i-- {
		sum += c.own[i].amount
		for c.own[j].at.Sub(c.own[i].at) > length {
			sum -= c.own[j].amount
			j--
		}
		most = max(most, sum)
	}
	return most
}

// reconcile reads the figure again and again, as the program does.
func (c *cloud) reconcile(t *testing.T, l *quota.Ledger) {
	loop := account.Loop{Every: every, Jitter: 0.1, MinRetry: 10 * time.Second}
	go loop.Run(t.Context(), func(ctx context.Context) error {
		_, err := l.Reconcile(ctx, every, c.billed)
		return err
	}, nil)
}

// billed is what quota.Ledger.Reconcile reads.
func (c *cloud) billed(ctx context.Context, day quota.Day, until time.Time) (quota.Neurons, error) {
	u, err := c.client.DayUntil(ctx, day, until)
	return u.Neurons, err
}

// unknown is what was billed too late for the figure to have it.
func (c *cloud) unknown() quota.Neurons {
	return c.of(false, time.Now().Add(-unknown)) + c.most(unknownOwn, unknown)
}

// Somebody takes half of the day past the proxy. Whenever a call of ours goes through, no more has been billed than
// the limit and what could not be known yet.
func TestASecondSpenderTakesHalfOfTheDay(t *testing.T) {
	var worst quota.Neurons
	for seed := range max(*seeds/4, 1) {
		seeded(t, seed, func(t *testing.T) { worst = max(worst, secondSpender(t, seed)) })
	}
	t.Logf("at most %v over the limit of %v", worst, limit)
}

func secondSpender(t *testing.T, seed uint64) (over quota.Neurons) {
	rng := rand.New(rand.NewPCG(seed, 7))
	c := newCloud(t, workersai.Options{})
	defer c.client.Close()
	o := quota.Options{Store: memstore.New(nil), Limit: limit, Heartbeat: sharedBeat}
	ledgers := []*quota.Ledger{open(t, o), open(t, o)}
	for _, l := range ledgers {
		c.reconcile(t, l)
	}
	hours := 2 + 4*rng.Float64() // that it takes the others, and us
	pause := time.Duration(5+rng.IntN(55)) * time.Second
	each := quota.FromFloat(5_000 * pause.Seconds() / (hours * 3600))
	begin, left, refusals := time.Now(), 5_000*n, 0
	for time.Since(begin) < 8*time.Hour && refusals < 20 {
		if left > 0 {
			amount := min(left, quota.Neurons(rng.Int64N(int64(2*each))))
			left -= amount
			c.bill(amount, false)
		}
		l := ledgers[rng.IntN(2)]
		amount := quota.Neurons(rng.Int64N(int64(2 * each)))
		res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: amount})
		if err != nil {
			t.Fatal(err)
		}
		if res == nil {
			if refusals++; refusals == 1 && left == 0 {
				within(t, "external", d.External, 5_000*n-c.unknown(), quota.MaxNeurons)
			}
		} else {
			res.Settle(settle(amount))
			c.bill(amount, true)
			now := c.Billed() - limit
			within(t, fmt.Sprint("over the limit after ", time.Since(begin)), now, -limit, c.unknown())
			over = max(over, now)
		}
		time.Sleep(pause)
	}
	equal(t, fmt.Sprint("refusals after ", c.Billed(), " were billed"), refusals, 20)
	return over
}
