package manifeststest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// An account and a client's key that the product takes.
const (
	someAccount = "0123456789abcdef0123456789abcdef"
	someClients = "clients:\n  - name: app\n    key_sha256: " + someAccount + someAccount + "\n"
	someStore   = "redis://:password@127.0.0.1:1/0" // nobody answers there
)

// kustomized is kubectl kustomize of a directory of deploy/kubernetes.
func kustomized(t *testing.T, dir string) objects {
	t.Helper()
	return build(t, filepath.Join(top, "deploy", "kubernetes", dir))
}

func build(t *testing.T, dir string) objects {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, manifests)
}

func TestGateway(t *testing.T) {
	o := kustomized(t, "gateway")
	workload := only(t, o.workloads)
	p := newPod(t, workload.Spec.Template.Spec, o, nil)
	p.wantSound()
	p.wantGrace()
	if workload.Spec.Replicas != nil {
		t.Error("each kubectl apply would undo the autoscaler's replicas")
	}
	wantSelected(t, o)
	wantPolicy(t, o)
	wantScraped(t, p, workload.Spec.Template.Labels)

	// Nothing starts with what only stands for what is the operator's.
	said, status := p.check()
	for _, variable := range []string{
		"CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN_FILE", "NEURONWARD_CLIENTS_FILE",
		"NEURONWARD_STORE",
	} {
		if !strings.Contains(said, variable+": ") || status != mistakes {
			t.Errorf("check, exit status %d, finds no mistake in %s:\n%s", status, variable, said)
		}
	}
}

func TestGatewayOfATeam(t *testing.T) {
	o := kustomized(t, "examples/gateway")
	workload := only(t, o.workloads)
	if len(o.secrets) > 0 {
		t.Error("a Secret with nothing in it would take the place of the team's")
	}
	p := newPod(t, workload.Spec.Template.Spec, o, map[string]map[string]string{
		"neuronward": {"api-token": "token\n", "clients.yaml": someClients, "store": someStore},
	})
	p.wantSound()
	p.wantGrace()
	wantSelected(t, o)
	if said, status := p.check(); status == mistakes {
		t.Errorf("the product finds mistakes:\n%s", said)
	}
}

func TestSidecar(t *testing.T) {
	o := kustomized(t, "examples/sidecar")
	workload := only(t, o.workloads)
	spec := workload.Spec.Template.Spec
	p := newPod(t, spec, o, map[string]map[string]string{"neuronward-sidecar": {"api-token": "token"}})
	p.wantSound()
	if said, status := p.check(); status == mistakes {
		t.Errorf("the product finds mistakes:\n%s", said)
	}
	if always := p.container.RestartPolicy; always == nil || *always != "Always" || len(spec.InitContainers) != 1 {
		t.Error("it is no sidecar: the app would wait for its end")
	}
	for _, variable := range []string{"NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN"} {
		if at := p.setting(variable); !strings.HasPrefix(at, "127.0.0.1:") {
			t.Errorf("%s is %s: other pods reach it", variable, at)
		}
	}
	for _, e := range spec.Containers[0].Env {
		if e.Name == "OPENAI_BASE_URL" && e.Value != "http://"+p.setting("NEURONWARD_LISTEN")+"/v1" {
			t.Errorf("the app calls %s", e.Value)
		}
	}

	// Its Secret may name a store, and its ConfigMap counts more than the sidecar's defaults.
	p = newPod(t, spec, o, map[string]map[string]string{"neuronward-sidecar": {
		"api-token": "token", "store": someStore, "gateway-token": "gateway", "analytics-token": "analytics",
	}})
	if got := p.environ["NEURONWARD_STORE"]; got != someStore {
		t.Errorf("the store is %q", got)
	}
	if got := p.environ["CF_AIG_TOKEN"] + p.environ["NEURONWARD_ANALYTICS_TOKEN"]; got != "gatewayanalytics" {
		t.Errorf("the further tokens are %q", got)
	}
	if from := p.container.EnvFrom; len(from) != 2 ||
		!regexp.MustCompile(`^neuronward-sidecar-[^-]+$`).MatchString(from[1].ConfigMapRef.Name) {
		t.Errorf("the app's ConfigMap is not the last one: %v", from)
	}
}

