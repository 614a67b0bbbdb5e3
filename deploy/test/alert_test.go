package deploytest

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/neuronward/neuronward/normalize"
)

var update = flag.Bool("update", false, "write what is made from other files anew")

var (
	prometheusDir = filepath.Join("..", "prometheus")
	runbooks      = filepath.Join(prometheusDir, "runbooks")
)

// runbookURL is where people find the page of an alert.
const runbookURL = "https://github.com/neuronward/neuronward/blob/main/deploy/prometheus/runbooks/"

// alerts are the rules that alert.
func alerts(t *testing.T) []rule {
	t.Helper()
	_, rules := ruleFiles(t)
	return slices.DeleteFunc(rules, func(r rule) bool { return r.Alert == "" })
}

// runTool runs a program of Prometheus or of Alertmanager in deploy/prometheus.
func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = prometheusDir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestPrometheusTakesTheFiles(t *testing.T) {
	files, _ := ruleFiles(t)
	args := []string{"check", "rules", "--lint=all", "--lint-fatal"}
	for _, f := range files {
		args = append(args, filepath.Base(f))
	}
	runTool(t, "promtool", args...)
	runTool(t, "promtool", "check", "config", "prometheus.yml")
	runTool(t, "amtool", "check-config", "alertmanager.yml")
}

// Each alert fires, and does not fire, where tests says so.
func TestAlertsFireWhereTheyShould(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(prometheusDir, "tests", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			runTool(t, "promtool", "test", "rules", filepath.Join("tests", filepath.Base(f)))
		})
	}
}

// An expectation is what promtool expects of one alert at one time.
type expectation struct {
	Alertname string
	Expected  []struct {
		Labels map[string]string `yaml:"exp_labels"`
	} `yaml:"exp_alerts"`
}

// has reports whether the alert of r is expected to fire.
func (e expectation) has(r rule) bool {
	for _, fires := range e.Expected {
		matches := true
		for label, value := range r.Labels {
			matches = matches && fires.Labels[label] == value
		}
		if matches {
			return true
		}
	}
	return false
}

