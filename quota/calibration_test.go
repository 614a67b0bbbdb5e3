package quota_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// A model that costs three times its table: the calls in flight when it is found
// out pass the ceiling, and no call after them, on that day and the next, in that
// process and the next.
func TestAModelThatCostsThriceItsTable(t *testing.T) {
	const flying = 8
	r := quota.Request{Model: "@cf/meta/llama-3.1-8b-instruct-fp8", PromptBytes: 936, MaxTokens: 1000}
	bound := quota.NewEstimator(nil, quota.Bound).Estimate(r).Bound
	virtually(t, func(t *testing.T) {
		store := quota.NewMemory(nil)
		for day, over := range []quota.Neurons{2 * flying * bound, 0, 0} {
			// A process a day, as after a restart.
			l := open(t, quota.Options{Store: store, Limit: flying * bound})
			e := quota.NewEstimator(nil, quota.Bound)
			today := l.Snapshot().Day
			kept, err := l.History(t.Context(), today-1, today)
			if err != nil {
				t.Fatal(err)
			}
			e.Recall(kept)
			var billed quota.Neurons
			for {
				var calls []*quota.Reservation
				var estimates []quota.Estimate
				for range flying {
					of := e.Estimate(r)
					res, _, err := l.Reserve(t.Context(), quota.Call{Model: r.Model, Estimate: of.Neurons})
					if err != nil {
						t.Fatal(err)
					}
					if res != nil {
						calls, estimates = append(calls, res), append(estimates, of)
					}
				}
				if len(calls) == 0 {
					break
				}
				for i, res := range calls {
					res.Settle(settle(3 * bound))
					res.Calibrate(e.Learn(r.Model, estimates[i], 3*bound))
					billed += 3 * bound
				}
			}
			if got := max(billed-flying*bound, 0); got != over {
				t.Errorf("day %d: %v over the ceiling, want %v", day, got, over)
			}
			if billed < (flying-3)*bound {
				t.Errorf("day %d: %v billed of %v", day, billed, flying*bound)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestWhatWasLearntIsKept(t *testing.T) {
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	r := quota.Request{Model: model, PromptBytes: 936, MaxTokens: 1000}
	of := quota.NewEstimator(nil, quota.Bound).Estimate(r)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "quota")
		kept := func(then func(*quota.Ledger)) []quota.Record {
			s, err := filestore.Open(t.Context(), path, filestore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			l := open(t, quota.Options{Store: s, Replica: quota.Replica(time.Now().String())})
			then(l)
			today := l.Snapshot().Day
			records, err := l.History(t.Context(), today-1, today)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			return records
		}
		learnt := quota.NewEstimator(nil, quota.Bound)
		learn := func(l *quota.Ledger, client string, ratio quota.Neurons) {
			for range 100 {
				res := take(t, l, quota.Call{Model: model, Client: client})
				res.Settle(settle(0))
				res.Calibrate(learnt.Learn(model, of, of.Bound*ratio/100))
			}
		}
		kept(func(l *quota.Ledger) { learn(l, "a", 50); learn(l, "b", 20); learn(l, "a", 250) })
		time.Sleep(time.Minute)
		factor := func(mode quota.EstimateMode) float64 {
			e := quota.NewEstimator(nil, mode)
			e.Recall(kept(func(*quota.Ledger) {}))
			return e.Estimate(r).Neurons.Float() / of.Bound.Float()
		}
		for _, c := range []struct {
			name            string
			wait            time.Duration
			bound, expected [2]float64
		}{
			{"the same day", 0, [2]float64{2.5, 2.51}, [2]float64{2.5, 3}},
			{"the next day", 24 * time.Hour, [2]float64{2.5, 2.51}, [2]float64{2.5, 3}},
			{"the day after", 24 * time.Hour, [2]float64{1, 1}, [2]float64{1, 1}},
		} {
			time.Sleep(c.wait)
			if b, e := factor(quota.Bound), factor(quota.Expected); b < c.bound[0] || b > c.bound[1] || e < c.expected[0] || e > c.expected[1] {
				t.Errorf("%s: %v times the bound, %v expected", c.name, b, e)
			}
		}
	})
}

// Of several days and clients: the last day's, and of that the largest.
func TestRecall(t *testing.T) {
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	r := quota.Request{Model: model, PromptBytes: 936, MaxTokens: 1000}
	today := quota.DayOf(time.Now())
	rec := func(day quota.Day, client string, peak, usual quota.Ratio) quota.Record {
		return quota.Record{Day: day, Model: model, Client: client, Calibration: quota.Calibration{Peak: peak, Usual: usual}}
	}
	for _, c := range []struct {
		name            string
		records         []quota.Record
		bound, expected float64
	}{
		{"nothing", nil, 1, 1},
		{"below 1", []quota.Record{rec(today, "", 0, 250)}, 1, 0.25},
		{"several clients", []quota.Record{rec(today, "b", 2000, 250), rec(today, "a", 3000, 500), rec(today, "c", 0, 125)}, 3, 0.5},
		{"a day before", []quota.Record{rec(today, "b", 2000, 250), rec(today-1, "a", 1500, 500)}, 2, 0.25},
		{"absurd", []quota.Record{rec(today, "b", 1e15, 1e15)}, 100, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			for mode, want := range map[quota.EstimateMode]float64{quota.Bound: c.bound, quota.Expected: c.expected} {
				e := quota.NewEstimator(nil, mode)
				e.Recall(c.records)
				of := e.Estimate(r)
				if got := of.Neurons.Float() / of.Bound.Float(); got < want*0.999 || got > want*1.001 {
					t.Errorf("mode %v: %v times the bound, want %v", mode, got, want)
				}
			}
		})
	}
}