// What README shows of a sidecar's kustomization is enough, but that the component is this tree's.
func TestSidecarOfReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(top, "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)\n```yaml\n(components:\n.*?)```\n").FindSubmatch(readme)
	if shown == nil {
		t.Fatal("README shows no kustomization of a sidecar")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	component, err := filepath.Abs(filepath.Join(top, "deploy", "kubernetes", "sidecar"))
	if err != nil {
		t.Fatal(err)
	}
	if component, err = filepath.Rel(dir, component); err != nil {
		t.Fatal(err)
	}
	local := strings.Replace(string(shown[1]), "https://github.com/neuronward/neuronward//deploy/kubernetes/sidecar",
		component, 1)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: [app.yaml]\n"+local),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(top, "deploy", "kubernetes", "examples", "sidecar", "app.yaml"),
		filepath.Join(dir, "app.yaml")); err != nil {
		t.Fatal(err)
	}
	o := build(t, dir)
	p := newPod(t, only(t, o.workloads).Spec.Template.Spec, o,
		map[string]map[string]string{"neuronward-sidecar": {"api-token": "token"}})
	p.wantSound()
	if said, status := p.check(); status == mistakes {
		t.Errorf("the product finds mistakes:\n%s", said)
	}
}

// wantSelected: each selector means the replicas, and no others.
func wantSelected(t *testing.T, o objects) {
	t.Helper()
	workload := only(t, o.workloads)
	replica := labels.Set(workload.Spec.Template.Labels)
	service, budget, policy, scaler := only(t, o.services), only(t, o.budgets), only(t, o.networks), only(t, o.scalers)
	for what, selector := range map[string]*metav1.LabelSelector{
		"Deployment": workload.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector,
		"NetworkPolicy":             &policy.Spec.PodSelector,
		"Service":                   {MatchLabels: service.Spec.Selector},
		"topologySpreadConstraints": workload.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() || !s.Matches(replica) {
			t.Errorf("the selector of the %s, %v, does not mean the replicas: %v", what, s, err)
		}
	}
	if scaler.Spec.ScaleTargetRef.Name != workload.Name || scaler.Spec.ScaleTargetRef.Kind != workload.Kind {
		t.Errorf("what is scaled is %v", scaler.Spec.ScaleTargetRef)
	}
	for _, port := range service.Spec.Ports {
		if port.TargetPort.StrVal != "apps" {
			t.Errorf("the Service leads to %v, which is not for apps", port.TargetPort)
		}
	}
}

// wantScraped: the PodMonitor finds the replicas, and their port.
func wantScraped(t *testing.T, p *pod, replica labels.Set) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "deploy", "prometheus", "operator", "podmonitor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var monitor struct {
		Spec struct {
			Selector            metav1.LabelSelector
			PodMetricsEndpoints []struct{ Port string }
		}
	}
	if err := yaml.Unmarshal(text, &monitor); err != nil {
		t.Fatal(err)
	}
	s, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil || s.Empty() || !s.Matches(replica) {
		t.Errorf("the PodMonitor's selector, %v, does not mean the replicas: %v", s, err)
	}
	for _, e := range monitor.Spec.PodMetricsEndpoints {
		if !slices.ContainsFunc(p.container.Ports,
			func(port corev1.ContainerPort) bool { return port.Name == e.Port && port.Name == "admin" }) {
			t.Errorf("the PodMonitor asks the port %q", e.Port)
		}
	}
	if len(monitor.Spec.PodMetricsEndpoints) != 1 {
		t.Errorf("the PodMonitor asks %v", monitor.Spec.PodMetricsEndpoints)
	}
}

// wantPolicy: apps reach the one port, monitoring alone the other, and the replicas nothing but what they need.
func wantPolicy(t *testing.T, o objects) {
	t.Helper()
	policy := only(t, o.networks).Spec
	if !slices.Equal(policy.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
		t.Errorf("the policy is for %v", policy.PolicyTypes)
	}
	open := make(map[string]bool)
	for _, rule := range policy.Ingress {
		for _, port := range rule.Ports {
			open[port.Port.String()] = true
			for _, from := range rule.From {
				everybody := from.NamespaceSelector != nil && len(from.NamespaceSelector.MatchLabels) == 0
				if port.Port.StrVal == "admin" && everybody {
					t.Error("the admin port is open to every namespace")
				}
			}
			if len(rule.From) == 0 {
				t.Errorf("%v is open to everything", port.Port)
			}
		}
		if len(rule.Ports) == 0 {
			t.Error("a rule opens every port")
		}
	}
	if !open["apps"] || !open["admin"] || len(open) != 2 {
		t.Errorf("open are %v", open)
	}
	var out []string
	for _, rule := range policy.Egress {
		for _, port := range rule.Ports {
			out = append(out, port.Port.String())
		}
	}
	if slices.Sort(out); !slices.Equal(out, []string{"443", "53", "53", "6379"}) {
		t.Errorf("it may call the ports %v", out)
	}
	for _, rule := range policy.Egress {
		for _, to := range rule.To {
			if to.PodSelector != nil && to.PodSelector.MatchLabels["app.kubernetes.io/name"] != "redis" {
				t.Errorf("it may call the pods %v", to.PodSelector)
			}
		}
	}
}
