package quota_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// Ten days with resets, restarts, kills, outages of the figure, figures that are wrong or stand still, prices that
// change, a catalog that is wrong, calls that cost other than they were estimated, and another spender, who takes most
// of some days: ledger and account agree at the end of each day, no call is refused for long that would have fit, and
// the limit is passed by no more than could not be known. By default it is two days.
//
// Of every other call Workers AI reports the neurons, of the others its tokens alone, which cost what the table says.
// A price that rises hours before the catalog is read shows as external. What others spend is known to what we spend in
// a minute, the best of the readings after it: so all that ends an hour before the day, and then we are quiet for a
// while.
func TestLedgerAndAccountAgreeForDays(t *testing.T) {
	days := 2
	if *seeds >= 100 {
		days = 10
	}
	worst := tenDays{over: -tenDaysLimit}
	for seed := range max(*seeds/20, 1) {
		seeded(t, seed, func(t *testing.T) {
			d := newTenDays(t, seed)
			defer d.c.client.Close()
			for day := 0; day < days && !t.Failed(); day++ {
				d.run(day)
			}
			d.kill()
			worst.drift = max(worst.drift, d.drift)
			worst.longest, worst.over = max(worst.longest, d.longest), max(worst.over, d.over)
			worst.starts += d.starts
		})
	}
	t.Logf("at most %.4f %% off, %v refused wrongly, %v over the limit; %d starts",
		100*worst.drift, worst.longest, worst.over, worst.starts)
}

const (
	tenDaysLimit = 100_000 * n // of each day

	tenDaysBeat = 20 * time.Second
)

type tenDays struct {
	t     *testing.T
	rng   *rand.Rand
	c     *cloud
	e     *price.Estimator
	store *memstore.Store
	cut   *unanswered // between ledger and store: a process that is killed reports no more
	l     *quota.Ledger
	stop  context.CancelFunc // of the reading of figures

	before       quota.Neurons // billed before today
	prices       map[string]price.Row
	catalogAt    time.Time // when the catalog is read that has today's new prices
	risesAt      time.Time
	othersAt     time.Time // when others take most of the day, from here
	restarts     []time.Time
	refusedSince time.Time // a call that would have fit; zero: none is
	starts       int

	drift   float64
	longest time.Duration
	over    quota.Neurons
}

func newTenDays(t *testing.T, seed uint64) *tenDays {
	d := &tenDays{
		t: t, rng: rand.New(rand.NewPCG(seed, 11)), e: price.NewEstimator(nil, price.Bound), store: memstore.New(nil),
		over: -tenDaysLimit,
	}
	d.c = newCloud(t, workersai.Options{GraphQLFails: func(now time.Time) string {
		if now.Hour()%6 == 3 || now.Minute() < 7 { // an hour in six, and some minutes of each
			return failed
		}
		return ""
	}})
	d.c.figures = &wrongFigures{limit: tenDaysLimit}
	d.start()
	return d
}

// start begins a process on what the store has saved.
func (d *tenDays) start() {
	d.starts++
	var saved *memstore.Saved
	_ = d.store.Save(func(s *memstore.Saved) error { saved = s; return nil })
	d.store = memstore.NewDurable(saved, nil, func(memstore.Change, func() *memstore.Saved) error { return nil })
	d.cut = &unanswered{Store: d.store}
	ctx, stop := context.WithCancel(d.t.Context())
	l, err := quota.New(ctx, quota.Options{Store: d.cut, Limit: tenDaysLimit, Heartbeat: tenDaysBeat})
	if err != nil {
		d.t.Fatal(err)
	}
	d.l, d.stop = l, stop
	go account.NewReconciler(account.ReconcilerOptions{
		Ledger: l, Estimator: d.e, Client: d.c.client, Every: every, Notable: quota.MaxNeurons, OnFailure: func() {},
		Log: slog.New(slog.DiscardHandler),
	}).Run(ctx)
}

// kill ends the process, which tells the store nothing more.
func (d *tenDays) kill() {
	d.cut.away.Store(true)
	d.stop()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = d.l.Close(gone)
}

