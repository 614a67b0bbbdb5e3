package price

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// Calls without a limit are counted, up to as many as are enough, whoever saw them and in whatever order it is told.
func TestRecalledCallsAreCounted(t *testing.T) {
	const model = "@cf/zai-org/glm-4.7-flash" // documents no default
	for _, c := range []struct {
		name      string
		learned   int   // calls here
		passed    int   // days since
		yesterday int64 // calls on record
		today     int64
		after     int // calls here, then
		want      int64
	}{
		{name: "here alone", learned: 7, want: 7},
		{name: "elsewhere alone", today: 12, want: 12},
		{name: "more elsewhere", learned: 5, today: 12, want: 12},
		{name: "fewer elsewhere", learned: 20, today: 1, want: 20},
		{name: "more than are enough", today: 1000, want: 20},
		{name: "fewer today than the day before", yesterday: 20, today: 1, want: 20},
		{name: "and some more here", yesterday: 18, today: 1, after: 1, want: 19},
		{name: "enough, and one more here", today: 20, after: 1, want: 20},
		{name: "here days ago, then elsewhere", learned: 20, passed: 3, yesterday: 3, want: 3},
		{name: "here days ago, then here", learned: 20, passed: 3, after: 2, want: 2},
		{name: "a figure that cannot be", learned: 2, today: -30, want: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Hour) // the day before is so long ago
				e := NewEstimator(nil, Tight)
				m := e.Resolve(model)
				learn := func(calls int) {
					r := workload.Request{PromptBytes: 1, PromptTokens: 1}
					for range calls {
						e.Learn(m, r, e.Estimate(m, r), Told{Input: 10, Output: 1000})
					}
				}
				record := func(day quota.Day, calls, longest int64) quota.Record {
					return quota.Record{Day: day, Model: model, Calibration: quota.Calibration{
						Undocumented: longest, UndocumentedCalls: calls,
					}}
				}
				learn(c.learned)
				time.Sleep(time.Duration(c.passed) * 24 * time.Hour)
				var records []quota.Record
				today := quota.DayOf(time.Now())
				if c.yesterday != 0 {
					records = append(records, record(today-1, c.yesterday, 2000))
				}
				if c.today != 0 {
					records = append(records, record(today, c.today, 3000))
				}
				e.Recall(records)
				learn(c.after)
				s := e.learned.models[model]
				if s == nil {
					t.Fatal("got no lessons of the model, want some")
				}
				if s.calls != c.want {
					t.Errorf("calls: got %d, want %d", s.calls, c.want)
				}
				if got, want := e.learned.factors(model).enough, c.want == enoughCalls; got != want {
					t.Errorf("they are enough: got %v, want %v", got, want)
				}
			})
		})
	}
}

// A value that is told late counts by when it was seen.
func TestAFadingValueThatIsToldLate(t *testing.T) {
	noon := time.Unix(1_800_000_000, 0)
	var f fading
	for _, step := range []struct {
		name  string
		value float64
		ago   time.Duration
		want  float64 // at noon
	}{
		{"now", 1, 0, 1},
		{"an hour ago, and less by now", 1.5, time.Hour, 1},
		{"an hour ago, and more by now", 4, time.Hour, 2},
		{"a day ago", 100, 24 * time.Hour, 2},
	} {
		f.raise(step.value, noon.Add(-step.ago))
		if got := f.at(noon); math.Abs(got-step.want) > 1e-9 {
			t.Errorf("%s: got %v at noon, want %v", step.name, got, step.want)
		}
		if got, want := f.at(noon.Add(time.Hour)), step.want/2; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v an hour later, want %v", step.name, got, want)
		}
	}
}
