package deploytest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// scraped are labels that Prometheus adds.
var scraped = []string{"job", "instance"}

// names finds what an expression names that does not exist. Names in known are taken for granted, such as those
// that rules record.
func (c catalogue) names(t *testing.T, where, expression string, known ...string) {
	t.Helper()
	expr, err := parser.ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v\n%s", where, err, expression)
		return
	}
	here := slices.Clone(scraped)
	recorded := false
	for _, s := range selectors(expr) {
		here = append(here, c.selector(t, where, s, known)...)
		recorded = recorded || slices.Contains(known, s.Name)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				if !recorded && !slices.Contains(here, label) {
					t.Errorf("%s: labels = %q, want %s, which groups %s", where, here, label, a)
				}
			}
		}
		return nil
	})
}

// selector finds what a selector names that does not exist, and returns the labels of its series.
func (c catalogue) selector(t *testing.T, where string, s *parser.VectorSelector, known []string) []string {
	t.Helper()
	if slices.Contains(known, s.Name) {
		return nil
	}
	series, ok := c[s.Name]
	if !ok {
		t.Errorf("%s asks for %s, want a series of the code", where, s.Name)
		return nil
	}
	for _, m := range s.LabelMatchers {
		if m.Name == labels.MetricName || slices.Contains(scraped, m.Name) {
			continue
		}
		values, ok := series[m.Name]
		if !ok {
			t.Errorf("%s asks for the label %s, want one that %s has", where, m.Name, s.Name)
			continue
		}
		for _, value := range matched(m) {
			if !values[value] {
				t.Errorf("%s: %s = %q, want a value that %s has", where, m.Name, value, s.Name)
			}
		}
	}
	var names []string
	for label := range series {
		names = append(names, label)
	}
	return names
}

// plainWords is a regular expression that is a choice between words.
var plainWords = regexp.MustCompile(`^[\w:./@|-]+$`)

// matched are the values that a matcher names; none where it is a pattern, or where it matches what has no such label.
func matched(m *labels.Matcher) []string {
	switch m.Type {
	case labels.MatchRegexp, labels.MatchNotRegexp:
		if !plainWords.MatchString(m.Value) {
			return nil
		}
		values := strings.Split(m.Value, "|")
		if m.Name == "le" { // 1 and 1.0 are the same bound in different versions of Prometheus
			values = values[:1]
		}
		return values
	}
	if m.Value == "" {
		return nil
	}
	return []string{m.Value}
}

// selectors are the series that an expression asks for.
func selectors(expr parser.Expr) []*parser.VectorSelector {
	var all []*parser.VectorSelector
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

var (
	legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
)

// dashboard finds what a dashboard names that does not exist: in queries, legends, colours, variables and annotations.
func (c catalogue) dashboard(t *testing.T, d *dashboard) {
	t.Helper()
	for _, p := range d.queries() {
		for _, q := range p.Targets {
			where := d.Title + ": " + p.Title + ": " + q.RefID
			expression := picked.Replace(q.Expr)
			c.names(t, where, expression)
			for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !c.gives(expression, m[1]) {
					t.Errorf("%s: its legend has %s, want a label of its result", where, m[0])
				}
			}
		}
		c.colours(t, d, &p)
	}
	for _, a := range d.Annotations.List {
		c.names(t, d.Title+": "+a.Name, picked.Replace(a.Target.Expr))
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("%s: the variable %s = %s, want label_values(series, label)", d.Title, v.Name, v.Definition)
			continue
		}
		c.names(t, d.Title+": "+v.Name, picked.Replace("max by ("+m[2]+") ("+m[1]+")"))
	}
}

// gives reports whether the result of an expression can have a label: where it is aggregated, only if that
// keeps the label.
func (c catalogue) gives(expression, label string) bool {
	expr, err := parser.ParseExpr(expression)
	if err != nil {
		return false
	}
	found := false
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		_, has := c[s.Name][label]
		has = has || slices.Contains(scraped, label)
		for _, above := range path {
			if a, ok := above.(*parser.AggregateExpr); ok && a.Op != parser.TOPK &&
				!slices.Contains(a.Grouping, label) {
				has = false
			}
		}
		found = found || has
		return nil
	})
	return found
}

// colours holds the names that a panel gives colours against the values of the label that its legend is.
func (c catalogue) colours(t *testing.T, d *dashboard, p *panel) {
	t.Helper()
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID != "byName" || p.Type == "table" {
			continue
		}
		ok := slices.ContainsFunc(p.Targets, func(q target) bool {
			if q.LegendFormat == o.Matcher.Options {
				return true
			}
			m := legendLabel.FindStringSubmatch(q.LegendFormat)
			if m == nil || m[0] != q.LegendFormat {
				return false
			}
			expr, err := parser.ParseExpr(picked.Replace(q.Expr))
			return err == nil && slices.ContainsFunc(selectors(expr), func(s *parser.VectorSelector) bool {
				return c[s.Name][m[1]][o.Matcher.Options]
			})
		})
		if !ok {
			t.Errorf("%s: %s: a colour for %q, want the name of a curve", d.Title, p.Title, o.Matcher.Options)
		}
	}
}

// Whatever a dashboard names, the code has.
func TestDashboardsNameWhatExists(t *testing.T) {
	c := seriesOfTheCode(t)
	for _, d := range dashboards(t) {
		c.dashboard(t, d)
	}
}

// Whatever the product tells is on a dashboard.
func TestEverySeriesIsOnADashboard(t *testing.T) {
	shown := make(map[string]bool)
	for _, d := range dashboards(t) {
		for _, p := range d.queries() {
			for _, q := range p.Targets {
				expr, err := parser.ParseExpr(picked.Replace(q.Expr))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range selectors(expr) {
					shown[family(s.Name)] = true
				}
			}
		}
	}
	for _, name := range seriesOfTheCode(t).product() {
		if !shown[family(name)] {
			t.Errorf("%s is on no dashboard, want one", name)
		}
	}
}

// ofTheAccount are gauges that replicas on one store tell alike.
var ofTheAccount = []string{
	"neuronward_neurons_used", "neuronward_neurons_reserved", "neuronward_neurons_external", "neuronward_neurons_lost",
	"neuronward_neurons_limit",
	"neuronward_neurons_remaining", "neuronward_quota_reset_timestamp_seconds",
	"neuronward_quota_exhaustion_timestamp_seconds",
	"neuronward_quota_latched", "neuronward_reconcile_timestamp_seconds", "neuronward_client_neurons_used",
	"neuronward_client_neurons_limit", "neuronward_neurons_month_limit", "neuronward_neurons_month_remaining",
	"neuronward_client_neurons_month_limit", "neuronward_client_neurons_month_remaining",
}

// What every replica tells of the account is nowhere added up, on dashboards and in rules.
func TestTheAccountIsNotCountedOncePerReplica(t *testing.T) {
	expressions := make(map[string]string)
	for _, d := range dashboards(t) {
		for _, p := range d.queries() {
			for _, q := range p.Targets {
				expressions[d.Title+": "+p.Title+": "+q.RefID] = picked.Replace(q.Expr)
			}
		}
	}
	_, rules := ruleFiles(t)
	for _, r := range rules {
		expressions[r.name()] = r.Expr
	}
	for where, expression := range expressions {
		expr, err := parser.ParseExpr(expression)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
			s, ok := node.(*parser.VectorSelector)
			if !ok || !slices.Contains(ofTheAccount, s.Name) {
				return nil
			}
			// The innermost aggregation is the one that puts replicas together.
			for _, above := range slices.Backward(path) {
				if a, ok := above.(*parser.AggregateExpr); ok {
					if a.Op != parser.MAX && a.Op != parser.MIN {
						t.Errorf("%s: %s of %s over replicas, want max or min", where, a.Op, s.Name)
					}
					break
				}
			}
			return nil
		})
	}
}

// family is the histogram that a series belongs to, or its own name.
func family(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base
		}
	}
	return name
}
