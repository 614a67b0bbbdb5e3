package manifeststest

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// values merges YAML over YAML, as several -f of helm do.
func values(t *testing.T, layers ...string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for _, layer := range layers {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(layer), &v); err != nil {
			t.Fatal(err)
		}
		all = chartutil.CoalesceTables(v, all)
	}
	return all
}

// loadChart reads the chart once.
var loadChart = sync.OnceValues(func() (*chart.Chart, error) {
	return loader.LoadDir(filepath.Join(top, "deploy", "helm", "neuronward"))
})

// render is helm template neuronward. Without the schema the templates alone refuse.
func render(t *testing.T, v map[string]any, skipSchema bool) (map[string]string, error) {
	t.Helper()
	chart := loaded(t)
	release := chartutil.ReleaseOptions{Name: "neuronward", Namespace: "ai", IsInstall: true}
	all, err := chartutil.ToRenderValuesWithSchemaValidation(chart, v, release, chartutil.DefaultCapabilities,
		skipSchema)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

func rendered(t *testing.T, layers ...string) objects {
	t.Helper()
	files, err := render(t, values(t, layers...), false)
	if err != nil {
		t.Fatal(err)
	}
	var manifests bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(files[name]) != "" {
			manifests.WriteString("---\n" + files[name] + "\n")
		}
	}
	return decode(t, manifests.Bytes())
}

// Sets of values that people would have.
const (
	oneReplica = `
accountId: ` + someAccount + `
secrets:
  apiToken: {value: token}
  clients:
    value: |
      clients:
        - name: app
          key_sha256: ` + someAccount + someAccount + `
persistence: {enabled: true, storageClass: fast}
`
	team = `
accountId: ` + someAccount + `
redis: {enabled: true, address: "redis://redis:6379/0"}
secrets:
  apiToken: {existingSecret: neuronward}
  clients: {existingSecret: neuronward}
  storePassword: {existingSecret: neuronward}
autoscaling: {enabled: true}
`
	unlike = `
accountId: ` + someAccount + `
nameOverride: ai-proxy
image: {repository: registry.example.com/neuronward, tag: v9, digest: "sha256:` + someAccount + someAccount + `"}
imagePullSecrets: [{name: registry}]
replicaCount: 3
redis: {enabled: true, address: "` + someStore + `"}
secrets:
  apiToken: {value: token}
  gatewayToken: {value: gateway}
  analyticsToken: {existingSecret: cloudflare, key: analytics}
  storePassword: {existingSecret: redis-user, key: password}
  clients: {value: "clients: [{name: app, key_sha256: ` + someAccount + someAccount + `}]"}
drainSeconds: 120
maxHeldMiB: 1024
resources: {requests: {cpu: 1, memory: 1Gi}, limits: {ephemeral-storage: 1Mi}}
config: {NEURONWARD_PLAN: paid, NEURONWARD_DAILY_NEURONS: 2500000, NEURONWARD_MAX_BODY: 67108864,
  NEURONWARD_RATE_LIMITS: "off", NEURONWARD_PPROF: true, NEURONWARD_USD_PER_1000_NEURONS: 0.01}
service: {type: LoadBalancer, port: 80}
tls: {enabled: true, existingSecret: certificate, certKey: chain.pem, keyKey: key.pem}
networkPolicy:
  monitoringNamespace: "2026"
  redisPort: 6380
  extraEgress: [{to: [{ipBlock: {cidr: 10.1.2.3/32}}], ports: [{port: 6380, protocol: TCP}]}]
podAnnotations: {example.com/owner: ai}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: dedicated, operator: Exists}]
affinity: {nodeAffinity: {}}
`
)

// somePair is a certificate and its key, in PEM.
func somePair(t *testing.T) (certificate, key string) {
	t.Helper()
	pair := certtest.New(t, 1, time.Now())
	return string(pair.Cert), string(pair.Key)
}

