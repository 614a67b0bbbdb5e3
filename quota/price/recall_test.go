package price_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// Of several days and clients: the last day's, and of that the largest.
func TestRecall(t *testing.T) {
	r := workload.Request{PromptBytes: 936, MaxTokens: 1000}
	today := quota.DayOf(time.Now())
	rec := func(day quota.Day, client string, peak quota.Ratio) quota.Record {
		return quota.Record{Day: day, Model: model, Client: client, Calibration: quota.Calibration{Peak: peak}}
	}
	for _, c := range []struct {
		name    string
		records []quota.Record
		want    float64
	}{
		{"nothing", nil, 1},
		{"below 1", []quota.Record{rec(today, "", 0)}, 1},
		{"several clients", []quota.Record{rec(today, "b", 2000), rec(today, "a", 3000), rec(today, "c", 0)}, 3},
		{"a day before", []quota.Record{rec(today, "b", 2000), rec(today-1, "a", 1500)}, 2},
		{"absurd", []quota.Record{rec(today, "b", 1e15)}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := price.NewEstimator(nil, price.Tight)
			e.Recall(c.records)
			of := e.Estimate(e.Resolve(model), r)
			if got := of.Neurons.Float() / of.Bound.Float(); got < c.want*0.999 || got > c.want*1.001 {
				t.Errorf("got %v times the bound, want %v", got, c.want)
			}
		})
	}
}

// What other replicas have learned counts, and once: what is recalled again and again fades all the same.
func TestRecallTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		today := quota.DayOf(time.Now())
		learned := quota.Calibration{
			Prompt: 1500, Output: 2000, ByDefault: 1000, Undocumented: 3000, UndocumentedCalls: 20,
		}
		records := []quota.Record{
			{Day: today, Model: model, Client: "a", Calibration: quota.Calibration{Prompt: 1200, UndocumentedCalls: 1}},
			{Day: today, Model: model, Client: "b", Calibration: learned},
			{Day: today, Model: quota.Other, Calibration: quota.Calibration{Prompt: 1900}},
		}
		e := price.NewEstimator(nil, price.Tight)
		m := e.Resolve(model)
		want := func(when string, limited, byDefault, undocumented, prompt int64) {
			t.Helper()
			r := workload.Request{PromptBytes: 10_000, PromptTokens: 1000}
			for name, c := range map[string]struct {
				r    workload.Request
				want int64
			}{
				"with a limit":    {workload.Request{MaxTokens: 1000}, limited},
				"by a default":    {workload.Request{}, byDefault},
				"without default": {workload.Request{NoDefault: true}, undocumented},
			} {
				c.r.PromptBytes, c.r.PromptTokens = r.PromptBytes, r.PromptTokens
				got, cost := e.Estimate(m, c.r).Neurons, m.Tokens(prompt+64, 0, c.want)
				if diff := got - cost; diff < -100_000 || diff > 100_000 {
					t.Errorf("%s: got %v for a call %s, want %v", when, got, name, cost)
				}
			}
		}
		want("at first", 1000, 256, 16_384, 1000)
		e.Recall(records)
		want("recalled", 2000, 1500, 4500, 1500)
		time.Sleep(time.Hour)
		e.Recall(records)
		want("recalled again an hour later", 1500, 1500, 4500, 1250)
		records[1].Undocumented, records[1].Prompt = 6000, 1600
		e.Recall(records)
		want("with something new", 1500, 1500, 9000, 1600)
	})
}
