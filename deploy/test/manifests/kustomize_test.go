package manifeststest

import (
	"cmp"
	"maps"
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
	someStore   = "redis://user@127.0.0.1:1/0" // nobody answers there
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
	if got := workload.Spec.Replicas; got != nil { // each kubectl apply would undo the autoscaler's replicas
		t.Errorf("replicas = %d, want none", *got)
	}
	wantSelected(t, o)
	wantPolicy(t, o)
	wantScraped(t, p, workload.Spec.Template.Labels)

	// Nothing starts with what only stands for what is the operator's.
	said, status := p.check()
	for _, variable := range []string{
		"CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN_FILE", "NEURONWARD_CLIENTS_FILE",
	} {
		if !strings.Contains(said, variable+": ") || status != mistakes {
			t.Errorf("check: exit status %d, want %d and a mistake in %s:\n%s", status, mistakes, variable, said)
		}
	}
}

func TestGatewayOfATeam(t *testing.T) {
	o := kustomized(t, "examples/gateway")
	workload := only(t, o.workloads)
	if len(o.secrets) > 0 { // one with nothing in it would take the place of the team's
		t.Errorf("Secrets = %q, want none", slices.Collect(maps.Keys(o.secrets)))
	}
	p := newPod(t, workload.Spec.Template.Spec, o, map[string]map[string]string{
		"neuronward": {"api-token": "token\n", "clients.yaml": someClients, "store-password": "word"},
	})
	p.wantSound()
	p.wantGrace()
	wantSelected(t, o)
	p.wantNoMistakes()
}

func TestSidecar(t *testing.T) {
	o := kustomized(t, "examples/sidecar")
	workload := only(t, o.workloads)
	spec := workload.Spec.Template.Spec
	p := newPod(t, spec, o, map[string]map[string]string{"neuronward-sidecar": {"api-token": "token"}})
	p.wantSound()
	p.wantNoMistakes()
	// The app would wait for the end of an init container that is no sidecar.
	if got := cmp.Or(p.container.RestartPolicy, new(corev1.ContainerRestartPolicy)); *got != "Always" {
		t.Errorf("restartPolicy = %q, want Always", *got)
	}
	if got := len(spec.InitContainers); got != 1 {
		t.Errorf("%d init containers, want 1", got)
	}
	for _, variable := range []string{"NEURONWARD_LISTEN", "NEURONWARD_ADMIN_LISTEN"} {
		if at := p.setting(variable); !strings.HasPrefix(at, "127.0.0.1:") {
			t.Errorf("%s = %s, want 127.0.0.1, which other pods do not reach", variable, at)
		}
	}
	for _, e := range spec.Containers[0].Env {
		if want := "http://" + p.setting("NEURONWARD_LISTEN") + "/v1"; e.Name == "OPENAI_BASE_URL" && e.Value != want {
			t.Errorf("OPENAI_BASE_URL = %s, want %s", e.Value, want)
		}
	}

	// Its ConfigMap counts more than the sidecar's defaults, and may name each key of its Secret.
	if from := p.container.EnvFrom; len(from) != 2 ||
		!regexp.MustCompile(`^neuronward-sidecar-[^-]+$`).MatchString(from[1].ConfigMapRef.Name) {
		t.Errorf("envFrom = %v, want two, the app's ConfigMap last", from)
	}
}

