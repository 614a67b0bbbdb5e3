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
)

// within is a transport to a handler, without a network.
type within struct{ http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// shared is an account that others spend of, too.
type shared struct {
	*neurons
	c   *config.Config
	m   *metrics.Metrics
	sim *workersai.Simulator
	log bytes.Buffer // of what is read
}

// shareAccount runs test in virtual time, from that time of the day on, while the figure is read.
func shareAccount(t *testing.T, from time.Duration, o workersai.Options, test func(*testing.T, *shared)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the race detector of Go 1.26 crashes when two processors fire timers of one bubble
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(from)
		c, err := config.Load(environ("NEURONWARD_STORE=memory:", "NEURONWARD_QUOTA_MODE=enforce"), new(config.Redactor))
		if err != nil {
			t.Fatal(err)
		}
		s := &shared{c: c, m: metrics.New(metrics.Build{})}
		o.Account, o.Token, o.AnalyticsLag = s.c.Account, fakeToken, 5*time.Minute
		s.sim = workersai.New(o)
		if s.neurons, err = openNeurons(t.Context(), s.c, slog.New(slog.DiscardHandler), s.m, nil); err != nil {
			t.Fatal(err)
		}
		token := func() string { return fakeToken }
		client, err := account.New(account.Config{API: s.c.API, Account: s.c.Account, Token: token, Transport: within{s.sim}})
		if err != nil {
			t.Fatal(err)
		}
		s.reconciler = newReconciler(s.c, s.neurons, client, slog.New(slog.NewTextHandler(&s.log, nil)), s.m)
		go s.reconciler.Run(t.Context())
		test(t, s)
		if err := s.close(0, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
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
			of := s.estimator.Estimate(s.estimator.Resolve(model), quota.Request{Characters: 100})
			res, d, err := s.ledger.Reserve(t.Context(), quota.Call{Model: model, Estimate: of.Neurons})
			if err != nil || res == nil {
				t.Fatal(d, err)
			}
			cost := s.estimator.DefaultCost(s.estimator.Resolve(model), of, res.Neurons())
			res.Settle(cost)
			s.sim.Spend(model, 3*of.Bound)
			return cost.Neurons
		}
		pass(time.Minute)
		first := speak()
		pass(20 * time.Minute)
		if d := s.source(s.c).Today(t.Context()); *d.Used != status.Neurons(3*first) || *d.External != 0 || d.Models[0].Neurons != status.Neurons(3*first) {
			t.Errorf("used %v, external %v, by model %+v; 3 times %v was billed", *d.Used, *d.External, d.Models, first)
		}
		if again := speak(); again != 3*first {
			t.Errorf("%v, then %v", first, again)
		}
		// So does a process that reads nothing itself.
		follower := price.NewEstimator(nil, price.Bound)
		today := s.ledger.Snapshot().Day
		records, err := s.ledger.History(t.Context(), today, today)
		if err != nil {
			t.Fatal(err)
		}
		follower.RecallCorrections(records)
		of := follower.Estimate(follower.Resolve(model), quota.Request{Characters: 100})
		if got := follower.DefaultCost(follower.Resolve(model), of, of.Neurons).Neurons; got != 3*first || of.Neurons != 3*first {
			t.Errorf("another process sets %v aside and books %v", of.Neurons, got)
		}
		pass(20 * time.Minute)
		log := s.log.String()
		if want := `level=INFO msg="calls cost other than the price table says, by the account's own figure; what was counted for them is corrected" model=` + model + " calls=1 "; strings.Count(log, "\n") != 1 || !strings.Contains(log, want) || !strings.Contains(log, " table_times=3\n") {
			t.Errorf("logged\n%s", log)
		}
	})
}

func TestAnotherSpenderIsTold(t *testing.T) {
	shareAccount(t, time.Hour, workersai.Options{}, func(t *testing.T, s *shared) {
		pass(time.Minute)
		if d := s.source(s.c).Today(t.Context()); *d.External != 0 || d.Reconciliation.CountedUntil == nil || d.Reconciliation.Failure != nil {
			t.Errorf("%+v", d.Reconciliation)
		}
		s.sim.Spend("m", 1000*quota.OneNeuron)
		pass(15 * time.Minute)
		if strings.Contains(s.log.String(), "another spender") {
			t.Errorf("a tenth of the day is told of\n%s", s.log.String())
		}
		for range 4 {
			s.sim.Spend("m", 500*quota.OneNeuron)
			pass(15 * time.Minute)
		}
		d := s.source(s.c).Today(t.Context())
		if *d.External != status.Neurons(3000*quota.OneNeuron) || *d.Remaining != status.Neurons(7000*quota.OneNeuron) {
			t.Errorf("external %v, left %v", *d.External, *d.Remaining)
		}
		if said := (screen{}).usage(usageReport{Today: d}, time.Now()); !strings.Contains(said, "\n  external       3000.00  spent outside this proxy, by the account's own figure\n  left           7000.00  of 10000.00\n") {
			t.Error(said)
		}
		series := seriesOf(t, s.m)
		for _, want := range []string{"neuronward_neurons_external 3000\n", "neuronward_neurons_used 0\n", "neuronward_neurons_remaining 7000\n", "neuronward_reconcile_failures_total 0\n", "neuronward_reconcile_timestamp_seconds 9.4669"} {
			if !strings.Contains(series, want) {
				t.Errorf("missing: %s", want)
			}
		}
		// 2,000 came in the last 50 minutes; what was there at first is not known to belong to them.
		if d.ExpectedAt == nil || d.ExpectedAt.Before(time.Now().Add(2*time.Hour)) || d.ExpectedAt.After(time.Now().Add(5*time.Hour)) {
			t.Errorf("it is %v, expected to be spent at %v", time.Now(), d.ExpectedAt)
		}
		if said := (screen{}).usage(usageReport{Today: d}, time.Now()); d.ExpectedAt != nil && !strings.Contains(said, "\nAt the rate of the last hour the day is spent at "+d.ExpectedAt.Format(time.RFC3339)+".\n") {
			t.Error(said)
		}
		pass(24 * time.Hour)
		s.sim.Spend("m", 2000*quota.OneNeuron)
		pass(time.Hour)
		if n := strings.Count(s.log.String(), "another spender"); n != 2 || strings.Count(s.log.String(), "\n") != 2 {
			t.Errorf("told %d times on two days\n%s", n, s.log.String())
		}
	})
}

