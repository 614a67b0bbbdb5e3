package page

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
)

// places reads a path, in hours and in neurons of a curve whose upper end is highest.
func places(t *testing.T, path string, highest float64) (all [][2]float64) {
	t.Helper()
	for p := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == 'M' || r == 'L' || r == 'Z' }) {
		var x, y float64
		if _, err := fmt.Sscanf(p, "%f %f", &x, &y); err != nil {
			t.Fatal(p, err)
		}
		all = append(all, [2]float64{x / 60, highest * (1 - y/curveHeight)})
	}
	return all
}

func TestCurve(t *testing.T) {
	now := today.Add(6 * time.Hour)
	d := emptyDay()
	d.Used, d.External, d.Reserved, d.Limit, d.Remaining = some(3000), some(500), some(200), some(10_000), some(6300)
	d.Forecast = &status.Forecast{
		Low: neurons(12_000), High: neurons(19_000),
		Earliest: new(today.Add(9*time.Hour + 30*time.Minute)), Latest: new(today.Add(11 * time.Hour)),
	}
	d.Hours = make(status.Hourly, 24)
	for i, used := range []float64{100, 250, 600, 1200, 2000, 3000, 3000} { // this process began at 04:00
		d.Hours[i] = some(used)
	}
	d.Yesterday = &status.Yesterday{Used: neurons(2400), ByNow: some(600), Hours: make(status.Hourly, 24)}
	for i := range d.Yesterday.Hours {
		d.Yesterday.Hours[i] = some(float64(i+1) * 100)
	}
	var samples []minutes.Sample
	for at := today.Add(4 * time.Hour); at.Before(now); at = at.Add(time.Minute) {
		used := 1200 + 15*at.Sub(today.Add(4*time.Hour)).Minutes()
		samples = append(samples, minutes.Sample{At: at, Used: used, External: 400, Reserved: 10})
	}
	c := curveOf(&d, samples, now)
	const highest = 11_000
	edge := places(t, c.Edge, highest)
	near := func(name string, got [2]float64, hour, neurons float64) {
		t.Helper()
		if math.Abs(got[0]-hour) > 0.02 || math.Abs(got[1]-neurons) > highest/curveHeight {
			t.Errorf("%s: got %.2f h, %.0f neurons; want %.2f, %.0f", name, got[0], got[1], hour, neurons)
		}
	}
	near("the beginning", edge[0], 0, 0)
	near("the first hour, by the store", edge[1], 1, 100)
	near("the third hour, by the store", edge[3], 3, 600)
	near("the first sample", edge[4], 4, 1600)
	near("now", edge[len(edge)-1], 6, 3500)
	forecast := places(t, c.Forecast, highest)
	near("the forecast's beginning", forecast[0], 6, 3500)
	near("the forecast's earliest end", forecast[1], 9.5, 10_000)
	near("the forecast's latest end", forecast[2], 11, 10_000)
	yesterday := places(t, c.Yesterday, highest)
	near("the end of yesterday", yesterday[24], 24, 2400)
	if got, want := len(edge), 4+2*60/curveStep+2; got > want {
		t.Errorf("got %d points, want at most %d", got, want)
	}
	if c.Limit == nil {
		t.Fatal("got no limit, want 10,000 neurons")
	}
	if got, want := c.Limit.Top, 100.0/11; math.Abs(got-want) > 0.1 {
		t.Errorf("got the limit at %v %%, want about %v", got, want)
	}
	if got, want := c.Limit.Text, "limit, 10,000 neurons"; got != want {
		t.Errorf("got the limit %q, want %q", got, want)
	}
	if c.End == nil || c.End.Text != "09:30 to 11:00" {
		t.Errorf("got a forecast until %+v, want 09:30 to 11:00", c.End)
	}
	if c.External == "" || c.Reserved == "" {
		t.Errorf("got areas %q and %q, want both", c.External, c.Reserved)
	}
}

func TestCurvesOfOddDays(t *testing.T) {
	for _, c := range []struct {
		name     string
		at       time.Duration
		used     float64
		limit    *status.Neurons
		high     float64 // of a forecast; 0: none
		from     time.Duration
		forecast string // where it ends
	}{
		{name: "the first moment of a day", limit: some(10_000)},
		{name: "the last moment", at: 24 * time.Hour, used: 10, limit: some(10_000), high: 10, forecast: "9 to 10"},
		{name: "a clock that is behind the account's", at: -time.Minute, used: 1, limit: some(100)},
		{
			name: "it may run out", at: 12 * time.Hour, used: 60, limit: some(100), high: 120, from: 20 * time.Hour,
			forecast: "from 20:00",
		},
		{name: "no limit", at: 12 * time.Hour, used: 1200, high: 5500, forecast: "5,000 to 5,500"},
		{name: "no limit, nothing spent", at: 12 * time.Hour},
		{name: "more than the limit", at: 12 * time.Hour, used: 12_000, limit: some(10_000)},
		{name: "a tiny limit", at: 12 * time.Hour, used: 0.02, limit: some(0.1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := emptyDay()
			d.Used, d.Limit = some(c.used), c.limit
			if c.high > 0 {
				d.Forecast = &status.Forecast{Low: neurons(c.high / 1.1), High: neurons(c.high)}
			}
			if c.from > 0 {
				d.Forecast.Earliest = new(today.Add(c.from))
			}
			k := curveOf(&d, nil, today.Add(c.at))
			all := fmt.Sprintf("%+v %+v %+v", *k, k.Limit, k.End)
			for _, bad := range []string{"NaN", "Inf"} {
				if strings.Contains(all, bad) {
					t.Errorf("got %s, want no %s", all, bad)
				}
			}
			if got, want := k.Limit != nil, c.limit != nil; got != want {
				t.Errorf("got a limit %v, want %v", got, want)
			}
			if k.Now.Top < 0 || k.Now.Top > 100 {
				t.Errorf("got now at %g %%, want 0 to 100", k.Now.Top)
			}
			switch {
			case k.End == nil && c.forecast == "":
			case k.End == nil || k.End.Text != c.forecast:
				t.Errorf("got a forecast until %+v, want %q", k.End, c.forecast)
			}
			if len(k.Grid) > 8 {
				t.Errorf("got %d lines of the grid, want at most 8", len(k.Grid))
			}
		})
	}
}
