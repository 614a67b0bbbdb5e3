package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The curve is drawn in minutes from left to right and in thousandths of its
// height from top to bottom; texts and dots, which must not be stretched, are
// placed by percent.
const (
	curveWidth  = 24 * 60
	curveHeight = 1000
	curveStep   = 3 // minutes between points: more would not be seen
)

// A curve is the account's day as a drawing.
type curve struct {
	Used, External, Reserved string // areas, one upon the other
	Edge                     string // the upper end of what is spent
	Yesterday                string
	Forecast                 string
	Ceiling                  float64 // percent from the top
	HasCeiling               bool
	CeilingText              string
	Lines                    []gridline
	Now                      mark
	End                      *mark // where the forecast ends
	Text                     string
	Hours                    []hourRow
	HasYesterday             bool
}

type gridline struct {
	Top  float64
	Text string
}

type mark struct {
	Left, Top float64 // percent
	Late      bool    // in the right half: what is written beside it goes to the left
	Text      string
}

// hourRow is one row of the table that says what the curve shows.
type hourRow struct{ Until, Today, Yesterday string }

// height is one moment of the curve.
type height struct{ at, used, external, reserved float64 }

func curveOf(d *Day, now time.Time) *curve {
	heights := d.heights(now)
	last := heights[len(heights)-1]
	total := last.used + last.external
	c := &curve{HasYesterday: d.YesterdayUsed > 0 && len(d.Yesterday) > 0}

	most := max(total+last.reserved, 1)
	for _, h := range heights {
		most = max(most, h.used+h.external+h.reserved)
	}
	if c.HasYesterday {
		most = max(most, d.YesterdayUsed)
	}
	end := mark{Left: 100}
	forecast := d.atReset(now)
	switch {
	case d.ExhaustedAt != nil || d.Rate <= 0:
		forecast = 0
	case d.ExpectedAt != nil && d.Limit != nil:
		forecast = *d.Limit
		end.Left, end.Text = percent(minuteOf(*d.ExpectedAt, d.Start), curveWidth), d.ExpectedAt.UTC().Format("15:04")
	}
	most = max(most, forecast)
	if d.Limit != nil {
		most = max(most, *d.Limit)
	}
	most *= 1.1
	top := func(n float64) float64 { return percent(most-n, most) }
	if d.Limit != nil {
		c.Ceiling, c.HasCeiling, c.CeilingText = top(*d.Limit), true, "ceiling, "+amount(*d.Limit)+" neurons"
	}
	for n, step := 0.0, niceStep(most/4); n < most; n += step {
		if n > 0 && (d.Limit == nil || math.Abs(n-*d.Limit) > most/16) && top(n) > 4 {
			c.Lines = append(c.Lines, gridline{top(n), amount(n)})
		}
	}

	y := func(n float64) float64 { return curveHeight * top(n) / 100 }
	c.Used = area(heights, y, func(h height) (from, to float64) { return 0, h.used })
	c.External = area(heights, y, func(h height) (from, to float64) { return h.used, h.used + h.external })
	c.Reserved = area(heights, y, func(h height) (from, to float64) { return h.used + h.external, h.used + h.external + h.reserved })
	c.Edge = line(heights, y, func(h height) float64 { return h.used + h.external })
	if c.HasYesterday {
		var b path
		b.to(0, y(0))
		for i, used := range d.Yesterday {
			b.to(float64(60*(i+1)), y(used))
		}
		c.Yesterday = b.String()
	}
	c.Now = mark{Left: percent(last.at, curveWidth), Top: top(total), Late: last.at > curveWidth/2, Text: amount(total)}
	if forecast > 0 {
		end.Top, end.Late = top(forecast), end.Left > 50
		if end.Text == "" {
			end.Text = "about " + about(forecast)
		}
		c.End = &end
		c.Forecast = fmt.Sprintf("M%.0f %.0fL%.0f %.0f", last.at, y(total), end.Left/100*curveWidth, y(forecast))
	}
	c.Hours = hourRows(d, heights)
	c.Text = "Neurons of the day by the hour; the table below says the same."
	return c
}

