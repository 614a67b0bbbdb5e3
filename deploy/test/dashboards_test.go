package deploytest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// emptyByNature begins what a panel's description says of when it may show nothing.
const emptyByNature = "Empty by nature"

// A dashboard is what Grafana reads from a file, as far as it is looked at here.
type dashboard struct {
	UID         string
	Title       string
	Description string
	Panels      []panel
	Links       []link
	Templating  struct{ List []variable }
	Annotations struct {
		List []struct {
			Name       string
			Datasource source
			Target     target
		}
	}
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  source
	GridPos     struct{ H, W, X, Y int }
	Targets     []target
	Options     struct{ Legend struct{ Placement string } }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			NoValue    string
			Thresholds struct {
				Steps []struct {
					Value *float64
					Color string
				}
			}
			Mappings []struct {
				Type    string
				Options map[string]json.RawMessage
			}
			Custom struct{ Stacking struct{ Mode string } }
			Links  []link
		}
		Overrides []struct {
			Matcher struct {
				ID      string
				Options string
			}
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

type target struct {
	RefID        string
	Expr         string
	LegendFormat string
	Datasource   source
	Instant      bool
	Range        bool
	Exemplar     bool
}

type variable struct {
	Name       string
	Type       string
	Datasource source
	Definition string
}

type (
	source struct{ Type, UID string }
	link   struct{ Title, URL string }
)

// dashboards are those that are committed, by title.
func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "grafana", "dashboards", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*dashboard)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := new(dashboard)
		if err := json.Unmarshal(text, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); d.UID != "neuronward-"+name {
			t.Errorf("%s: uid = %q, want neuronward-%s, which bookmarks and links have", file, d.UID, name)
		}
		all[d.Title] = d
	}
	if got, want := slices.Sorted(maps.Keys(all)), []string{
		"neuronward / Cost", "neuronward / Errors", "neuronward / Fleet",
		"neuronward / Quota", "neuronward / Traffic",
	}; !slices.Equal(got, want) {
		t.Fatalf("dashboards are %q, want %q", got, want)
	}
	return all
}

// queries are the panels of a dashboard that ask for something: all but the headers of rows.
func (d *dashboard) queries() []panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p panel) bool { return p.Type == "row" })
}

// What Grafana puts in place of variables, when everything is picked and the dashboard shows a minute.
var picked = strings.NewReplacer(
	"$__rate_interval", "10s", "$__interval", "5s", "$__range", "1m",
	"$job", ".+", "$instance", ".+", "$model", ".*", "$client", ".*",
)

// Each panel can be read by somebody who has never seen it, and asks the data source that the variable picks.
func TestPanelsExplainThemselves(t *testing.T) {
	for title, d := range dashboards(t) {
		if d.Description == "" {
			t.Errorf("%s: description = %q, want one", title, d.Description)
		}
		if len(d.Panels) == 0 {
			t.Fatalf("%s has no panels, want some", title)
		}
		if first := d.Panels[0]; first.Type != "row" || first.Title != "Is it ok?" {
			t.Errorf("%s: first panel = %s %q, want the row \"Is it ok?\"", title, first.Type, first.Title)
		}
		titles, ids := make(map[string]bool), make(map[int]bool)
		for _, p := range d.Panels {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: %s: id = %d, want one that no other panel has, and not 0", title, p.Title, p.ID)
			}
			ids[p.ID] = true
		}
		for _, p := range d.queries() {
			name := title + ": " + p.Title
			if p.Title == "" || titles[p.Title] {
				t.Errorf("%s: title = %q, want one that no other panel has", name, p.Title)
			}
			titles[p.Title] = true
			if len(p.Description) < 80 {
				t.Errorf("%s: description = %q, want 80 characters at least, and what to do", name, p.Description)
			}
			if d := p.FieldConfig.Defaults; d.Unit == "" || len(d.Thresholds.Steps) == 0 {
				t.Errorf("%s: unit = %q, thresholds = %v, want both", name, d.Unit, d.Thresholds.Steps)
			}
			refs := make(map[string]bool)
			for _, q := range p.Targets {
				if refs[q.RefID] || q.RefID == "" {
					t.Errorf("%s: refId = %q, want one that no other query has", name, q.RefID)
				}
				if q.Instant == q.Range {
					t.Errorf("%s: %s: instant = %t, range = %t, want one of them", name, q.RefID, q.Instant, q.Range)
				}
				if q.Datasource != p.Datasource {
					t.Errorf("%s: %s: data source = %v, want that of the panel, %v", name, q.RefID, q.Datasource,
						p.Datasource)
				}
				refs[q.RefID] = true
				if p.Type == "timeseries" && q.LegendFormat == "" {
					t.Errorf("%s: legend of query %s = %q, want one", name, q.RefID, q.LegendFormat)
				}
			}
			if want := (source{"prometheus", "${datasource}"}); len(refs) == 0 || p.Datasource != want {
				t.Errorf("%s: %d queries of %v, want some of %v", name, len(refs), p.Datasource, want)
			}
		}
	}
}

// The first row is seen without scrolling, and nothing lies on anything else.
func TestPanelsHaveTheirPlace(t *testing.T) {
	for title, d := range dashboards(t) {
		taken := make(map[[2]int]string)
		for _, p := range d.Panels {
			g := p.GridPos
			if g.W <= 0 || g.H <= 0 {
				t.Errorf("%s: %s: size = %d × %d, want more than 0", title, p.Title, g.W, g.H)
			}
			if right := g.X + g.W; right > 24 {
				t.Errorf("%s: %s ends in column %d, want 24 at most", title, p.Title, right)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %s lies on %s, want it on nothing", title, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		for _, p := range d.queries()[:6] {
			if end := p.GridPos.Y + p.GridPos.H; p.Type != "stat" || end > 5 {
				t.Errorf("%s: %s is a %s that ends at %d, want a stat of the first row, which ends at 5", title,
					p.Title, p.Type, end)
			}
		}
	}
}

// Links lead to dashboards that there are, with the range and the variables, and to pages of the error reference.
func TestLinksLeadSomewhere(t *testing.T) {
	all := dashboards(t)
	slugs := seriesOfTheCode(t)["neuronward_errors_total"]["name"]
	field := regexp.MustCompile(`^\$\{__(field\.labels|data\.fields)\.(name|code|result)\}$`)
	for title, d := range all {
		others := make(map[string]bool)
		for _, l := range d.Links {
			others[strings.TrimPrefix(l.URL, "/d/")] = true
		}
		for other, o := range all {
			if got, want := others[o.UID], other != title; got != want {
				t.Errorf("%s links to %s: %t, want %t", title, other, got, want)
			}
		}
		references := 0
		for _, p := range d.queries() {
			links := slices.Clone(p.FieldConfig.Defaults.Links)
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					if property.ID == "links" {
						for _, l := range property.Value.([]any) {
							links = append(links, link{URL: l.(map[string]any)["url"].(string)})
						}
					}
				}
			}
			for _, l := range links {
				slug, ok := strings.CutPrefix(l.URL, "${proxy:raw}/errors/")
				if !ok || !slugs[slug] && !field.MatchString(slug) {
					t.Errorf("%s: %s links to %s, want a page of the error reference", title, p.Title, l.URL)
				}
				references++
			}
		}
		if title == "neuronward / Errors" && references < 4 {
			t.Errorf("%s links %d times to the error reference, want 4 at least", title, references)
		}
	}
}

// Everything can be narrowed down, and slow calls lead to their request ids.
func TestDashboardsCanBeNarrowedDown(t *testing.T) {
	for title, d := range dashboards(t) {
		want := []string{"datasource", "job", "instance", "model", "client", "proxy"}
		if title == "neuronward / Fleet" { // of whose series none has a model, and one a client: budgets are on Quota
			want = []string{"datasource", "job", "instance", "proxy"}
		}
		var got []string
		for _, v := range d.Templating.List {
			got = append(got, v.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the variables %q, want %q", title, got, want)
		}
		var annotations []string
		for _, a := range d.Annotations.List {
			annotations = append(annotations, a.Name)
		}
		if !slices.Equal(annotations, []string{"Quota block", "Started"}) {
			t.Errorf("annotations of %s = %q, want Quota block and Started", title, annotations)
		}
		for _, p := range d.queries() {
			exemplars := false
			for _, q := range p.Targets {
				if want := `job=~"$job", instance=~"$instance"`; !strings.Contains(q.Expr, want) {
					t.Errorf("%s: %s: query %s = %s, want %s in it", title, p.Title, q.RefID, q.Expr, want)
				}
				exemplars = exemplars || q.Exemplar
			}
			asks := strings.Contains(p.Targets[0].Expr, "request_duration_seconds_bucket") ||
				strings.Contains(p.Targets[0].Expr, "first_byte_seconds_bucket")
			if p.Type == "timeseries" && asks && !exemplars && len(p.Targets) == 3 {
				t.Errorf("%s: %s: exemplars = %t, want true", title, p.Title, exemplars)
			}
		}
	}
}