// What the figure cannot be read for is said once, and is in no call's way.
func TestTheFigureCannotBeRead(t *testing.T) {
	var said atomic.Value
	said.Store("not authorized for that account")
	shareAccount(t, time.Hour, workersai.Options{GraphQLFails: func(time.Time) string { return said.Load().(string) }}, func(t *testing.T, s *shared) {
		lines := func(n int, last string) {
			t.Helper()
			all := strings.Split(strings.TrimSuffix(s.log.String(), "\n"), "\n")
			if len(all) != n || !strings.Contains(all[n-1], last) {
				t.Errorf("%s\nwant %d lines, in the last %q", s.log.String(), n, last)
			}
		}
		pass(3 * time.Hour)
		lines(1, "grant Account Analytics: Read")
		if f := s.source(s.c).Today(t.Context()).Reconciliation.Failure; f == nil || !strings.Contains(*f, "grant Account Analytics: Read") {
			t.Errorf("%v", f)
		}
		res, d, err := s.ledger.Reserve(t.Context(), quota.Call{Estimate: 9_999 * quota.OneNeuron})
		if err != nil || res == nil {
			t.Fatal(d, err)
		}
		res.Release()
		if series := seriesOf(t, s.m); strings.Contains(series, "neuronward_reconcile_failures_total 0\n") || !strings.Contains(series, "neuronward_reconcile_timestamp_seconds 0\n") {
			t.Error("no failure is counted")
		}
		said.Store("rate limiter budget depleted, please try again later")
		pass(time.Hour)
		lines(2, "rate limited")
		said.Store("")
		pass(time.Hour)
		lines(3, "can be read again")
		if r := s.source(s.c).Today(t.Context()).Reconciliation; r.Failure != nil || r.CountedUntil == nil {
			t.Errorf("%+v", r)
		}
	})
}

// Nothing is read at the beginning of a day, nor while it is another process'
// turn. That does not mean that the figure could be read.
func TestAFailureLastsUntilTheFigureIsRead(t *testing.T) {
	shareAccount(t, 23*time.Hour, workersai.Options{GraphQLFails: func(time.Time) string { return "not authorized for that account" }}, func(t *testing.T, s *shared) {
		failed := func(when string) {
			t.Helper()
			if text := s.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "grant Account Analytics: Read") {
				t.Errorf("%s:\n%s", when, text)
			}
			if s.source(s.c).Today(t.Context()).Reconciliation.Failure == nil {
				t.Errorf("%s: no failure", when)
			}
		}
		pass(time.Hour + 4*time.Minute + 30*time.Second)
		failed("just after midnight")
		pass(3 * time.Hour)
		failed("the next day")

		other, err := quota.New(t.Context(), quota.Options{Store: s.word.store, Limit: 10_000 * quota.OneNeuron})
		if err != nil {
			t.Fatal(err)
		}
		read := func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return 0, errors.New("no answer") }
		turn := func() {
			for range 60 {
				if ours, _ := other.Reconcile(t.Context(), 24*time.Hour, read); ours {
					return
				}
				pass(10 * time.Second)
			}
			t.Error("the other process never reads")
		}
		turn()
		pass(time.Hour)
		failed("another process fails as well")
		read = func(context.Context, quota.Day, time.Time) (quota.Neurons, error) { return 0, nil }
		turn()
		pass(time.Hour)
		if text := s.log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "can be read again") {
			t.Errorf("another process has read it:\n%s", text)
		}
		if f := s.source(s.c).Today(t.Context()).Reconciliation.Failure; f != nil {
			t.Errorf("another process has read it: %s", *f)
		}
		if err := other.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheFigureIsNotRead(t *testing.T) {
	for _, c := range []struct {
		name, set, says string
	}{
		{"no token of ours", "NEURONWARD_RECONCILE=5m", "without a token"},
		{"never", "NEURONWARD_RECONCILE=0", ""},
		{"nothing is counted", "NEURONWARD_QUOTA_MODE=off", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, config, _ := counting(t, c.set)
			var log bytes.Buffer
			if figureClient(config, nil, slog.New(slog.NewTextHandler(&log, nil))) != nil {
				t.Error("it is read")
			}
			if text := log.String(); strings.Count(text, "\n") != min(len(c.says), 1) || !strings.Contains(text, c.says) {
				t.Errorf("%s", text)
			}
		})
	}
}