// heights are the moments that are known, the last of them now. Before the first
// sample of this process the store's hours say how it was.
func (d *Day) heights(now time.Time) []height {
	end := min(max(minuteOf(now, d.Start), 0), curveWidth)
	first := end
	if len(d.Samples) > 0 {
		first = min(first, minuteOf(d.Samples[0].At, d.Start))
	}
	var all []height
	if len(d.Hours) > 0 && first > 1 {
		all = append(all, height{})
		for i, used := range d.Hours {
			if at := float64(60 * (i + 1)); at < first {
				all = append(all, height{at: at, used: used})
			}
		}
	}
	before := math.Inf(-1)
	for _, s := range d.Samples {
		if at := minuteOf(s.At, d.Start); at >= max(before+curveStep, 0) && at < end {
			all, before = append(all, height{at, s.Used, s.External, s.Reserved}), at
		}
	}
	return append(all, height{end, d.Used, d.External, d.Reserved})
}

// minuteOf is t as minutes since start.
func minuteOf(t, start time.Time) float64 { return t.Sub(start).Minutes() }

func percent(part, whole float64) float64 {
	return math.Round(min(max(part/whole, 0), 1)*1e4) / 100
}

// niceStep is the next of 1, 2, 5, 10, 20 … that is no less than n.
func niceStep(n float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(n)))
	for _, f := range []float64{1, 2, 5} {
		if f*unit >= n {
			return f * unit
		}
	}
	return 10 * unit
}

// A path is an SVG path through points.
type path struct{ strings.Builder }

func (p *path) to(x, y float64) {
	if p.Len() == 0 {
		p.WriteByte('M')
	} else {
		p.WriteByte('L')
	}
	p.WriteString(strconv.FormatFloat(x, 'f', 0, 64))
	p.WriteByte(' ')
	p.WriteString(strconv.FormatFloat(y, 'f', 0, 64))
}

func line(heights []height, y func(float64) float64, value func(height) float64) string {
	var b path
	for _, h := range heights {
		b.to(h.at, y(value(h)))
	}
	return b.String()
}

// area is what lies between two lines, "" where that is nothing.
func area(heights []height, y func(float64) float64, between func(height) (from, to float64)) string {
	var b path
	some := false
	for _, h := range heights {
		from, to := between(h)
		some = some || to > from
		b.to(h.at, y(to))
	}
	if !some {
		return ""
	}
	for _, h := range slices.Backward(heights) {
		from, _ := between(h)
		b.to(h.at, y(from))
	}
	return b.String() + "Z"
}

// hourRows tells the curve hour by hour, as far as the day has come.
func hourRows(d *Day, heights []height) []hourRow {
	last := heights[len(heights)-1]
	var rows []hourRow
	for hour := 1; hour <= 24; hour++ {
		at := float64(60 * hour)
		r := hourRow{Until: fmt.Sprintf("%02d:00", hour), Today: "–", Yesterday: "–"}
		if at <= last.at {
			if n, ok := known(heights, at); ok {
				r.Today = amount(n)
			}
		}
		if hour <= len(d.Yesterday) {
			r.Yesterday = amount(d.Yesterday[hour-1])
		}
		if r.Today != "–" || r.Yesterday != "–" {
			rows = append(rows, r)
		}
	}
	now := hourRow{Until: "now", Today: amount(last.used + last.external), Yesterday: "–"}
	if d.YesterdayNow != nil {
		now.Yesterday = amount(*d.YesterdayNow)
	}
	return append(rows, now)
}

// known is what was spent until a minute of the day, as the last moment before it
// has it. ok is false before the first.
func known(heights []height, at float64) (n float64, ok bool) {
	for _, h := range heights {
		if h.at > at {
			break
		}
		n, ok = h.used+h.external, true
	}
	return n, ok
}

// percentText is a percentage as SVG has it.
func percentText(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }
