package deploytest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every panel and every mark of every dashboard, and every rule, finds data of proxies that met all that can be
// met, in a real Prometheus, or says why there may be none.
func TestAgainstPrometheus(t *testing.T) {
	files, rules := ruleFiles(t)
	s := startStack(t, hurried(t, files)...)
	t.Run("every series is scraped", func(t *testing.T) {
		if got, want := s.names(t), seriesOfTheCode(t).product(); !slices.Equal(got, want) {
			t.Errorf("scraped =\n%q\nwant those of the code\n%q", got, want)
		}
	})
	for title, d := range dashboards(t) {
		t.Run(title, func(t *testing.T) {
			for _, p := range d.queries() {
				for _, q := range p.Targets {
					expression := picked.Replace(q.Expr)
					n, err := s.answers(expression, q.Instant)
					if err != nil {
						t.Errorf("%s: %s: %v\n%s", p.Title, q.RefID, err, expression)
					}
					if n == 0 && !strings.Contains(p.Description, emptyByNature) {
						t.Errorf("%s: %s: no series, want some of\n%s", p.Title, q.RefID, expression)
					}
					if n == 0 {
						t.Logf("%s: %s is empty", p.Title, q.RefID)
					}
				}
			}
			for _, a := range d.Annotations.List {
				if n, err := s.answers(picked.Replace(a.Target.Expr), false); n == 0 || err != nil {
					t.Errorf("%s: %d marks, error %v, want some and none", a.Name, n, err)
				}
			}
			for _, v := range d.Templating.List {
				if m := labelValues.FindStringSubmatch(v.Definition); m != nil {
					found, err := s.query(picked.Replace("group by (" + m[2] + ") (" + m[1] + ")"))
					if len(found) < 2 || err != nil {
						t.Errorf("%s: %d values, error %v, want 2 at least and none", v.Name, len(found), err)
					}
				}
			}
		})
	}
	t.Run("rules", func(t *testing.T) { s.rules(t, rules) })
	t.Run("slow calls lead to their request ids", func(t *testing.T) {
		for _, series := range []string{
			"neuronward_request_duration_seconds_bucket",
			"neuronward_time_to_first_byte_seconds_bucket",
		} {
			if !s.exemplars(t, series) {
				t.Errorf("%s has no exemplar with a request id, want one", series)
			}
		}
	})
}

// answers is how many series of an answer have any value since the stack began.
func (s *stack) answers(expression string, instant bool) (int, error) {
	if instant {
		found, err := s.query(expression)
		return len(found), err
	}
	found, err := s.queryRange(expression, s.began, time.Second)
	return len(found), err
}
