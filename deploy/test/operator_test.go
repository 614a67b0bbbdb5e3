package deploytest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"go.yaml.in/yaml/v3"
	apps "k8s.io/api/apps/v1"
	strict "sigs.k8s.io/yaml"
)

// operatorHeader begins the rules as the Prometheus Operator takes them.
const operatorHeader = `# Made from ../recording.yml and ../alerts.yml by "go test -run PrometheusRule -update" ` +
	`in deploy/test. Change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: neuronward
  labels:
    app.kubernetes.io/name: neuronward
spec:
  groups:
`

// operatorRules are the rule files as one PrometheusRule, comments included.
func operatorRules(t *testing.T) []byte {
	t.Helper()
	made := bytes.NewBufferString(operatorHeader)
	for _, name := range []string{"recording.yml", "alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(prometheusDir, name))
		if err != nil {
			t.Fatal(err)
		}
		comment, groups, found := strings.Cut(string(text), "groups:\n")
		if !found {
			t.Fatalf("%s, want groups in\n%s", name, text)
		}
		for line := range strings.Lines(comment) {
			made.WriteString("    " + line)
		}
		for line := range strings.Lines(groups) {
			if line != "\n" {
				made.WriteString("  ")
			}
			made.WriteString(line)
		}
	}
	return made.Bytes()
}

// The operator's rules are those of Prometheus, and are what its types take.
func TestPrometheusRuleIsMadeFromTheRules(t *testing.T) {
	path := filepath.Join(prometheusDir, "operator", "prometheusrule.yaml")
	made := operatorRules(t)
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(committed, made) {
		t.Errorf("%s (error %v) =\n%s\nwant what the rules make; run this test with -update:\n%s", path, err, committed,
			made)
	}
	var decoded monitoring.PrometheusRule
	if err := strict.UnmarshalStrict(committed, &decoded); err != nil {
		t.Fatal(err)
	}
	if decoded.APIVersion != "monitoring.coreos.com/v1" || decoded.Kind != monitoring.PrometheusRuleKind {
		t.Errorf("kind = %s of %s, want %s of monitoring.coreos.com/v1", decoded.Kind, decoded.APIVersion,
			monitoring.PrometheusRuleKind)
	}
	var inside struct {
		Spec struct{ Groups any }
	}
	if err := yaml.Unmarshal(committed, &inside); err != nil {
		t.Fatal(err)
	}
	var groups []any
	files, _ := ruleFiles(t)
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	if want := []string{"alerts.yml", "recording.yml"}; !slices.Equal(names, want) {
		t.Fatalf("files of rules = %q, want %q, which it is made from", names, want)
	}
	for _, name := range []string{files[1], files[0]} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Groups []any }
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, file.Groups...)
	}
	if !reflect.DeepEqual(inside.Spec.Groups, any(groups)) {
		t.Errorf("groups =\n%v\nwant those of the files\n%v", inside.Spec.Groups, groups)
	}
}

// The pods that the operator lets Prometheus scrape.
func TestPodMonitorIsWhatTheOperatorTakes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(prometheusDir, "operator", "podmonitor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m monitoring.PodMonitor
	if err := strict.UnmarshalStrict(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.APIVersion != "monitoring.coreos.com/v1" || m.Kind != monitoring.PodMonitorsKind {
		t.Errorf("kind = %s of %s, want %s of monitoring.coreos.com/v1", m.Kind, m.APIVersion,
			monitoring.PodMonitorsKind)
	}
	if got := m.Spec.Selector.MatchLabels["app.kubernetes.io/name"]; got != "neuronward" {
		t.Fatalf("app.kubernetes.io/name of the selector = %q, want neuronward", got)
	}
	if got := m.Spec.PodMetricsEndpoints; len(got) != 1 {
		t.Fatalf("endpoints = %+v, want one", got)
	}
	e := m.Spec.PodMetricsEndpoints[0]
	if e.Path != "" && e.Path != "/metrics" {
		t.Errorf("path that it scrapes = %q, want /metrics", e.Path)
	}
	deployment, err := os.ReadFile(filepath.Join("..", "kubernetes", "gateway", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var gateway apps.Deployment
	if err := strict.UnmarshalStrict(deployment, &gateway); err != nil {
		t.Fatal(err)
	}
	for label, value := range m.Spec.Selector.MatchLabels {
		if got := gateway.Spec.Selector.MatchLabels[label]; got != value {
			t.Errorf("label %s of the gateway's pods = %q, want %q", label, got, value)
		}
	}
	found := false
	ports := gateway.Spec.Template.Spec.Containers[0].Ports
	for _, port := range ports {
		found = found || e.Port != nil && port.Name == *e.Port && port.ContainerPort == 3037
	}
	if !found {
		t.Errorf("ports of the gateway's pods = %v, want the scraped one among them, with 3037", ports)
	}
}
