package deploytest

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// A plot writes SVG. Lengths are pixels from the top left corner.
type plot struct{ w strings.Builder }

// style holds for light and dark pages. Series have colours of their own.
const style = `<style>
text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;fill:#24292e}
.page{fill:#f4f5f5}.panel{fill:#fff;stroke:#dcdcde}.faint{fill:#6e7681}.grid{stroke:#e3e4e6}
.title{font-weight:600;font-size:12px}.head{font-weight:600;font-size:16px}.row{font-weight:600;font-size:12px}
.big{font-size:24px;font-weight:600;fill:#fff}.end{text-anchor:end}.mid{text-anchor:middle}
@media (prefers-color-scheme:dark){text{fill:#ccccdc}.page{fill:#111217}.panel{fill:#181b1f;stroke:#2a2d33}
.faint{fill:#8e8e9a}.grid{stroke:#2a2d33}}
</style>
`

// escaped is text as it stands in XML.
func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) //nolint:errcheck // a builder takes everything
	return b.String()
}

func (p *plot) printf(format string, args ...any) { fmt.Fprintf(&p.w, format+"\n", args...) }

func (p *plot) text(x, y float64, class, text string) {
	p.printf(`<text x="%.0f" y="%.0f" class="%s">%s</text>`, x, y, class, escaped(text))
}

// A box is where something lies.
type box struct{ x, y, w, h float64 }

func (p *plot) frame(b box, title string) {
	p.printf(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="2" class="panel"/>`, b.x+.5, b.y+.5, b.w-1, b.h-1)
	p.text(b.x+10, b.y+18, "title", title)
}

// A curve is one series of a panel.
type curve struct {
	name, colour string
	values       map[int64]float64 // by step; where it is missing there is a gap
	above        bool              // is not stacked
}

// last and largest are the last value and the largest.
func (c *curve) last() float64 {
	at, v := int64(math.MinInt64), 0.0
	for step, value := range c.values {
		if step >= at {
			at, v = step, value
		}
	}
	return v
}

func (c *curve) largest() float64 {
	v := math.Inf(-1)
	for _, value := range c.values {
		v = max(v, value)
	}
	return v
}

// A chart is a panel of curves over steps 0 to steps, which took so long.
type chart struct {
	title   string
	curves  []curve
	unit    string
	stacked bool
	right   bool // where the legend is
	steps   int64
	took    time.Duration
}

const (
	lineHeight = 16
	charWidth  = 5.9 // of small text, about
)

// chart draws curves, with axes and a legend that names each with its last and its largest value.
func (p *plot) chart(b box, c *chart) {
	p.frame(b, c.title)
	plot := box{b.x + 58, b.y + 30, b.w - 82, b.h - 54}
	maxCurves := 0
	if c.right {
		maxCurves = int(b.h-40) / lineHeight
		plot.w -= 262
		p.legend(c, box{plot.x + plot.w + 14, b.y + 40, 252, b.h}, maxCurves, 1)
	} else {
		columns := c.columns(b.w - 20)
		rows := min((len(c.curves)+columns-1)/columns, 2)
		maxCurves = rows * columns
		plot.h -= float64(rows*lineHeight) + 2
		p.legend(c, box{b.x + 12, b.y + b.h - float64(rows*lineHeight) + 6, b.w - 20, 0}, maxCurves, columns)
	}
	top := niceTop(c.tallest())
	for i := range 5 {
		v := top * float64(i) / 4
		y := plot.y + plot.h*(1-float64(i)/4)
		p.printf(`<path d="M%.0f %.1fh%.0f" class="grid"/>`, plot.x, y, plot.w)
		p.text(plot.x-6, y+4, "faint end",
			strings.TrimSuffix(shown(v, c.unit), " "+strings.TrimPrefix(c.unit, "suffix:")))
	}
	minutes := int(c.took.Minutes())
	for m := range minutes + 1 {
		x := plot.x + plot.w*float64(m)/c.took.Minutes()
		label := fmt.Sprintf("%d min", m)
		if m == 0 {
			label = "0"
		}
		p.text(x, plot.y+plot.h+15, "faint mid", label)
	}
	at := func(step int64, v float64) string {
		return fmt.Sprintf("%.1f %.1f", plot.x+plot.w*float64(step)/float64(c.steps), plot.y+plot.h*(1-min(v, top)/top))
	}
	p.curves(c, at)
}

// curves draws the curves themselves; at places a value.
func (p *plot) curves(c *chart, at func(step int64, v float64) string) {
	base := make([]float64, c.steps+1)
	for _, line := range c.curves {
		var over, under []string
		flush := func() {
			if len(over) > 1 && c.stacked && !line.above {
				for i, j := 0, len(under)-1; i < j; i, j = i+1, j-1 {
					under[i], under[j] = under[j], under[i]
				}
				p.printf(`<path d="M%sL%sz" fill="%s" fill-opacity=".45"/>`, strings.Join(over, "L"),
					strings.Join(under, "L"), line.colour)
			}
			if len(over) > 1 {
				dash := ""
				if line.above {
					dash = ` stroke-dasharray="6 4"`
				}
				p.printf(`<path d="M%s" fill="none" stroke="%s" stroke-width="1.3"%s/>`, strings.Join(over, "L"),
					line.colour, dash)
			}
			over, under = nil, nil
		}
		for step := range c.steps + 1 {
			v, ok := line.values[step]
			if !ok || math.IsNaN(v) {
				flush()
				continue
			}
			if c.stacked && !line.above {
				under = append(under, at(step, base[step]))
				base[step] += v
				v = base[step]
			}
			over = append(over, at(step, v))
		}
		flush()
	}
}

// columns is how many columns of a legend there is room for.
func (c *chart) columns(width float64) int {
	longest := 0
	for _, line := range c.curves {
		longest = max(longest, len(line.name)+len(shown(line.last(), c.unit)))
	}
	return min(max(int(width/(float64(longest+3)*charWidth+16)), 1), 3)
}

// legend names up to maxCurves curves, in columns.
func (p *plot) legend(c *chart, b box, maxCurves, columns int) {
	for i, line := range c.curves[:min(maxCurves, len(c.curves))] {
		x, y := b.x+b.w/float64(columns)*float64(i%columns), b.y+float64(i/columns*lineHeight)
		p.printf(`<rect x="%.0f" y="%.0f" width="10" height="3" fill="%s"/>`, x, y-5, line.colour)
		name := line.name
		values := shown(line.last(), c.unit)
		room := int((b.w/float64(columns)-24)/charWidth) - len(values) - 1
		if len(name) > room {
			name = name[:max(room-1, 1)] + "…"
		}
		p.printf(`<text x="%.0f" y="%.0f">%s <tspan class="faint">%s</tspan></text>`, x+15, y, escaped(name),
			escaped(values))
	}
}

// tallest is the largest value that is drawn.
func (c *chart) tallest() float64 {
	largest := 0.0
	sums := make(map[int64]float64)
	for _, line := range c.curves {
		for step, v := range line.values {
			if c.stacked && !line.above {
				sums[step] += v
				v = sums[step]
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				largest = max(largest, v)
			}
		}
	}
	return largest
}

// niceTop is the end of an axis in four parts that reaches to v.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if v <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

// shown is a value with its unit, as Grafana shows it, nearly.
func shown(v float64, unit string) string {
	suffix, custom := strings.CutPrefix(unit, "suffix:")
	switch {
	case custom && suffix == "×":
		return fmt.Sprintf("%.3g ×", v)
	case custom:
		return thousands(v) + " " + suffix
	case unit == "percentunit":
		return fmt.Sprintf("%.3g %%", v*100)
	case unit == "reqps":
		return fmt.Sprintf("%.2g req/s", v)
	case unit == "s" || unit == "dtdurations":
		d := time.Duration(v * float64(time.Second))
		if d >= time.Hour {
			return fmt.Sprintf("%.1f h", d.Hours())
		}
		if d >= time.Minute {
			return fmt.Sprintf("%.0f min", d.Minutes())
		}
		return fmt.Sprintf("%.3g s", v)
	}
	return thousands(v)
}

// thousands is a rounded number with commas.
func thousands(v float64) string {
	if math.Abs(v) < 10 && v != math.Trunc(v) {
		return fmt.Sprintf("%.2g", v)
	}
	digits := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if v < 0 {
		digits = "-" + digits
	}
	return digits
}

// A cell is one figure of a stat, or of a row of a table.
type cell struct{ name, text, colour string }

// stat draws one figure on its colour, or several beside each other.
func (p *plot) stat(b box, title string, cells []cell, filled bool) {
	p.frame(b, "")
	if filled && len(cells) == 1 {
		ink := "#fff"
		if cells[0].colour == "#EAB839" { // on which white cannot be read
			ink = "#1f1f20"
		}
		p.printf(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="2" fill="%s"/>`, b.x, b.y, b.w, b.h,
			cells[0].colour)
		p.printf(`<text x="%.0f" y="%.0f" class="title" style="fill:%s">%s</text>`, b.x+10, b.y+18, ink, escaped(title))
		size := min(24, (b.w-20)/float64(len([]rune(cells[0].text)))*1.75)
		p.printf(`<text x="%.0f" y="%.0f" class="big mid" style="fill:%s;font-size:%.0fpx">%s</text>`, b.x+b.w/2,
			b.y+b.h/2+18, ink, size, escaped(cells[0].text))
		return
	}
	p.text(b.x+10, b.y+18, "title", title)
	for i, c := range cells {
		y := b.y + 40 + float64(i)*22
		p.text(b.x+10, y, "", c.name)
		p.printf(`<text x="%.0f" y="%.0f" class="end" style="fill:%s;font-weight:600;font-size:15px">%s</text>`,
			b.x+b.w-10, y, c.colour, escaped(c.text))
	}
}

