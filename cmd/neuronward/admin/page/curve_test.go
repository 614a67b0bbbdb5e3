package page

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
)

// points are those of a path, in neurons and hours of a curve that is most high.
func points(t *testing.T, path string, most float64) (all [][2]float64) {
	t.Helper()
	for p := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == 'M' || r == 'L' || r == 'Z' }) {
		var x, y float64
		if _, err := fmt.Sscanf(p, "%f %f", &x, &y); err != nil {
			t.Fatal(p, err)
		}
		all = append(all, [2]float64{x / 60, most * (1 - y/curveHeight)})
	}
	return all
}

func TestCurveIsWhatHappened(t *testing.T) {
	now := today.Add(6 * time.Hour)
	d := &Day{
		Start: today, Used: 3000, External: 500, Reserved: 200, Limit: new(10_000.0), Remaining: new(6300.0), Rate: 0.5, ExpectedAt: new(today.Add(9*time.Hour + 30*time.Minute)),
		Hours:     []float64{100, 250, 600, 1200, 2000, 3000, 3000}, // this process began at 04:00
		Yesterday: make([]float64, 24), YesterdayUsed: 2400, YesterdayNow: new(600.0),
	}
	for i := range d.Yesterday {
		d.Yesterday[i] = float64(i+1) * 100
	}
	for at := today.Add(4 * time.Hour); at.Before(now); at = at.Add(time.Minute) {
		d.Samples = append(d.Samples, minutes.Sample{At: at, Used: 1200 + 15*at.Sub(today.Add(4*time.Hour)).Minutes(), External: 400, Reserved: 10})
	}
	c := curveOf(d, now)
	const most = 11_000
	edge := points(t, c.Edge, most)
	near := func(name string, got [2]float64, hour, neurons float64) {
		t.Helper()
		if math.Abs(got[0]-hour) > 0.02 || math.Abs(got[1]-neurons) > most/curveHeight {
			t.Errorf("%s is at %.2f h, %.0f neurons; want %.2f, %.0f", name, got[0], got[1], hour, neurons)
		}
	}
	near("the beginning", edge[0], 0, 0)
	near("the first hour, by the store", edge[1], 1, 100)
	near("the third hour, by the store", edge[3], 3, 600)
	near("the first sample", edge[4], 4, 1600)
	near("now", edge[len(edge)-1], 6, 3500)
	forecast := points(t, c.Forecast, most)
	near("the forecast's beginning", forecast[0], 6, 3500)
	near("the forecast's end", forecast[1], 9.5, 10_000)
	yesterday := points(t, c.Yesterday, most)
	near("the end of yesterday", yesterday[24], 24, 2400)
	if len(edge) > 4+2*60/curveStep+2 {
		t.Errorf("%d points", len(edge))
	}
	if !c.HasCeiling || math.Abs(c.Ceiling-100.0/11) > 0.1 || c.CeilingText != "ceiling, 10,000 neurons" || c.End.Text != "09:30" || c.External == "" || c.Reserved == "" {
		t.Errorf("%+v", c)
	}
	if got, want := fmt.Sprint(c.Hours[0], c.Hours[4], c.Hours[5], c.Hours[24]), "{01:00 100 100} {05:00 2,500 500} {06:00 3,500 600} {now 3,500 600}"; got != want {
		t.Errorf("the table says %s, want %s", got, want)
	}
}

func TestCurvesOfOddDays(t *testing.T) {
	for _, c := range []struct {
		name     string
		at       time.Duration
		day      Day
		ceiling  bool
		forecast string // where it ends
	}{
		{"the first moment of a day", 0, Day{Limit: new(10_000.0)}, true, ""},
		{"the last moment of a day", 24 * time.Hour, Day{Used: 10, Limit: new(10_000.0), Rate: 1}, true, "about 10"},
		{"a clock that is behind the account's", -time.Minute, Day{Used: 1, Limit: new(100.0)}, true, ""},
		{"no ceiling", 12 * time.Hour, Day{Used: 1200, Rate: 0.1}, false, "about 5,500"},
		{"no ceiling, nothing spent", 12 * time.Hour, Day{}, false, ""},
		{"more than the ceiling", 12 * time.Hour, Day{Used: 12_000, Limit: new(10_000.0), ExhaustedAt: &today, Rate: 1}, true, ""},
		{"a tiny ceiling", 12 * time.Hour, Day{Used: 0.02, Limit: new(0.1)}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.day.Start = today
			k := curveOf(&c.day, today.Add(c.at))
			all := fmt.Sprintf("%+v", *k)
			if strings.Contains(all, "NaN") || strings.Contains(all, "Inf") || k.HasCeiling != c.ceiling || k.Now.Top < 0 || k.Now.Top > 100 {
				t.Error(all)
			}
			switch {
			case k.End == nil && c.forecast == "":
			case k.End == nil || k.End.Text != c.forecast:
				t.Errorf("the forecast ends at %+v, want %q", k.End, c.forecast)
			}
			if len(k.Lines) > 8 {
				t.Errorf("%d lines", len(k.Lines))
			}
		})
	}
}