// Each variable that names a file may name a key of the Secret, in an overlay's ConfigMap alone.
func TestFurtherSecretsAreFiles(t *testing.T) {
	further := map[string]string{
		"CF_AIG_TOKEN_FILE": "gateway-token", "NEURONWARD_ANALYTICS_TOKEN_FILE": "analytics-token",
		"NEURONWARD_STORE_PASSWORD_FILE": "store-password",
	}
	for dir, name := range map[string]string{"gateway": "neuronward", "sidecar": "neuronward-sidecar"} {
		o := kustomized(t, "examples/"+dir)
		secret := map[string]string{"api-token": "token", "clients.yaml": someClients}
		for _, key := range further {
			secret[key] = "some-word"
		}
		p := newPod(t, only(t, o.workloads).Spec.Template.Spec, o, map[string]map[string]string{name: secret})
		p.environ["NEURONWARD_STORE"] = someStore
		for variable, key := range further {
			p.environ[variable] = "/etc/neuronward/" + key
		}
		p.wantNoMistakes()
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
		t.Fatalf("deploy/README.md, want the kustomization of a sidecar in\n%s", readme)
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
	const published = "https://github.com/neuronward/neuronward//deploy/kubernetes/sidecar?ref=v1.0.0"
	local := strings.Replace(string(shown[1]), published, component, 1)
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
	p.wantNoMistakes()
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
		wantMatches(t, what, selector, replica)
	}
	if to := scaler.Spec.ScaleTargetRef; to.Name != workload.Name || to.Kind != workload.Kind {
		t.Errorf("scaleTargetRef = %v, want %s %s", to, workload.Kind, workload.Name)
	}
	for _, port := range service.Spec.Ports {
		if port.TargetPort.StrVal != "apps" {
			t.Errorf("targetPort of the Service = %v, want apps", port.TargetPort)
		}
	}
}

// wantMatches: a selector is one of the replicas, and not one of everything.
func wantMatches(t *testing.T, what string, selector *metav1.LabelSelector, replica labels.Set) {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatalf("selector of the %s: %v", what, err)
	}
	if s.Empty() || !s.Matches(replica) {
		t.Errorf("selector of the %s = %q, want one that selects %v alone", what, s, replica)
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
	wantMatches(t, "PodMonitor", &monitor.Spec.Selector, replica)
	for _, e := range monitor.Spec.PodMetricsEndpoints {
		if !slices.ContainsFunc(p.container.Ports,
			func(port corev1.ContainerPort) bool { return port.Name == e.Port && port.Name == "admin" }) {
			t.Errorf("port of the PodMonitor = %q, want the pod's admin port", e.Port)
		}
	}
	if got := monitor.Spec.PodMetricsEndpoints; len(got) != 1 {
		t.Errorf("endpoints of the PodMonitor = %v, want one", got)
	}
}

// wantPolicy: apps reach the one port, monitoring alone the other, and the replicas nothing but what they need.
func wantPolicy(t *testing.T, o objects) {
	t.Helper()
	policy := only(t, o.networks).Spec
	if !slices.Equal(policy.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
		t.Errorf("policyTypes = %v, want Ingress and Egress", policy.PolicyTypes)
	}
	open := make(map[string]bool)
	for _, rule := range policy.Ingress {
		for _, port := range rule.Ports {
			open[port.Port.String()] = true
			for _, from := range rule.From {
				everybody := from.NamespaceSelector != nil && len(from.NamespaceSelector.MatchLabels) == 0
				if port.Port.StrVal == "admin" && everybody {
					t.Errorf("the admin port is open to %v, want not to every namespace", from)
				}
			}
			if len(rule.From) == 0 {
				t.Errorf("%v is open to everything, want named callers", port.Port)
			}
		}
		if len(rule.Ports) == 0 {
			t.Errorf("ports of the rule for %v = none, which is all, want some", rule.From)
		}
	}
	if got := slices.Sorted(maps.Keys(open)); !slices.Equal(got, []string{"admin", "apps"}) {
		t.Errorf("open ports = %q, want admin and apps", got)
	}
	var out []string
	for _, rule := range policy.Egress {
		for _, port := range rule.Ports {
			out = append(out, port.Port.String())
		}
	}
	if slices.Sort(out); !slices.Equal(out, []string{"443", "53", "53", "6379"}) {
		t.Errorf("ports that replicas may call = %q, want 443, 53, 53 and 6379", out)
	}
	for _, rule := range policy.Egress {
		for _, to := range rule.To {
			if to.PodSelector != nil && to.PodSelector.MatchLabels["app.kubernetes.io/name"] != "redis" {
				t.Errorf("pods that replicas may call = %v, want those of redis", to.PodSelector)
			}
		}
	}
}
