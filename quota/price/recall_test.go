package price_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// Of several days and clients: the last day's, and of that the largest.
func TestRecall(t *testing.T) {
	r := quota.Request{PromptBytes: 936, MaxTokens: 1000}
	today := quota.DayOf(time.Now())
	rec := func(day quota.Day, client string, peak, usual quota.Ratio) quota.Record {
		learned := quota.Calibration{Peak: peak, Usual: usual}
		return quota.Record{Day: day, Model: model, Client: client, Calibration: learned}
	}
	for _, c := range []struct {
		name            string
		records         []quota.Record
		bound, expected float64
	}{
		{"nothing", nil, 1, 1},
		{"below 1", []quota.Record{rec(today, "", 0, 250)}, 1, 0.25},
		{
			"several clients",
			[]quota.Record{rec(today, "b", 2000, 250), rec(today, "a", 3000, 500), rec(today, "c", 0, 125)},
			3, 0.5,
		},
		{"a day before", []quota.Record{rec(today, "b", 2000, 250), rec(today-1, "a", 1500, 500)}, 2, 0.25},
		{"absurd", []quota.Record{rec(today, "b", 1e15, 1e15)}, 100, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			for mode, want := range map[price.Mode]float64{price.Bound: c.bound, price.Expected: c.expected} {
				e := price.NewEstimator(nil, mode)
				e.Recall(c.records)
				of := e.Estimate(e.Resolve(model), r)
				if got := of.Neurons.Float() / of.Bound.Float(); got < want*0.999 || got > want*1.001 {
					t.Errorf("mode %v: got %v times the bound, want %v", mode, got, want)
				}
			}
		})
	}
}
