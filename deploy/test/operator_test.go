package deploytest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"go.yaml.in/yaml/v3"
	apps "k8s.io/api/apps/v1"
	strict "sigs.k8s.io/yaml"
)

// operatorHeader begins the rules as the Prometheus Operator takes them.
const operatorHeader = `# Made from ../recording.yml and ../alerts.yml by "go test -run PrometheusRule -update" in deploy/test. Change those.
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
			t.Fatalf("%s has no groups", name)
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
		t.Errorf("%s is not what the rules make; run this test with -update (%v)", path, err)
	}
	var decoded monitoring.PrometheusRule
	if err := strict.UnmarshalStrict(committed, &decoded); err != nil {
		t.Fatal(err)
	}
	if decoded.APIVersion != "monitoring.coreos.com/v1" || decoded.Kind != monitoring.PrometheusRuleKind {
		t.Errorf("it is a %s of %s", decoded.Kind, decoded.APIVersion)
	}
	var inside struct {
		Spec struct{ Groups any }
	}
	if err := yaml.Unmarshal(committed, &inside); err != nil {
		t.Fatal(err)
	}
	var groups []any
	files, _ := ruleFiles(t)
	if want := []string{"alerts.yml", "recording.yml"}; len(files) != 2 || filepath.Base(files[0]) != want[0] ||
		filepath.Base(files[1]) != want[1] {
		t.Fatalf("rules are in %q, and it is made from %q", files, want)
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
		t.Error("the rules in it are not those of the files")
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
		t.Errorf("it is a %s of %s", m.Kind, m.APIVersion)
	}
	if len(m.Spec.PodMetricsEndpoints) != 1 || m.Spec.Selector.MatchLabels["app.kubernetes.io/name"] != "neuronward" {
		t.Fatalf("%+v", m.Spec)
	}
	e := m.Spec.PodMetricsEndpoints[0]
	if e.Path != "" && e.Path != "/metrics" {
		t.Errorf("it scrapes %q", e.Path)
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
		if gateway.Spec.Selector.MatchLabels[label] != value {
			t.Errorf("the gateway's pods have no %s=%s", label, value)
		}
	}
	found := false
	for _, port := range gateway.Spec.Template.Spec.Containers[0].Ports {
		found = found || e.Port != nil && port.Name == *e.Port && port.ContainerPort == 3037
	}
	if !found {
		t.Error("the gateway's pods have no such port")
	}
}
