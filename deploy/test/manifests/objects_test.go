package manifeststest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// objects are what a set of manifests makes in a cluster, by kind.
type objects struct {
	configs   map[string]corev1.ConfigMap
	secrets   map[string]corev1.Secret
	services  map[string]corev1.Service
	volumes   map[string]corev1.PersistentVolumeClaim
	workloads map[string]appsv1.Deployment
	scalers   map[string]autoscalingv2.HorizontalPodAutoscaler
	budgets   map[string]policyv1.PodDisruptionBudget
	networks  map[string]networkingv1.NetworkPolicy
	accounts  map[string]corev1.ServiceAccount
	pods      map[string]corev1.Pod
	ingresses map[string]networkingv1.Ingress
	routes    map[string]gateway.HTTPRoute
	monitors  map[string]monitoring.ServiceMonitor
	scraped   map[string]monitoring.PodMonitor
	rules     map[string]monitoring.PrometheusRule

	all []map[string]any // each of them as it is written
}

// decode reads manifests strictly: a field that Kubernetes does not have, or has twice, fails the test.
func decode(t *testing.T, manifests []byte) objects {
	t.Helper()
	var o objects
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		switch kind.APIVersion + " " + kind.Kind {
		case " ": // comments alone
		case "v1 ConfigMap":
			keep(t, &o.configs, document)
		case "v1 Secret":
			keep(t, &o.secrets, document)
		case "v1 Service":
			keep(t, &o.services, document)
		case "v1 PersistentVolumeClaim":
			keep(t, &o.volumes, document)
		case "apps/v1 Deployment":
			keep(t, &o.workloads, document)
		case "autoscaling/v2 HorizontalPodAutoscaler":
			keep(t, &o.scalers, document)
		case "policy/v1 PodDisruptionBudget":
			keep(t, &o.budgets, document)
		case "networking.k8s.io/v1 NetworkPolicy":
			keep(t, &o.networks, document)
		case "v1 ServiceAccount":
			keep(t, &o.accounts, document)
		case "v1 Pod":
			keep(t, &o.pods, document)
		case "networking.k8s.io/v1 Ingress":
			keep(t, &o.ingresses, document)
		case "gateway.networking.k8s.io/v1 HTTPRoute":
			keep(t, &o.routes, document)
		case "monitoring.coreos.com/v1 ServiceMonitor":
			keep(t, &o.monitors, document)
		case "monitoring.coreos.com/v1 PodMonitor":
			keep(t, &o.scraped, document)
		case "monitoring.coreos.com/v1 PrometheusRule":
			keep(t, &o.rules, document)
		default:
			t.Errorf("kind = %s %s, want one that this test knows", kind.APIVersion, kind.Kind)
		}
		var tree map[string]any
		if err := yaml.Unmarshal(document, &tree); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if tree != nil {
			o.all = append(o.all, tree)
		}
	}
}

// keep decodes a document and puts it into all by its name.
func keep[T any](t *testing.T, all *map[string]T, document []byte) {
	t.Helper()
	var object T
	var named metav1.PartialObjectMetadata
	// Not yaml.UnmarshalStrict, which makes text of a number where the type has text. Kubernetes refuses it.
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	unknown, err := json.UnmarshalStrict(text, &object)
	if err := errors.Join(append(unknown, err, yaml.Unmarshal(document, &named))...); err != nil {
		t.Errorf("%v in\n%s", err, document)
	}
	if *all == nil {
		*all = make(map[string]T)
	}
	if _, ok := (*all)[named.Name]; ok || named.Name == "" {
		t.Errorf("name of a %s = %q, want one that no other has", named.Kind, named.Name)
	}
	(*all)[named.Name] = object
}

// only returns the one object of a kind that there is.
func only[T any](t *testing.T, all map[string]T) T {
	t.Helper()
	if len(all) != 1 {
		t.Fatalf("there are %d of %T, want one", len(all), all)
	}
	for _, object := range all {
		return object
	}
	panic("unreachable")
}
