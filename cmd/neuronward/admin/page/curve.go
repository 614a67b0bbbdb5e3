package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
	"github.com/neuronward/neuronward/metrics/minutes"
)

// The curve is drawn in minutes from left to right and in thousandths of its height from top to bottom; texts and dots,
// which must not be stretched, are placed by percent.
const (
	curveWidth  = 24 * 60
	curveHeight = 1000
	curveStep   = 3 // minutes between points: more would not be seen
)

// A curve is the account's day as a drawing.
type curve struct {
	Used, External, Reserved string // areas from the lower end up; each hides a part of the next
	Edge, Yesterday          string // lines; Edge is the upper end of what is spent
	Forecast                 string // area between the slower and the faster of the present rates
	Limit                    *gridLine
	Grid                     []gridLine
	Now                      mark
	End                      *mark // where the forecast ends
}

type gridLine struct {
	Top  float64 // percent
	Text string
}

type mark struct {
	Left, Top float64 // percent
	Late      bool    // in the right half: its text is to the left of it
	Text      string
}

// A point is the state of the day at one moment, in whole neurons; at is in minutes since its start.
type point struct{ at, used, external, reserved float64 }

func (p point) spent() float64 { return p.used + p.external }
func (p point) top() float64   { return p.spent() + p.reserved }

func curveOf(t *status.Today, samples []minutes.Sample, now time.Time) *curve {
	points := pointsOf(t, samples, now)
	last := points[len(points)-1]
	ends := endsOf(t)
	scale := scaleOf(t, points, ends)
	y := scale.y

	c := &curve{
		Edge: through(points, y, point.spent),
		Used: below(points, y, func(p point) float64 { return p.used }),
		Now:  mark{Left: percent(last.at, curveWidth), Top: scale.top(last.spent())},
	}
	if slices.ContainsFunc(points, func(p point) bool { return p.external > 0 }) {
		c.External = below(points, y, point.spent)
	}
	if slices.ContainsFunc(points, func(p point) bool { return p.reserved > 0 }) {
		c.Reserved = below(points, y, point.top)
	}
	if hours := yesterdayOf(t); hours != nil {
		yesterday := []point{{}}
		for i, used := range hours {
			yesterday = append(yesterday, point{at: float64(60 * (i + 1)), used: used.Float()})
		}
		c.Yesterday = through(yesterday, y, point.spent)
	}
	if ends != nil {
		first := ends[0]
		c.End = &mark{
			Left: percent(first.at, curveWidth), Top: scale.top(first.used), Late: first.at > curveWidth/2,
			Text: endText(t.Forecast),
		}
		c.Forecast = through(append([]point{last}, ends...), y, point.spent) + "Z"
	}
	if t.Limit != nil {
		c.Limit = &gridLine{scale.top(t.Limit.Float()), "limit, " + inNeurons(*t.Limit)}
	}
	for n, step := 0.0, niceStep(scale.max/4); n < scale.max; n += step {
		nearLimit := t.Limit != nil && math.Abs(n-t.Limit.Float()) <= scale.max/16 // where its text is
		if n > 0 && !nearLimit && scale.top(n) > 4 {
			c.Grid = append(c.Grid, gridLine{scale.top(n), words.Rounded(n)})
		}
	}
	return c
}

// pointsOf returns the moments that are known, the last of them now. Before the first sample of this process the hours
// of the store say what was spent.
func pointsOf(t *status.Today, samples []minutes.Sample, now time.Time) []point {
	start := t.Day.Start()
	minute := func(at time.Time) float64 { return at.Sub(start).Minutes() }
	end := min(max(minute(now), 0), curveWidth)
	first := end
	if len(samples) > 0 {
		first = min(first, minute(samples[0].At))
	}
	var all []point
	if len(t.Hours) > 0 && first > 1 {
		all = append(all, point{})
		for i, used := range t.Hours {
			if at := float64(60 * (i + 1)); used != nil && at < first {
				all = append(all, point{at: at, used: used.Float()})
			}
		}
	}
	next := 0.0
	for _, s := range samples {
		if at := minute(s.At); at >= next && at < end {
			all, next = append(all, point{at, s.Used, s.External, s.Reserved}), at+curveStep
		}
	}
	return append(all, point{end, t.Used.Float(), t.External.Float(), t.Reserved.Float()})
}

// endsOf is where the forecast ends, at the limit or at the reset: first at the faster rate, last at the slower. It is
// nil without a forecast.
func endsOf(t *status.Today) []point {
	f := t.Forecast
	if f == nil {
		return nil
	}
	end := func(at *time.Time, spent status.Neurons) point {
		if at == nil || t.Limit == nil {
			return point{at: curveWidth, used: spent.Float()}
		}
		return point{at: at.Sub(t.Day.Start()).Minutes(), used: t.Limit.Float()}
	}
	ends := []point{end(f.Earliest, f.High)}
	if f.Earliest != nil && f.Latest == nil && t.Limit != nil {
		ends = append(ends, point{at: curveWidth, used: t.Limit.Float()})
	}
	return append(ends, end(f.Latest, f.Low))
}

// endText says when the limit is reached, or what the day comes to.
func endText(f *status.Forecast) string {
	const layout = "15:04"
	switch {
	case f.Earliest != nil && f.Latest != nil:
		return f.Earliest.UTC().Format(layout) + " to " + f.Latest.UTC().Format(layout)
	case f.Earliest != nil:
		return "from " + f.Earliest.UTC().Format(layout)
	}
	return words.Between(f.Low.Float(), f.High.Float())
}

// yesterdayOf returns the hours of yesterday, nil where they are not known or nothing was spent.
func yesterdayOf(t *status.Today) status.Hourly {
	if t.Yesterday == nil || t.Yesterday.Used == 0 {
		return nil
	}
	return t.Yesterday.Hours
}

// A scale places whole neurons.
type scale struct{ max float64 }

func scaleOf(t *status.Today, points, ends []point) scale {
	highest := 1.0
	for _, p := range points {
		highest = max(highest, p.top())
	}
	for _, end := range ends {
		highest = max(highest, end.used)
	}
	if yesterdayOf(t) != nil {
		highest = max(highest, t.Yesterday.Used.Float())
	}
	if t.Limit != nil {
		highest = max(highest, t.Limit.Float())
	}
	return scale{1.1 * highest}
}

func (s scale) top(n float64) float64 { return percent(s.max-n, s.max) }
func (s scale) y(n float64) float64   { return curveHeight * s.top(n) / 100 }

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

// through returns an SVG path through points, at the height of value.
func through(points []point, y func(float64) float64, value func(point) float64) string {
	var b strings.Builder
	for i, p := range points {
		letter := byte('L')
		if i == 0 {
			letter = 'M'
		}
		b.WriteByte(letter)
		b.WriteString(strconv.FormatFloat(p.at, 'f', 0, 64))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(y(value(p)), 'f', 0, 64))
	}
	return b.String()
}

// below returns the area between that path and the lower end of the curve.
func below(points []point, y func(float64) float64, value func(point) float64) string {
	last := points[len(points)-1].at
	return through(points, y, value) + fmt.Sprintf("L%.0f %dL%.0f %[2]dZ", last, curveHeight, points[0].at)
}
