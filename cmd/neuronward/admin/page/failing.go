package page

import (
	"fmt"
	"strings"

	"github.com/neuronward/neuronward/metrics/minutes"
)

// A failing is one code that calls failed with in the last hour: what this proxy
// said beside what Workers AI said.
type failing struct {
	Slug   string
	Number int
	Total  string
	Lately string // of the last five minutes
	Here   bars
	There  bars
}

// bars is one small drawing: a bar for each minute.
type bars struct {
	By    string // here, own, there: its colour, which is that of the dashboards
	Label string
	Count int64
	Text  string
	Path  string
}

const (
	barsHeight = 24
	lately     = 5 // minutes
)

func failingOf(all []minutes.CodeFailures) []failing {
	out := make([]failing, 0, len(all))
	for i := range all {
		f := &all[i]
		e := f.Code.Entry()
		var here, there [minutes.Hour]uint32
		var guard, own, most uint32
		recent := int64(0)
		for m := range here {
			here[m], there[m] = f.Guard[m]+f.Proxy[m], f.Upstream[m]
			guard, own, most = guard+f.Guard[m], own+f.Proxy[m], max(most, here[m], there[m])
			if m >= minutes.Hour-lately {
				recent += int64(here[m]) + int64(there[m])
			}
		}
		label, by := "refused here", "here"
		switch {
		case own > 0 && guard > 0:
			label = "refused or failed here"
		case own > 0:
			label, by = "failed here", "own"
		}
		out = append(out, failing{
			Slug: e.Slug, Number: e.Number, Total: grouped(f.Total),
			Lately: fmt.Sprintf("%s of them in the last %d min", grouped(recent), lately),
			Here:   barsOf(by, label, &here, most), There: barsOf("there", "said by Workers AI", &there, most),
		})
	}
	return out
}

// barsOf draws counts, the tallest bar being for most.
func barsOf(by, label string, counts *[minutes.Hour]uint32, most uint32) bars {
	b := bars{By: by, Label: label}
	var p strings.Builder
	peak := uint32(0)
	for m, n := range counts {
		if n == 0 {
			continue
		}
		b.Count += int64(n)
		peak = max(peak, n)
		tall := max(float64(n)/float64(most)*barsHeight, 1.5)
		fmt.Fprintf(&p, "M%d %dV%.1fh.8V%dz", m, barsHeight, barsHeight-tall, barsHeight)
	}
	b.Path = p.String()
	if b.Text = label + ": none"; b.Count > 0 {
		b.Text = fmt.Sprintf("%s: %s, at most %s in one minute", label, grouped(b.Count), grouped(int64(peak)))
	}
	return b
}
