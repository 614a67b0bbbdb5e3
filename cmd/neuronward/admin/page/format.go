package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
)

// amount shows neurons for people: whole ones from 100 on, with commas between thousands.
func amount(n status.Neurons) string { return words.Rounded(n.Float()) }

// inNeurons is amount with its unit.
func inNeurons(n status.Neurons) string {
	if s := amount(n); s != "1" {
		return s + " neurons"
	}
	return "1 neuron"
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

// parts splits the name of a model or code where a line may end.
func parts(name string) []string {
	var all []string
	for name != "" {
		end := strings.IndexAny(name, "/-_") + 1
		if end == 0 {
			end = len(name)
		}
		all, name = append(all, name[:end]), name[end:]
	}
	return all
}

// percent is a part of a whole, from 0 to 100, with two decimals.
func percent(part, whole float64) float64 {
	return math.Round(min(max(part/whole, 0), 1)*1e4) / 100
}

// percentText is a percentage as SVG has it.
func percentText(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }
