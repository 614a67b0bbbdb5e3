package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// A rule records a series, or alerts.
type rule struct {
	Record, Alert       string
	Expr                string
	For                 string
	Labels, Annotations map[string]string
}

// name is the series or the alert.
func (r rule) name() string { return r.Record + r.Alert }

// ruleFiles are the files of deploy/prometheus that Prometheus reads rules from, and their rules.
func ruleFiles(t *testing.T) (files []string, rules []rule) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("..", "prometheus", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var content struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(text, &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range content.Groups {
			rules = append(rules, g.Rules...)
		}
		if len(content.Groups) > 0 {
			files = append(files, file)
		}
	}
	return files, rules
}

// hurried returns copies of files of rules that are evaluated as often as Prometheus scrapes.
func hurried(t *testing.T, files []string) []string {
	t.Helper()
	dir := t.TempDir()
	var copies []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var content struct{ Groups []map[string]any }
		if err := yaml.Unmarshal(text, &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range content.Groups {
			delete(g, "interval")
		}
		if text, err = yaml.Marshal(content); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, path)
	}
	return copies
}

// recorded are the series that rules record.
func recorded(rules []rule) []string {
	var names []string
	for _, r := range rules {
		if r.Record != "" {
			names = append(names, r.Record)
		}
	}
	return names
}

// ruleConfig makes Prometheus evaluate rule files.
func ruleConfig(paths []string) string {
	return fmt.Sprintf("rule_files: ['%s']\n", strings.Join(paths, "', '"))
}

// Whatever a rule names, the code has, or another rule records.
func TestRulesNameWhatExists(t *testing.T) {
	c := seriesOfTheCode(t)
	_, rules := ruleFiles(t)
	for _, r := range rules {
		c.names(t, r.name(), r.Expr, recorded(rules)...)
	}
}

// rules holds every rule against what Prometheus has seen: all that a rule asks for is there, what it records
// has values, and an alert can be asked for, whether or not it fires.
func (s *stack) rules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		n, err := s.answers(r.Expr, false)
		if err != nil {
			t.Errorf("%s: %v\n%s", r.name(), err, r.Expr)
			continue
		}
		if n == 0 && r.Record != "" {
			t.Errorf("%s: no series, want some of\n%s", r.name(), r.Expr)
		}
		expr, err := parser.ParseExpr(r.Expr)
		if err != nil {
			t.Errorf("%s: %v", r.name(), err)
			continue
		}
		for _, asked := range selectors(expr) {
			bare := *asked // without range, offset and the like
			bare.OriginalOffset, bare.Offset, bare.Timestamp, bare.StartOrEnd = 0, 0, nil, 0
			if found, err := s.queryRange(bare.String(), s.began, time.Second); len(found) == 0 || err != nil {
				t.Errorf("%s: %d series of %s, error %v, want some and none", r.name(), len(found), &bare, err)
			}
		}
	}
}