func TestChart(t *testing.T) {
	certificate, key := somePair(t)
	outside := map[string]map[string]string{
		"neuronward":  {"api-token": "token", "clients.yaml": someClients, "store-password": "word"},
		"cloudflare":  {"analytics": "analytics"},
		"redis-user":  {"password": "word"},
		"certificate": {"chain.pem": certificate, "key.pem": key},
	}
	for name, set := range map[string]string{
		"one replica": oneReplica, "a team's": team,
		"all is unlike the defaults": unlike,
	} {
		t.Run(name, func(t *testing.T) {
			o := rendered(t, set)
			workload := only(t, o.workloads)
			p := newPod(t, workload.Spec.Template.Spec, o, outside)
			p.wantSound()
			p.wantGrace()
			p.wantNoMistakes()
			wantLabels(t, workload.Labels)
			_, gateway := p.environ["CF_AIG_TOKEN_FILE"]
			_, analytics := p.environ["NEURONWARD_ANALYTICS_TOKEN_FILE"]
			if want := strings.Contains(set, "gatewayToken"); gateway != want || analytics != want {
				t.Errorf("further tokens: gateway %t, analytics %t, want those that are set: %t",
					gateway, analytics, want)
			}
			if name == "one replica" {
				only(t, o.volumes)
				only(t, o.secrets)
				if scalers, budgets := len(o.scalers), len(o.budgets); scalers+budgets > 0 {
					t.Errorf("one replica has %d autoscalers, %d disruption budgets, want none", scalers, budgets)
				}
				if got := *workload.Spec.Replicas; got != 1 {
					t.Errorf("replicas = %d, want 1", got)
				}
				if got := workload.Spec.Strategy.Type; got != "Recreate" {
					t.Errorf("strategy of one replica with a file = %s, want Recreate", got)
				}
			}
		})
	}
}

// wantLabels: Kubernetes takes them.
func wantLabels(t *testing.T, set map[string]string) {
	t.Helper()
	for label, value := range set {
		if wrong := validation.IsValidLabelValue(value); len(wrong) > 0 || value == "" {
			t.Errorf("label %s = %q (%q), want a valid value", label, value, wrong)
		}
	}
}

// Callers from outside the cluster come from no namespace.
func TestChartLetsInWhomItsServiceIsFor(t *testing.T) {
	for kind, everybody := range map[string]bool{"ClusterIP": false, "LoadBalancer": true, "NodePort": true} {
		t.Run(kind, func(t *testing.T) {
			o := rendered(t, oneReplica, "service: {type: "+kind+"}")
			for _, rule := range only(t, o.networks).Spec.Ingress {
				port := rule.Ports[0].Port.StrVal
				if want := everybody && port == "apps"; (len(rule.From) == 0) != want {
					t.Errorf("the port %s is open to %v, want to everybody: %t", port, rule.From, want)
				}
			}
		})
	}
}

// The chart and the base of kustomize are two ways to write one thing.
func TestChartIsTheGateway(t *testing.T) {
	base, chart := kustomized(t, "gateway"), rendered(t, team)
	for what, pair := range map[string][2]any{
		"Deployment":              {only(t, base.workloads).Spec, only(t, chart.workloads).Spec},
		"Service":                 {only(t, base.services).Spec, only(t, chart.services).Spec},
		"HorizontalPodAutoscaler": {only(t, base.scalers).Spec, only(t, chart.scalers).Spec},
		"PodDisruptionBudget":     {only(t, base.budgets).Spec, only(t, chart.budgets).Spec},
		"NetworkPolicy":           {only(t, base.networks).Spec, only(t, chart.networks).Spec},
		"ConfigMap":               {only(t, base.configs).Data, only(t, chart.configs).Data},
	} {
		if b, c := plain(t, pair[0]), plain(t, pair[1]); b != c {
			t.Errorf("%s of the chart =\n%s\nwant that of the base\n%s", what, c, b)
		}
	}
	o := rendered(t, team)
	wantSelected(t, o)
	wantPolicy(t, o)
}

// plain is v as YAML without what must differ: names, versions, labels of releases, and what stands for the account.
func plain(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	text, err = yaml.Marshal(without(tree))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func without(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		for _, differs := range []string{
			"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart",
			"annotations", "image", "imagePullPolicy", "CLOUDFLARE_ACCOUNT_ID", "serviceAccountName",
			"sources", // of the volume: the chart names each key. That the files are there wantNoMistakes shows.
		} {
			delete(tree, differs)
		}
		if tree["type"] == "ClusterIP" { // the default
			delete(tree, "type")
		}
		if ref, ok := tree["configMapRef"].(map[string]any); ok {
			ref["name"], _, _ = strings.Cut(ref["name"].(string), "-")
		}
		for key, value := range tree {
			tree[key] = without(value)
		}
	case []any:
		for i, value := range tree {
			tree[i] = without(value)
		}
	}
	return tree
}
