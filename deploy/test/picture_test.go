package deploytest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// draw is how long the run takes whose picture is drawn anew: go test -run TestPicture -draw 5m
var draw = flag.Duration("draw", 0, "draw deploy/grafana/dashboard.svg anew, from a run of this length")

var picture = filepath.Join("..", "grafana", "dashboard.svg")

// pictured are the rows of dashboards that the picture shows.
var pictured = []struct {
	dashboard string
	rows      []string
}{
	{"neuronward / Errors", []string{"Is it ok?", "What fails"}},
	{"neuronward / Quota", []string{"Is it ok?", "The day"}},
}

// rows are the panels of rows of a dashboard, with their headers.
func (d *dashboard) rows(titles []string) []panel {
	var all []panel
	in := false
	for _, p := range d.Panels {
		if p.Type == "row" {
			in = slices.Contains(titles, p.Title)
		}
		if in && p.Type != "state-timeline" { // which the other panels tell, too
			all = append(all, p)
		}
	}
	return all
}

// fingerprint changes with what the picture is drawn from.
func fingerprint(t *testing.T) string {
	t.Helper()
	h := sha256.New()
	all := dashboards(t)
	for _, section := range pictured {
		for _, p := range all[section.dashboard].rows(section.rows) {
			io.WriteString(h, p.Title) //nolint:errcheck // a hash takes everything
			for _, q := range p.Targets {
				io.WriteString(h, q.Expr) //nolint:errcheck // a hash takes everything
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// The picture is of the dashboards as they are: of the same panels, by the same queries. It is small and needs
// nothing from elsewhere.
func TestPicture(t *testing.T) {
	if *draw > 0 {
		drawPicture(t, *draw)
	}
	text, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`data-queries="[^"]*"`).Find(text)
	if want := `data-queries="` + fingerprint(t) + `"`; string(got) != want {
		t.Errorf("the picture's queries are %s, want the panels' %s; draw it anew: go test -run TestPicture -timeout "+
			"20m -draw 5m", got, want)
	}
	if len(text) > 150_000 {
		t.Errorf("the picture has %d bytes, want 150,000 at most", len(text))
	}
	if want := []byte("prefers-color-scheme:dark"); !bytes.Contains(text, want) {
		t.Errorf("the picture has no %s, want it for dark pages", want)
	}
	if links := regexp.MustCompile(`(href|src)=|url\(|@import`).FindAll(text, -1); len(links) > 0 {
		t.Errorf("the picture's references to other files = %q, want none", links)
	}
	var shown []string
	for decoder := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			shown = append(shown, string(data))
		}
	}
	for _, section := range pictured {
		for _, p := range dashboards(t)[section.dashboard].rows(section.rows) {
			if !slices.Contains(shown, p.Title) {
				t.Errorf("texts of the picture = %q, want %s of %s", shown, p.Title, section.dashboard)
			}
		}
	}
}

const (
	pictureStep  = 3 * time.Second
	pictureWidth = 1280
	gridColumn   = pictureWidth / 24.0
	gridRow      = 27.0
)

// A drawing puts panels as they are on dashboards, with what Prometheus has seen.
type drawing struct {
	plot
	t     *testing.T
	stack *stack
	until time.Time
	top   float64 // of the dashboard that is drawn
}

// drawPicture runs proxies for so long, and draws what the panels' queries give.
func drawPicture(t *testing.T, length time.Duration) {
	s := runDay(t, length)
	d := &drawing{t: t, stack: s, until: time.Now(), top: 44}
	about := "A plot of these panels' queries, not a screenshot: a bad day in " + strconv.Itoa(int(length.Minutes())) +
		" minutes, as Prometheus saw it. Three replicas on one Redis, a simulated Workers AI and simulated failures."
	d.text(12, 26, "faint", about)
	all := dashboards(t)
	for _, section := range pictured {
		d.text(12, d.top+14, "head", section.dashboard)
		d.top += 24
		panels := all[section.dashboard].rows(section.rows)
		bottom := 0
		for _, p := range panels {
			d.panel(&p)
			bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
		}
		d.top += float64(bottom)*gridRow + 18
	}
	var out bytes.Buffer
	if err := d.whole(&out, pictureWidth, d.top, "The Errors and Quota dashboards", fingerprint(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, out.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the repository
		t.Fatal(err)
	}
}

func (d *drawing) panel(p *panel) {
	g := p.GridPos
	b := box{
		float64(g.X)*gridColumn + 2, d.top + float64(g.Y)*gridRow + 2, float64(g.W)*gridColumn - 4,
		float64(g.H)*gridRow - 4,
	}
	switch p.Type {
	case "row":
		d.text(b.x+8, b.y+17, "row", p.Title)
	case "stat":
		d.figures(b, p)
	case "table":
		d.codes(b, p)
	default:
		c := &chart{
			title: p.Title, unit: p.FieldConfig.Defaults.Unit,
			stacked: p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal",
			right:   p.Options.Legend.Placement == "right", steps: d.steps(), took: d.until.Sub(d.stack.began),
			curves: d.series(p),
		}
		d.chart(b, c)
	}
}

func (d *drawing) steps() int64 { return int64(d.until.Sub(d.stack.began) / pictureStep) }

// substitute puts what Grafana would in place of variables.
func (d *drawing) substitute(expression string) string {
	length := strconv.Itoa(int(d.until.Sub(d.stack.began).Seconds())) + "s"
	return picked.Replace(strings.NewReplacer("$__rate_interval", "15s", "$__range", length).Replace(expression))
}

// series are the curves of a panel, in the order in which they are stacked.
func (d *drawing) series(p *panel) []curve {
	d.t.Helper()
	var all []curve
	for _, q := range p.Targets {
		found, err := d.stack.queryRange(d.substitute(q.Expr), d.stack.began, pictureStep)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, s := range found {
			c := curve{name: named(q.LegendFormat, s.Metric), values: make(map[int64]float64)}
			for _, v := range s.Values {
				c.values[int64(math.Round(float64(v.at.Sub(d.stack.began))/float64(pictureStep)))] = v.value
			}
			c.colour, c.above = p.look(c.name, len(all))
			all = append(all, c)
		}
	}
	if p.FieldConfig.Defaults.Custom.Stacking.Mode != "normal" {
		slices.SortStableFunc(all, func(a, b curve) int { return cmp.Compare(b.largest(), a.largest()) })
	}
	return all
}

// named is a legend with values in place of labels.
func named(legend string, metric map[string]string) string {
	return strings.TrimSpace(legendLabel.ReplaceAllStringFunc(legend,
		func(m string) string { return metric[legendLabel.FindStringSubmatch(m)[1]] }))
}

// palette is Grafana's, for what has no colour of its own.
var palette = []string{
	"#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1", "#BA43A9", "#705DA0", "#508642", "#CCA300",
	"#447EBC", "#C15C17", "#890F02",
	"#0A437C", "#6D1F62", "#584477", "#B7DBAB", "#F4D598", "#70DBED", "#F9BA8F",
}

// colour is one of Grafana's names as SVG knows it.
func colour(name string) string {
	switch name {
	case "green":
		return "#56A64B"
	case "red":
		return "#E02F44"
	}
	return name
}

// look is the colour of a curve, and whether it lies above what is stacked.
func (p *panel) look(name string, n int) (fill string, above bool) {
	fill = palette[n%len(palette)]
	for _, o := range p.FieldConfig.Overrides {
		hit := o.Matcher.ID == "byName" && o.Matcher.Options == name
		if o.Matcher.ID == "byRegexp" {
			hit = regexp.MustCompile(strings.Trim(o.Matcher.Options, "/")).MatchString(name)
		}
		if !hit {
			continue
		}
		for _, property := range o.Properties {
			switch property.ID {
			case "color":
				fill = colour(property.Value.(map[string]any)["fixedColor"].(string))
			case "custom.stacking":
				above = true
			}
		}
	}
	return fill, above
}

// threshold is the colour of a value.
func (p *panel) threshold(v float64) string {
	fill := ""
	for _, s := range p.FieldConfig.Defaults.Thresholds.Steps {
		if s.Value == nil || v >= *s.Value {
			fill = colour(s.Color)
		}
	}
	return fill
}

// mapped is what is shown in place of a value, and in which colour; "result" is that in place of none.
func (p *panel) mapped(value string) (text, fill string) {
	for _, m := range p.FieldConfig.Defaults.Mappings {
		var shown struct{ Text, Color string }
		if json.Unmarshal(m.Options[value], &shown) == nil && shown.Text != "" {
			return shown.Text, colour(shown.Color)
		}
	}
	return "", ""
}

// figures draws the last values of a stat.
func (d *drawing) figures(b box, p *panel) {
	d.t.Helper()
	var cells []cell
	coloured := false
	for _, q := range p.Targets {
		found, err := d.stack.query(d.substitute(q.Expr))
		if err != nil {
			d.t.Fatal(err)
		}
		for i, s := range found {
			v := s.Value.value
			c := cell{
				name: named(q.LegendFormat, s.Metric), text: shown(v, p.FieldConfig.Defaults.Unit),
				colour: p.threshold(v),
			}
			if fill, _ := p.look(c.name, i); len(p.FieldConfig.Overrides) > 0 {
				c.colour, coloured = fill, true
			}
			if text, fill := p.mapped(strconv.FormatFloat(v, 'f', -1, 64)); text != "" {
				c.text, c.colour = text, fill
			}
			cells = append(cells, c)
		}
	}
	if len(cells) == 0 {
		text, fill := p.mapped("result")
		cells = []cell{{text: text, colour: fill}}
	}
	d.stat(b, p.Title, cells, !coloured)
}

// codes draws the table of codes.
func (d *drawing) codes(b box, p *panel) {
	d.t.Helper()
	found, err := d.stack.query(d.substitute(p.Targets[0].Expr))
	if err != nil {
		d.t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b series) int { return cmp.Compare(b.Value.value, a.Value.value) })
	origins := map[string]string{"guard": "#3274D9", "upstream": "#FF780A", "proxy": "#A352CC"}
	var rows [][]cell
	for _, s := range found {
		rows = append(rows, []cell{
			{text: s.Metric["code"]},
			{text: s.Metric["name"], colour: "#3871DC"},
			{text: s.Metric["origin"], colour: origins[s.Metric["origin"]]},
			{text: s.Metric["fault"]},
			{text: thousands(math.Round(s.Value.value))},
		})
	}
	d.table(b, p.Title, []string{"code", "name", "origin", "fault", "failures"}, []float64{.11, .41, .19, .15, .14},
		rows)
}