// restart ends the process as it should, or kills it with a call under way, and begins another one.
func (d *tenDays) restart(cost quota.Neurons, call quota.Call) {
	if d.rng.IntN(2) == 0 {
		d.stop()
		if err := d.l.Close(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	} else {
		if res, _, err := d.l.Reserve(d.t.Context(), call); err == nil && res != nil {
			d.c.bill(min(cost, call.Estimate), true)
		}
		d.kill()
	}
	d.start()
}

var tenDaysModels = []string{
	"@cf/meta/llama-3.1-8b-instruct-fp8", "@cf/meta/llama-3.2-3b-instruct", "@cf/qwen/qwq-32b",
}

// plan begins a day.
func (d *tenDays) plan(day int, end time.Time, yesterday quota.Neurons) {
	d.c.figures.newDay(d.rng, quota.DayOf(time.Now()), yesterday)
	d.prices = map[string]price.Row{}
	listed := map[string]price.Row{}
	wrong := day%4 == 1
	for _, m := range tenDaysModels {
		p, _ := price.Embedded().Row(m)
		d.prices[m] = times(p, 0.3+3*d.rng.Float64())
		listed[m] = d.prices[m]
		if wrong {
			d.prices[m], listed[m] = p, times(p, 1e9)
		}
	}
	d.c.catalog = listed
	want := map[bool]int{true: len(tenDaysModels)}[wrong]
	equal(d.t, fmt.Sprint("prices that are refused on day ", day), d.c.readPrices(d.t, d.e), want)
	d.risesAt, d.catalogAt, d.othersAt = end, end, end
	if day%4 == 2 {
		d.risesAt, d.catalogAt = end.Add(-6*time.Hour), end.Add(-70*time.Minute)
	}
	if day%3 == 2 {
		d.othersAt = end.Add(-time.Duration(4+d.rng.IntN(18)) * time.Hour)
	}
	d.restarts = nil
	for range 1 + d.rng.IntN(3) { // the last of them early enough for what is lost to be released
		d.restarts = append(d.restarts, end.Add(-3*time.Hour-time.Duration(d.rng.IntN(20*60))*time.Minute))
	}
}

func (d *tenDays) run(day int) {
	end := d.l.Snapshot().ResetsAt
	d.plan(day, end, d.c.Billed()-d.before)
	d.before = d.c.Billed()
	for time.Until(end) > 2*time.Minute && !d.t.Failed() {
		d.change(end)
		m := tenDaysModels[d.rng.IntN(len(tenDaysModels))]
		u := workload.Usage{Input: d.rng.Int64N(200), Output: d.rng.Int64N(200), HasTokens: true}
		cost := d.prices[m].Tokens(u.Input, 0, u.Output)
		if d.rng.IntN(2) == 0 {
			u.Neurons, u.HasNeurons = cost.Float(), true
		}
		estimate := d.e.Estimate(d.e.Resolve(m), workload.Request{PromptBytes: 2 * u.Input, MaxTokens: 200})
		call := quota.Call{Model: m, Estimate: estimate.Neurons}
		if n := len(d.restarts); n > 0 && time.Now().After(d.restarts[n-1]) {
			d.restarts = d.restarts[:n-1]
			d.restart(cost, call)
		}
		d.call(call, u, cost)
		if d.rng.IntN(3) == 0 && time.Until(end) > time.Hour {
			d.c.bill(quota.Neurons(d.rng.Int64N(int64(4*n))), false)
		}
		time.Sleep(time.Duration(d.rng.IntN(60)) * time.Second)
		if left := time.Until(end); left < 45*time.Minute && left > 30*time.Minute {
			time.Sleep(left - 30*time.Minute)
		}
	}
	s, billed := d.l.Snapshot().Account, d.c.Billed()-d.before
	drift := (s.Used + s.External + s.Lost - billed).Float() / billed.Float()
	within(d.t, fmt.Sprintf("day %d: off from the %v that were billed, by %v used, %v external, %v lost",
		day, billed, s.Used, s.External, s.Lost), drift, -0.001, 0.001)
	d.drift = max(d.drift, drift, -drift)
	time.Sleep(3 * time.Minute)
}

// change does what is due: prices rise, the catalog is read, others spend.
func (d *tenDays) change(end time.Time) {
	now := time.Now()
	if now.After(d.risesAt) {
		for m, p := range d.prices {
			d.prices[m] = times(p, 1.5)
		}
		d.risesAt = end
	}
	if now.After(d.catalogAt) {
		d.c.catalog, d.catalogAt = d.prices, end
		d.c.readPrices(d.t, d.e)
	}
	if since := now.Sub(d.othersAt); since > 0 {
		d.c.bill(2_000*n, false) // some 4,000 a minute
		if since > 20*time.Minute {
			d.othersAt = end
		}
	}
}

// call makes a call, and checks whether it was rightly let through or refused.
func (d *tenDays) call(call quota.Call, u workload.Usage, cost quota.Neurons) {
	res, decision, err := d.l.Reserve(d.t.Context(), call)
	if err != nil {
		d.t.Fatal(err)
	}
	if res == nil {
		// A hundredth may be lost for a while, where a process was killed.
		fits := d.c.Billed()-d.before+call.Estimate <= tenDaysLimit*99/100
		switch {
		case !fits:
			d.refusedSince = time.Time{}
		case d.refusedSince.IsZero():
			d.refusedSince = time.Now()
		}
		if !d.refusedSince.IsZero() {
			d.longest = max(d.longest, time.Since(d.refusedSince))
			within(d.t, fmt.Sprintf("%v: how long calls were refused wrongly, now with %+v", time.Now(), decision),
				time.Since(d.refusedSince), 0, 10*time.Minute)
		}
		return
	}
	d.refusedSince = time.Time{}
	over := d.c.Billed() + call.Estimate - d.before - tenDaysLimit
	within(d.t, fmt.Sprint(time.Now(), ": over the limit"), over, -tenDaysLimit, d.c.figures.unknown(d.c))
	d.over = max(d.over, over)
	time.Sleep(time.Duration(d.rng.IntN(20)) * time.Second)
	// What is settled after the last beat of a minute counts in the next one. With the usual beat that is little.
	if left := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)); left < tenDaysBeat {
		time.Sleep(left)
	}
	booked, ok := d.e.Cost(d.e.Resolve(call.Model), u)
	if !ok {
		d.t.Fatalf("%s: got no cost for %+v, want one", call.Model, u)
	}
	res.Settle(booked)
	d.c.bill(cost, true)
}
