package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
)

// A billedDay is some hours of calls against a limit, of which a part fails, a part is cancelled, and others spend as
// well, with the account's own figure read as the program does.
type billedDay struct {
	*guarded
	seed    uint64
	billing workersai.Billing

	mu           sync.Mutex
	refusedSince time.Time     // calls are refused that fit; zero: none is
	longest      time.Duration // that this was so
}

const (
	billedLimit   = 1_000 * neuron
	billedHours   = 2 * time.Hour
	billedCallers = 3

	// sampleError is more than three times what a sample of a third of so many calls is usually off.
	sampleError = 0.25
)

// However Workers AI bills calls that failed or were cancelled, and however late the account's own figure is: what is
// counted with what the figure adds is no less than the bill, no more than that or than what our own calls were counted
// for, and no call is refused for long that fits. A figure that is a sample is as wrong as that. Two ways are always
// tried, all of them with more seeds: go test ./proxy -run TestCountAgreesHoweverItIsBilled -seeds 12 -v
func TestCountAgreesHoweverItIsBilled(t *testing.T) {
	const late = 20 * time.Minute
	ways := []struct {
		name    string
		billing workersai.Billing
	}{
		{"failures late", workersai.Billing{Failed: true, Late: late}},
		{"failures late, by a sample", workersai.Billing{Failed: true, Late: late, Sample: 3}},
		{"as made", workersai.Billing{}},
		{"failures", workersai.Billing{Failed: true}},
		{"cancelled streams whole and late", workersai.Billing{Cancelled: workersai.CancelledWhole, Late: late}},
		{"by a sample", workersai.Billing{Sample: 3}},
		{
			"all late",
			workersai.Billing{Failed: true, Cancelled: workersai.CancelledWhole, Late: late},
		},
	}
	if *seeds == 1 {
		ways = ways[:2]
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			most := 0.001
			if way.billing.Sample > 1 {
				most = sampleError
			}
			low, high, longest := 1.0, -1.0, time.Duration(0)
			for seed := range *seeds {
				virtually(t, func(t *testing.T) {
					d := newBilledDay(t, seed+1, way.billing)
					drift := d.run()
					low, high, longest = min(low, drift), max(high, drift), max(longest, d.longest)
				})
			}
			t.Logf("%.3f %% to %.3f %% off, refused wrongly for %v at most", 100*low, 100*high, longest)
			if low < -most || high > most {
				t.Errorf("got %.3f %% to %.3f %% off, want %v %% at most", 100*low, 100*high, 100*most)
			}
			if longest > 10*time.Minute {
				t.Errorf("got calls refused wrongly for %v, want 10 m at most", longest)
			}
		})
	}
}

func newBilledDay(t *testing.T, seed uint64, billing workersai.Billing) *billedDay {
	t.Helper()
	g := newGuarded(t, quota.Options{Limit: billedLimit, Wait: 10 * time.Second}, workersai.Options{
		Seed: seed, Latency: 20 * time.Millisecond, AnalyticsLag: 5 * time.Minute, Billing: billing,
	})
	return &billedDay{guarded: g, seed: seed, billing: billing}
}

// reconciles reads the account's own figure, as the program does, until stop.
func (g *guarded) reconciles() (stop func()) {
	g.t.Helper()
	client, err := account.New(account.Config{
		API: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/client/v4"}, Account: testAccount,
		Token: func() string { return testToken }, Transport: inMemory{g.sim},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		account.NewReconciler(account.ReconcilerOptions{
			Ledger: g.ledger, Estimator: g.config.Estimator, Client: client, Every: 5 * time.Minute,
			Notable: quota.MaxNeurons, OnFailure: func() {}, Log: slog.New(slog.DiscardHandler),
		}).Run(ctx)
	})
	return func() {
		cancel()
		reading.Wait()
	}
}

// run returns how much more was counted than billed, as a part of the bill. What our own calls were counted for too
// much, as cancelled streams are, is left out: no figure lowers that.
func (d *billedDay) run() float64 {
	time.Sleep(time.Hour)
	stop := d.reconciles()
	end := time.Now().Add(billedHours)
	var wg sync.WaitGroup
	for caller := range billedCallers {
		rng := rand.New(rand.NewPCG(d.seed, uint64(caller)))
		wg.Go(func() {
			for time.Now().Before(end) {
				d.call(rng)
				time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
			}
		})
	}
	wg.Wait()
	time.Sleep(45 * time.Minute)
	stop()
	s, billed := d.close().Account, d.sim.Billed()
	return (s.Used + s.External + s.Lost - max(billed, s.Used)).Float() / billed.Float()
}

// call makes a call, or lets others spend.
func (d *billedDay) call(rng *rand.Rand) {
	if rng.IntN(10) == 0 {
		d.sim.Spend(testModel, quota.Neurons(rng.Int64N(int64(2*neuron))))
		return
	}
	stream, tokens := rng.IntN(2) == 0, 1+rng.IntN(200)
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%v,"messages":[{"role":"user","content":"Hello"}]}`,
		testModel, tokens, stream)
	simulate := fmt.Sprint("tokens=", tokens)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	switch rng.IntN(8) {
	case 0:
		simulate = []string{"3040", "3050", "5006", "html-502", "midstream=3043"}[rng.IntN(5)] + "; " + simulate
	case 1:
		if stream {
			time.AfterFunc(time.Duration(rng.IntN(tokens))*20*time.Millisecond, leave)
		}
	}
	s := d.ledger.Snapshot().Account
	counted := max(s.Used, d.sim.Billed())
	if d.billing.Sample > 1 {
		counted += quota.FromFloat(counted.Float() * sampleError)
	}
	fits := counted+s.Reserved+d.estimate(body) <= billedLimit*99/100
	w := d.postWith(ctx, chatPath, body, "X-Simulate", simulate)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch refused := w.Code == 429 && noNeurons.MatchString(w.Body.String()); {
	case !refused || !fits:
		d.refusedSince = time.Time{}
	case d.refusedSince.IsZero():
		d.refusedSince = time.Now()
		fallthrough
	default:
		d.longest = max(d.longest, time.Since(d.refusedSince))
	}
}
