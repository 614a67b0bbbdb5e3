package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/account"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// within is a transport to a handler, without a network.
type within struct{ http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// shared is an account that is also spent outside this proxy.
type shared struct {
	*quotas
	c   *config.Config
	m   *metrics.Metrics
	sim *workersai.Simulator
	log bytes.Buffer // of the reconciler
}

// shareAccount runs test in virtual time, from a time of the day on, while the account's own figure is read.
func shareAccount(t *testing.T, from time.Duration, o workersai.Options, test func(*testing.T, *shared)) {
	t.Helper()
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(from)
		settings := environ("NEURONWARD_STORE=memory:", "NEURONWARD_QUOTA_MODE=enforce", "NEURONWARD_ESTIMATE=bound")
		c, err := config.Load(settings, new(config.Redactor))
		if err != nil {
			t.Fatal(err)
		}
		s := &shared{c: c, m: metrics.New(metrics.Build{})}
		o.Account, o.Token, o.AnalyticsLag = s.c.Account, fakeToken, 5*time.Minute
		s.sim = workersai.New(o)
		seldom := func(o *quota.Options) { o.Heartbeat = 2 * time.Second } // the most where a store is shared
		s.quotas, err = openQuotas(t.Context(), s.c, slog.New(slog.DiscardHandler), s.m, nil, seldom)
		if err != nil {
			t.Fatal(err)
		}
		token := func() string { return fakeToken }
		client, err := account.New(account.Config{
			API: s.c.API, Account: s.c.Account, Token: token, Transport: within{s.sim},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.reconciler = newReconciler(s.c, s.quotas, client, slog.New(slog.NewTextHandler(&s.log, nil)), s.m)
		go s.reconciler.Run(t.Context())
		test(t, s)
		if err := s.close(0, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
}

// today is the day's part of the status.
func (s *shared) today(t *testing.T) status.Today {
	t.Helper()
	return s.source(s.c).Today(t.Context())
}

// wantLog wants n lines to be logged, and texts in the last of them.
func (s *shared) wantLog(t *testing.T, n int, texts ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(s.log.String(), "\n"), "\n")
	if len(lines) != n {
		t.Errorf("got log\n%s\nwant %d lines", s.log.String(), n)
	}
	for _, text := range texts {
		if last := lines[len(lines)-1]; !strings.Contains(last, text) {
			t.Errorf("got %s\nwant %q in it", last, text)
		}
	}
}

// pass lets time pass until all that is due has been done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// What speech costs is only in the account's own figure.
func TestWhatAModelCostsIsFoundOut(t *testing.T) {
	const model = "@cf/deepgram/aura-1"
	shareAccount(t, time.Hour, workersai.Options{}, func(t *testing.T, s *shared) {
		speak := func() (booked quota.Neurons) {
			of := s.estimator.Estimate(s.estimator.Resolve(model), workload.Request{Characters: 100})
			res, d, err := s.ledger.Reserve(t.Context(), quota.Call{Model: model, Estimate: of.Neurons})
			if err != nil || res == nil {
				t.Fatalf("got %+v, %v, want a reservation", d, err)
			}
			cost := s.estimator.DefaultCost(s.estimator.Resolve(model), of, res.Neurons())
			res.Settle(cost)
			s.sim.Spend(model, 3*of.Bound)
			return cost.Neurons
		}
		pass(time.Minute)
		first := speak()
		pass(20 * time.Minute)
		d, want := s.today(t), status.Neurons(3*first)
		if *d.Used != want || *d.External != 0 {
			t.Errorf("got %v used and %v external, want %v and 0", *d.Used, *d.External, want)
		}
		if got := d.Models[0].Neurons; got != want {
			t.Errorf("got %v by model, want %v", got, want)
		}
		if again := speak(); again != 3*first {
			t.Errorf("got a second call of %v, want %v", again, 3*first)
		}
		// A process that reads nothing itself finds it in the history.
		follower := price.NewEstimator(nil, price.Bound)
		today := s.ledger.Snapshot().Day
		records, err := s.ledger.History(t.Context(), today, today)
		if err != nil {
			t.Fatal(err)
		}
		follower.RecallCorrections(records)
		of := follower.Estimate(follower.Resolve(model), workload.Request{Characters: 100})
		cost := follower.DefaultCost(follower.Resolve(model), of, of.Neurons).Neurons
		if of.Neurons != 3*first || cost != 3*first {
			t.Errorf("got %v reserved and %v booked by another process, want %v", of.Neurons, cost, 3*first)
		}
		pass(20 * time.Minute)
		s.wantLog(t, 1, "level=INFO msg=\"calls cost other than the price table says, by the account's own figure; "+
			"what was counted for them is corrected\" model="+model+" calls=1 ", " table_times=3")
	})
}

func TestAnotherSpenderIsLogged(t *testing.T) {
	shareAccount(t, 16*time.Hour, workersai.Options{}, func(t *testing.T, s *shared) {
		pass(time.Minute)
		if got := *s.today(t).External; got != 0 {
			t.Errorf("got %v external, want 0", got)
		}
		if got := s.today(t).Reconciliation; got.CountedUntil == nil || got.Failure != nil {
			t.Errorf("got %+v, want a figure that was read", got)
		}
		s.sim.Spend("m", 1000*quota.OneNeuron)
		pass(15 * time.Minute)
		if log := s.log.String(); strings.Contains(log, "another spender") {
			t.Errorf("a tenth of the day is spent: got log\n%s\nwant nothing of another spender", log)
		}
		for range 4 {
			s.sim.Spend("m", 500*quota.OneNeuron)
			pass(15 * time.Minute)
		}
		d := s.today(t)
		if external, left := 3000*quota.OneNeuron, 7000*quota.OneNeuron; *d.External != status.Neurons(external) ||
			*d.Remaining != status.Neurons(left) {
			t.Errorf("got %v external and %v left, want %v and %v", *d.External, *d.Remaining, external, left)
		}
		const lines = "\n  external       3000.00  spent outside this proxy, by the account's own figure" +
			"\n  left           7000.00  of 10000.00\n"
		text := (screen{}).usage(usageReport{Today: d}, time.Now())
		if !strings.Contains(text, lines) {
			t.Errorf("got\n%s\nwant in it%s", text, lines)
		}
		series := seriesOf(t, s.m)
		for _, want := range []string{
			"neuronward_neurons_external 3000\n", "neuronward_neurons_used 0\n", "neuronward_neurons_remaining 7000\n",
			"neuronward_reconcile_failures_total 0\n", "neuronward_reconcile_timestamp_seconds 9.4674",
		} {
			if !strings.Contains(series, want) {
				t.Errorf("missing: %s", want)
			}
		}
		// 2,000 came in the last 50 minutes; what was there at first is not known to belong to them.
		if d.ExpectedAt == nil {
			t.Fatal("got no time at which the day will be spent, want one")
		}
		if in := time.Until(*d.ExpectedAt); in < 2*time.Hour || in > 5*time.Hour {
			t.Errorf("got the day spent in %v, want in 2h to 5h", in)
		}
		want := "\nAt the rate of the last hour the day is spent at " + d.ExpectedAt.Format(time.RFC3339) + ".\n"
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant in it%s", text, want)
		}
		pass(8 * time.Hour) // the next day
		s.sim.Spend("m", 2000*quota.OneNeuron)
		pass(time.Hour)
		s.wantLog(t, 2, "another spender")
		if n := strings.Count(s.log.String(), "another spender"); n != 2 {
			t.Errorf("got %d lines about another spender on two days, want 2\n%s", n, s.log.String())
		}
	})
}

// Why the figure cannot be read is logged once, and no call fails for it.
func TestTheFigureCannotBeRead(t *testing.T) {
	const needs = "grant Account Analytics: Read"
	var failure atomic.Value
	failure.Store("not authorized for that account")
	fails := workersai.Options{GraphQLFails: func(time.Time) string { return failure.Load().(string) }}
	shareAccount(t, time.Hour, fails, func(t *testing.T, s *shared) {
		pass(3 * time.Hour)
		s.wantLog(t, 1, needs)
		if f := s.today(t).Reconciliation.Failure; f == nil || !strings.Contains(*f, needs) {
			t.Errorf("got failure %v, want one with %q", f, needs)
		}
		res, d, err := s.ledger.Reserve(t.Context(), quota.Call{Estimate: 9_999 * quota.OneNeuron})
		if err != nil || res == nil {
			t.Fatalf("got %+v, %v, want a reservation", d, err)
		}
		res.Release()
		series := seriesOf(t, s.m)
		lacks(t, "the series", series, "neuronward_reconcile_failures_total 0\n")
		if want := "neuronward_reconcile_timestamp_seconds 0\n"; !strings.Contains(series, want) {
			t.Errorf("missing: %s", want)
		}
		failure.Store("rate limiter budget depleted, please try again later")
		pass(time.Hour)
		s.wantLog(t, 2, "rate limited")
		failure.Store("")
		pass(time.Hour)
		s.wantLog(t, 3, "can be read again")
		if r := s.today(t).Reconciliation; r.Failure != nil || r.CountedUntil == nil {
			t.Errorf("got %+v, want a figure that was read", r)
		}
	})
}

// Nothing is read at the beginning of a day, nor while another process reads. That
// does not mean that this one could read the figure.
func TestAFailureLastsUntilTheFigureIsRead(t *testing.T) {
	fails := workersai.Options{GraphQLFails: func(time.Time) string { return "not authorized for that account" }}
	shareAccount(t, 23*time.Hour, fails, func(t *testing.T, s *shared) {
		failed := func(when string) {
			t.Helper()
			s.wantLog(t, 1, "grant Account Analytics: Read")
			if s.today(t).Reconciliation.Failure == nil {
				t.Errorf("%s: got no failure, want one", when)
			}
		}
		pass(time.Hour + 4*time.Minute + 30*time.Second)
		failed("just after midnight")
		pass(3 * time.Hour)
		failed("the next day")

		other, err := quota.New(t.Context(), quota.Options{Store: s.capacity.store, Limit: 10_000 * quota.OneNeuron})
		if err != nil {
			t.Fatal(err)
		}
		read := func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return 0, errors.New("no answer") }
		reads := func() {
			for range 60 {
				if ours, _ := other.Reconcile(t.Context(), 24*time.Hour, read); ours {
					return
				}
				pass(10 * time.Second)
			}
			t.Error("the other process never reads, want it to")
		}
		reads()
		pass(time.Hour)
		failed("another process fails as well")
		read = func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return 0, nil }
		reads()
		pass(time.Hour)
		s.wantLog(t, 2, "can be read again")
		if f := s.today(t).Reconciliation.Failure; f != nil {
			t.Errorf("another process has read it: got failure %s, want none", *f)
		}
		if err := other.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheFigureIsNotRead(t *testing.T) {
	for _, c := range []struct {
		name, set, want string
	}{
		{"no token of ours", "NEURONWARD_RECONCILE=5m", "without a token"},
		{"never", "NEURONWARD_RECONCILE=0", ""},
		{"nothing is counted", "NEURONWARD_QUOTA_MODE=off", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, config, _ := counting(t, c.set)
			var log bytes.Buffer
			if figureClient(config, nil, nil, slog.New(slog.NewTextHandler(&log, nil))) != nil {
				t.Error("got a client, want none")
			}
			text := log.String()
			if strings.Count(text, "\n") != min(len(c.want), 1) || !strings.Contains(text, c.want) {
				t.Errorf("got log\n%s\nwant %q", text, c.want)
			}
		})
	}
}
