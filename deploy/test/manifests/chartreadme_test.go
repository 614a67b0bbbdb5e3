package manifeststest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

var update = flag.Bool("update", false, "write what is made from other files anew")

// read returns a file of the repository.
func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{top}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A property is what the schema says of one value.
type property struct {
	Description          string
	AdditionalProperties json.RawMessage
	Properties           map[string]*property
	Items                *property
}

func schema(t *testing.T) *property {
	t.Helper()
	var p property
	if err := json.Unmarshal(read(t, "deploy", "helm", "neuronward", "values.schema.json"), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// Each value is described, and no object takes what nobody knows.
func TestSchemaIsClosedAndDescribed(t *testing.T) {
	var walk func(path string, p *property)
	walk = func(path string, p *property) {
		if p.Description == "" && path != "" {
			t.Errorf("description of %s is empty, want one", path)
		}
		// extraVolumes and their like are Kubernetes' own: it says what is in them.
		if p.Properties != nil && string(p.AdditionalProperties) != "false" &&
			!slices.Contains([]string{".config", ".extraVolumes[]", ".httpRoute.parentRefs[]"}, path) {
			t.Errorf("additionalProperties of %s = %s, want false", path, p.AdditionalProperties)
		}
		for name, below := range p.Properties {
			walk(path+"."+name, below)
		}
		if p.Items != nil {
			walk(path+"[]", p.Items)
		}
	}
	walk("", schema(t))
}

// The table of the chart's README says what the schema says, in the order of the values.
func TestReadmeOfTheChart(t *testing.T) {
	var document yaml.Node
	if err := yaml.Unmarshal(read(t, "deploy", "helm", "neuronward", "values.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| Value | Default | Meaning |\n|---|---|---|\n")
	rows(t, &table, "", document.Content[0], schema(t))
	path := filepath.Join(top, "deploy", "helm", "neuronward", "README.md")
	text := read(t, "deploy", "helm", "neuronward", "README.md")
	begin, end := "<!-- made by go test ./manifests -run ReadmeOfTheChart -update -->\n", "<!-- end -->"
	before, rest, found := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		t.Fatalf("README.md of the chart, want %q and %q in it", begin, end)
	}
	made := slices.Concat(before, []byte(begin+table.String()+end), after)
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(made, text) {
		t.Errorf("README.md of the chart is not what values.schema.json makes; run this test with -update. Want\n%s",
			made)
	}
}

// rows writes a row for each value below node. One that has values of its own in the schema is a row without a
// default.
func rows(t *testing.T, table *strings.Builder, path string, node *yaml.Node, p *property) {
	t.Helper()
	known := maps.Clone(p.Properties)
	for i := 0; i < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		below := known[name]
		if below == nil {
			t.Fatalf("value %s%s is not in the schema, want it there", path, name)
		}
		delete(known, name)
		inside := below.Properties != nil && string(below.AdditionalProperties) == "false" && len(value.Content) > 0
		shown := ""
		if !inside {
			shown = "`" + flow(t, value) + "`"
		}
		description := strings.ReplaceAll(below.Description, "|", "\\|")
		fmt.Fprintf(table, "| `%s%s` | %s | %s |\n", path, name, shown, description)
		if inside {
			rows(t, table, path+name+".", value, below)
		}
	}
	for name := range known { // what has no default
		if path == "" && name != "global" || path == "secrets." || path == "service." {
			t.Errorf("value %s%s of the schema is not in values.yaml, want it there", path, name)
		}
	}
}

// flow is a value on one line.
func flow(t *testing.T, value *yaml.Node) string {
	t.Helper()
	var v any
	if err := value.Decode(&v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// helm lint --strict.
func TestChartLints(t *testing.T) {
	for name, set := range map[string]string{
		"one replica": oneReplica, "a team's": team, "all is unlike the defaults": unlike,
	} {
		result := lint.AllWithKubeVersionAndSchemaValidation(filepath.Join(top, "deploy", "helm", "neuronward"),
			values(t, set), "ai", nil, false)
		for _, m := range result.Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: helm lint --strict: %v, want nothing", name, m)
			}
		}
	}
}

// What is printed after an installation names what there is, and what is missing.
func TestNotesOfTheChart(t *testing.T) {
	const (
		paid    = "config: {NEURONWARD_PLAN: paid}\ntls: {enabled: true, existingSecret: x}"
		ingress = "ingress: {enabled: true, hosts: [{host: ai.example.com}]}"
	)
	for set, want := range map[string]string{
		oneReplica: `(?s)http://neuronward\.ai:3036/v1.*helm test -n ai neuronward.*` +
			`\* The free plan.*\* Nothing scrapes`,

		oneReplica + "persistence: {enabled: false}": `\* The count of the day's neurons goes with the pod`,

		oneReplica + paid: `(?s)https://neuronward.*\* No limit`,

		oneReplica + "service: {type: LoadBalancer}": `(?s)get service neuronward.*\* Keys come unencrypted`,

		oneReplica + ingress: `(?s)http://ai\.example\.com/v1.*set ingress\.tls`,

		oneReplica + "httpRoute: {enabled: true, parentRefs: [{name: x}], hostnames: [a.b]}": `https://a\.b/v1`,

		oneReplica + "config: {NEURONWARD_ALLOW_ANONYMOUS: true}": `\* Whoever reaches the Service`,

		team: `\* The autoscaler needs the custom metric`,
	} {
		layers := strings.SplitAfter(set, oneReplica)
		files, err := render(t, values(t, layers...), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := files["neuronward/templates/NOTES.txt"]; !regexp.MustCompile(want).MatchString(got) ||
			strings.Contains(got, "\n\n\n") {
			t.Errorf("notes =\n%s\nwant %s in them, and no two empty lines", got, want)
		}
	}
	quiet, err := render(t, values(t, oneReplica, "podMonitor: {enabled: true}\n"+
		"config: {NEURONWARD_PLAN: paid, NEURONWARD_DAILY_NEURONS: 50000}"), false)
	if err != nil {
		t.Fatal(err)
	}
	if got := quiet["neuronward/templates/NOTES.txt"]; strings.Contains(got, "missing") {
		t.Errorf("notes =\n%s\nwant nothing missing", got)
	}
}
