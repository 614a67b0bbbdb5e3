package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

// amount shows neurons for people: whole ones from 100 on, with commas between thousands.
func amount(n status.Neurons) string { return rounded(n.Float()) }

// inNeurons is amount with its unit.
func inNeurons(n status.Neurons) string {
	if s := amount(n); s != "1" {
		return s + " neurons"
	}
	return "1 neuron"
}

// rounded is amount for a number of whole neurons.
func rounded(n float64) string {
	switch abs := math.Abs(n); {
	case abs == 0:
		return "0"
	case abs < 0.01:
		return "under 0.01"
	case abs < 100:
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 2, 64), ".00")
	}
	return grouped(int64(math.Round(n)))
}

// about shows two digits of an estimate.
func about(n float64) string {
	if n < 100 {
		return rounded(math.Round(n))
	}
	step := math.Pow(10, math.Floor(math.Log10(n))-1)
	return rounded(math.Round(n/step) * step)
}

// grouped shows n, a whole number, with commas between thousands.
func grouped(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is n, a whole number, with the noun that fits.
func plural(n any, one, many string) string {
	s := grouped(n)
	if s == "1" {
		return s + " " + one
	}
	return s + " " + many
}

// span shows a time that is left: 2 h 20 min, 4 min, 30 s.
func span(d time.Duration) string {
	d = max(d, 0)
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes%60 == 0:
		return fmt.Sprintf("%d h", minutes/60)
	default:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
}

// lasted shows how long a call took, in two or three digits: 870 ms, 1.24 s, 2.5 min.
func lasted(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f min", d.Minutes())
}

// clock shows hours and minutes in UTC; the script adds the reader's own time.
func clock(t time.Time) template.HTML { return moment(t, "15:04 UTC") }

// second is clock with seconds.
func second(t time.Time) template.HTML { return moment(t, "15:04:05 UTC") }

// bare is second without the zone, for a column whose head names it.
func bare(t time.Time) template.HTML { return moment(t, "15:04:05") }

// moment shows t in UTC.
func moment(t time.Time, layout string) template.HTML {
	t = t.UTC()
	//nolint:gosec // digits and colons
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format(layout) + `</time>`)
}

// hour is the end of the hour with this index, from 0 to 23.
func hour(i int) string { return fmt.Sprintf("%02d:00", i+1) }

// percent is a part of a whole, from 0 to 100, with two decimals.
func percent(part, whole float64) float64 {
	return math.Round(min(max(part/whole, 0), 1)*1e4) / 100
}

// percentText is a percentage as SVG has it.
func percentText(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }
