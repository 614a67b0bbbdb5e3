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
