package quota_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A model that costs three times its table: only the calls that are in flight when that is learned pass the limit,
// and no call after them, on that day and the next, in that process and the next.
func TestAModelThatCostsThriceItsTable(t *testing.T) {
	const inFlight = 8
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	r := workload.Request{PromptBytes: 936, MaxTokens: 1000}
	bound := price.NewEstimator(nil, price.Bound).Estimate(price.Embedded().Resolve(model), r).Bound
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		for day, over := range []quota.Neurons{2 * inFlight * bound, 0, 0} {
			// A process a day, as after a restart.
			l := open(t, quota.Options{Store: store, Limit: inFlight * bound})
			e := price.NewEstimator(nil, price.Bound)
			today := l.Snapshot().Day
			kept, err := l.History(t.Context(), today-1, today)
			if err != nil {
				t.Fatal(err)
			}
			e.Recall(kept)
			var billed quota.Neurons
			for {
				var calls []*quota.Reservation
				var estimates []price.Estimate
				for range inFlight {
					of := e.Estimate(e.Resolve(model), r)
					res, _, err := l.Reserve(t.Context(), quota.Call{Model: model, Estimate: of.Neurons})
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
					res.Calibrate(e.Learn(e.Resolve(model), r, estimates[i], costing(3*bound)))
					billed += 3 * bound
				}
			}
			if got := max(billed-inFlight*bound, 0); got != over {
				t.Errorf("day %d: got %v over the limit, want %v", day, got, over)
			}
			if billed < (inFlight-3)*bound {
				t.Errorf("day %d: got %v billed, want about %v", day, billed, inFlight*bound)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestWhatWasLearnedIsKept(t *testing.T) {
	const model = "@cf/meta/llama-3.1-8b-instruct-fp8"
	r := workload.Request{PromptBytes: 936, MaxTokens: 1000}
	of := price.NewEstimator(nil, price.Bound).Estimate(price.Embedded().Resolve(model), r)
	virtually(t, func(t *testing.T) {
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
		learned := price.NewEstimator(nil, price.Bound)
		unlimited := workload.Request{PromptBytes: 936, NoDefault: true}
		learn := func(l *quota.Ledger, client string, ratio quota.Neurons) {
			m := learned.Resolve(model)
			for range 100 {
				res := take(t, l, quota.Call{Model: model, Client: client})
				res.Settle(settle(0))
				res.Calibrate(learned.Learn(m, r, of, costing(of.Bound*ratio/100)))
				res.Calibrate(learned.Learn(m, unlimited, of, price.Told{Input: 1, Output: 10 * int64(ratio)}))
			}
		}
		kept(func(l *quota.Ledger) { learn(l, "a", 50); learn(l, "b", 20); learn(l, "a", 250) })
		time.Sleep(time.Minute)
		for _, c := range []struct {
			name   string
			wait   time.Duration
			factor float64
			output int64 // of a call without a limit
		}{
			{"the same day", 0, 2.5, 3750},
			{"the next day", 24 * time.Hour, 2.5, 3750},
			{"the day after", 24 * time.Hour, 1, 16_384},
		} {
			time.Sleep(c.wait)
			e := price.NewEstimator(nil, price.Tight)
			m := e.Resolve(model)
			e.Recall(kept(func(*quota.Ledger) {}))
			got := e.Estimate(m, r).Neurons.Float() / of.Bound.Float()
			if got < c.factor || got > c.factor+0.01 {
				t.Errorf("%s: got %v times the bound, want %v", c.name, got, c.factor)
			}
			want := c.factor * m.Tokens(1000, 0, c.output).Float()
			if got := e.Estimate(m, unlimited).Neurons.Float(); got < want*0.999 || got > want*1.001 {
				t.Errorf("%s: got %v neurons for a call without a limit, want %v", c.name, got, want)
			}
		}
	})
}

// costing is what a call reports that costs n.
func costing(n quota.Neurons) price.Told { return price.Told{Neurons: n.Float()} }