// table draws rows under headers; widths are shares of the whole, numbers the columns that are set to the right.
func (p *plot) table(b box, title string, headers []string, widths []float64, rows [][]cell) {
	p.frame(b, title)
	line := func(y float64, class string, cells []cell) {
		x := b.x + 12
		for i, c := range cells {
			w := widths[i] * (b.w - 24)
			fill := ""
			if c.colour != "" {
				fill = ` style="fill:` + c.colour + `"`
			}
			if i == len(cells)-1 {
				p.printf(`<text x="%.0f" y="%.0f" class="%s end"%s>%s</text>`, x+w, y, class, fill, escaped(c.text))
			} else {
				p.printf(`<text x="%.0f" y="%.0f" class="%s"%s>%s</text>`, x, y, class, fill, escaped(c.text))
			}
			x += w
		}
	}
	var head []cell
	for _, h := range headers {
		head = append(head, cell{text: h})
	}
	line(b.y+40, "faint", head)
	for i, row := range rows {
		y := b.y + 60 + float64(i)*lineHeight*1.1
		if y > b.y+b.h-6 {
			break
		}
		line(y, "", row)
	}
}

// whole writes the picture to w.
func (p *plot) whole(w io.Writer, width, height float64, title, about string) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" `+
		`height="%.0f" role="img" aria-label="%s" data-queries="%s">
%s<rect width="100%%" height="100%%" class="page"/>
%s</svg>
`, width, height, width, height, escaped(title), about, style, p.w.String())
	return err
}