func TestEveryAlertHasTestsOfBothKinds(t *testing.T) {
	for _, r := range alerts(t) {
		text, err := os.ReadFile(filepath.Join(prometheusDir, "tests", r.Alert+".yml"))
		if err != nil {
			t.Errorf("%s has no tests: %v", r.Alert, err)
			continue
		}
		var file struct {
			Tests []struct {
				Expectations []expectation `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", r.Alert, err)
		}
		fires, holds := 0, 0
		for _, test := range file.Tests {
			for _, e := range test.Expectations {
				switch {
				case e.Alertname != r.Alert:
					t.Errorf("alertname in the tests of %s = %s, want %[1]s", r.Alert, e.Alertname)
				case e.has(r):
					fires++
				default:
					holds++
				}
			}
		}
		if fires == 0 || holds == 0 {
			t.Errorf("%s %v: %d tests expect that it fires, %d that it does not, want some of both", r.Alert, r.Labels,
				fires, holds)
		}
	}
}

// What a runbook has, in this order.
var runbookParts = []string{
	"## What it means", "## What callers see", "## Look at first", "## Fix it",
	"## When to ignore it",
}

var (
	promqlBlock  = regexp.MustCompile("(?s)```promql\n(.+?)\n *```")
	slugNamed    = regexp.MustCompile("`([a-z]+(?:_[a-z0-9]+)+)`\\s+\\((\\d+)\\)")
	variableName = regexp.MustCompile(`NEURONWARD_[A-Z_]+[A-Z]`)
	alertRow     = regexp.MustCompile(`(?m)^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| ([a-z, ]+) \|`)
	alertNamed   = regexp.MustCompile(`\]\((Neuronward\w+)\.md\)`)
)

// Each alert says how bad it is, what is wrong, and where its page is; no page is left over.
func TestEveryAlertHasARunbook(t *testing.T) {
	var pages []string
	for _, r := range alerts(t) {
		if !slices.Contains([]string{"page", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity = %q, want page, warning or info", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: annotations = %q, want a summary and a description", r.Alert, r.Annotations)
		}
		if want := runbookURL + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		pages = append(pages, r.Alert+".md")
	}
	slices.Sort(pages)
	entries, err := os.ReadDir(runbooks)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if want := slices.Compact(pages); !slices.Equal(files, want) {
		t.Errorf("runbooks =\n%q\nwant one for each alert\n%q", files, want)
	}
}

// The table of alerts has them all, with their severities, in the order of the rules.
func TestTheTableOfAlertsIsWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(prometheusDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range alertRow.FindAllStringSubmatch(string(text), -1) {
		if m[1] != m[2] {
			t.Errorf("%s leads to the page of %s, want its own", m[1], m[2])
		}
		for severity := range strings.SplitSeq(m[3], ", ") {
			want = append(want, m[1]+" "+severity)
		}
	}
	for _, r := range alerts(t) {
		if a := r.Alert + " " + r.Labels["severity"]; !slices.Contains(got, a) {
			got = append(got, a)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("alerts of the rules =\n%q\nwant those of the table\n%q", got, want)
	}
}

// Runbooks have all of their parts, and what they name exists: series, codes, settings, other alerts.
func TestRunbooksNameWhatExists(t *testing.T) {
	series := seriesOfTheCode(t)
	_, rules := ruleFiles(t)
	settings := variableName.FindAllString(helpOf(t, "serve"), -1)
	numbers := make(map[string]string)
	for _, e := range normalize.Catalog() {
		numbers[e.Slug] = strconv.Itoa(e.Number)
	}
	files, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if head, _, _ := strings.Cut(text, "\n"); head != "# "+name {
			t.Errorf("head of %s = %q, want its name", name, head)
		}
		rest := text
		for _, part := range runbookParts {
			_, after, found := strings.Cut(rest, "\n"+part+"\n")
			if !found {
				t.Errorf("%s: want %q next in\n%s", name, part, rest)
			}
			rest = after
		}
		blocks := promqlBlock.FindAllStringSubmatch(text, -1)
		if len(blocks) == 0 {
			t.Errorf("%s has no query, want one", name)
		}
		for _, m := range blocks {
			series.names(t, name, m[1], recorded(rules)...)
		}
		for _, m := range slugNamed.FindAllStringSubmatch(text, -1) {
			if numbers[m[1]] != m[2] {
				t.Errorf("%s: the number of %s = %s, want %q, the catalog's", name, m[1], m[2], numbers[m[1]])
			}
		}
		for _, v := range variableName.FindAllString(text, -1) {
			if !slices.Contains(settings, v) {
				t.Errorf("%s names %s, want a setting that serve -h has", name, v)
			}
		}
		for _, m := range alertNamed.FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.Alert == m[1] }) {
				t.Errorf("%s leads to %s, want an alert of the rules", name, m[1])
			}
		}
	}
}

// helpOf is what a command says of itself.
func helpOf(t *testing.T, command string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, command, "-h")
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// All ways to refuse credentials are in the alert, and nothing else.
func TestCredentialsOfTheAlertAreThoseOfTheCatalog(t *testing.T) {
	want := make(map[string]bool)
	for _, e := range normalize.Catalog() {
		if e.Code.AboutCredentials() {
			want[e.Slug] = true
		}
	}
	i := slices.IndexFunc(alerts(t), func(r rule) bool { return r.Alert == "NeuronwardCredentialsRefused" })
	expr, err := parser.ParseExpr(alerts(t)[i].Expr)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, s := range selectors(expr) {
		for _, m := range s.LabelMatchers {
			if m.Name != "name" || m.Type != labels.MatchRegexp {
				continue
			}
			seen++
			got := make(map[string]bool)
			for slug := range strings.SplitSeq(m.Value, "|") {
				got[slug] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("codes of the alert = %v, want those of the catalog %v", got, want)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d choices of codes, want 2", seen)
	}
}
