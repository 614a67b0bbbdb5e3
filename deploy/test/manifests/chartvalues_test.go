package manifeststest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"
)

// chartValues are values that people set, over those of one replica, and what must be in the objects then: YAML of
// which each part must be there, an element of a list somewhere in it.
var chartValues = []struct{ values, objects string }{
	{`nameOverride: ai`, `
kind: Deployment
metadata: {name: neuronward-ai, labels: {app.kubernetes.io/name: ai}}
spec: {selector: {matchLabels: {app.kubernetes.io/name: ai}}}`},
	{`fullnameOverride: gateway`, `
kind: Service
metadata: {name: gateway}
spec: {selector: {app.kubernetes.io/name: neuronward}}`},
	{`image: {tag: v1.2.3}`, container(`image: "ghcr.io/neuronward/neuronward:v1.2.3"`)},
	{
		`image: {digest: "sha256:` + someAccount + someAccount + `"}`,
		container(`image: "ghcr.io/neuronward/neuronward:v0.1.0@sha256:` + someAccount + someAccount + `"`),
	},
	{
		`image: {repository: registry.example.com:5000/ai/proxy, tag: "1"}`,
		container(`image: "registry.example.com:5000/ai/proxy:1"`),
	},
	{`image: {pullPolicy: Always}`, container(`imagePullPolicy: Always`)},
	{`imagePullSecrets: [{name: registry}]`, inPod(`imagePullSecrets: [{name: registry}]`)},
	{
		`secrets: {apiToken: {value: "", existingSecret: cloudflare, key: token}}`,
		source(`secret: {name: cloudflare, items: [{key: token, path: api-token}]}`),
	},
	{
		`secrets: {apiToken: {value: "", existingSecret: cloudflare}}`,
		variable(`CLOUDFLARE_API_TOKEN_FILE`, `api-token`),
	},
	{
		`secrets: {clients: {value: "", existingSecret: clients, key: all.yaml}}`,
		source(`secret: {name: clients, items: [{key: all.yaml, path: clients.yaml}]}`),
	},
	{`secrets: {gatewayToken: {existingSecret: cloudflare}}`, variable(`CF_AIG_TOKEN_FILE`, `gateway-token`)},
	{`secrets: {gatewayToken: {value: word}}`, `{kind: Secret, stringData: {gateway-token: word, api-token: token}}`},
	{
		`secrets: {gatewayToken: {value: word, key: unused}}`,
		source(`secret: {name: neuronward, items: [{key: gateway-token, path: gateway-token}]}`),
	},
	{
		`secrets: {analyticsToken: {existingSecret: cloudflare}}`,
		variable(`NEURONWARD_ANALYTICS_TOKEN_FILE`, `analytics-token`),
	},
	{
		someRedis + `secrets: {storePassword: {existingSecret: redis, key: password}}`,
		source(`secret: {name: redis, items: [{key: password, path: store-password}]}`),
	},
	{
		someRedis + `secrets: {storePassword: {existingSecret: redis}}`,
		variable(`NEURONWARD_STORE_PASSWORD_FILE`, `store-password`),
	},
	{someRedis + `secrets: {storePassword: {value: word}}`, `{kind: Secret, stringData: {store-password: word}}`},
	{`secrets: {analyticsToken: {value: word}}`, `{kind: Secret, stringData: {analytics-token: word}}`},
	{
		someRedis + `replicaCount: 3`,
		`{kind: Deployment, spec: {replicas: 3, strategy: {rollingUpdate: {maxUnavailable: 0}}}}`,
	},
	{
		strings.Replace(someRedis, "redis://", "redis+sentinel://user@a:26379,b:26379/mymaster/0?x=", 1),
		`{kind: ConfigMap}`,
	},
	{strings.Replace(someRedis, "redis://", "rediss+cluster://user@a,b?x=", 1), `{kind: ConfigMap}`},
	{
		`persistence: {size: 1Gi, storageClass: slow}`,
		`{kind: PersistentVolumeClaim, spec: {storageClassName: slow, resources: {requests: {storage: 1Gi}}}}`,
	},
	{`persistence: {existingClaim: mine}`, inPod(`volumes: [{name: state, persistentVolumeClaim: {claimName: mine}}]`)},
	{`persistence: {enabled: false}`, inPod(`volumes: [{name: state, emptyDir: {sizeLimit: 64Mi}}]`)},
	{
		someRedis + `autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 9, inFlight: 100}`,
		`{kind: HorizontalPodAutoscaler, spec: {minReplicas: 3, maxReplicas: 9}}`,
	},
	{
		`config: {NEURONWARD_USD_PER_1000_NEURONS: 0.01, NEURONWARD_DAILY_NEURONS: 1000000}`,
		`{kind: ConfigMap, data: {NEURONWARD_USD_PER_1000_NEURONS: "0.01", NEURONWARD_DAILY_NEURONS: "1000000"}}`,
	},
	{`drainSeconds: 120`, inPod(`terminationGracePeriodSeconds: 135`)},
	{`drainSeconds: 120`, `{kind: ConfigMap, data: {NEURONWARD_DRAIN: 120s}}`},
	{`maxHeldMiB: 1024`, container(`resources: {limits: {memory: 1344Mi}}`)},
	{
		`resources: {requests: {cpu: 1}, limits: {ephemeral-storage: 1Mi}}`,
		container(`resources: {requests: {cpu: 1, memory: 192Mi}, limits: {memory: 576Mi, ephemeral-storage: 1Mi}}`),
	},
	{
		`extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector:4318"}]`,
		container(`env: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector:4318"}]`),
	},
	{
		`extraEnv: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]`,
		container(`env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]`),
	},
	{
		`extraEnvFrom: [{configMapRef: {name: shared, optional: true}}]`,
		container(`envFrom: [{configMapRef: {name: neuronward}}, {configMapRef: {name: shared}}]`),
	},
	{
		"extraVolumes: [{name: prices, configMap: {name: prices}}]\n" +
			`extraVolumeMounts: [{name: prices, mountPath: /etc/prices, readOnly: true}]`,
		container(`volumeMounts: [{name: prices, mountPath: /etc/prices, readOnly: true}, ` +
			`{name: secrets}, {name: state}]`),
	},
	{
		`extraVolumes: [{name: prices, configMap: {name: prices}}]`,
		inPod(`volumes: [{name: prices, configMap: {name: prices}}, {name: secrets}]`),
	},
	{
		`tls: {enabled: true, existingSecret: certificate}`,
		source(`secret: {name: certificate, items: [{key: tls.crt, path: tls/tls.crt},
  {key: tls.key, path: tls/tls.key}]}`),
	},
	{`tls: {enabled: true, existingSecret: certificate}`, variable(`NEURONWARD_TLS_KEY`, `tls/tls.key`)},
	{`tls: {enabled: true, existingSecret: certificate}`, `{kind: Service, spec: {ports: [{appProtocol: https}]}}`},
	{
		`caBundle: {configMap: authorities}`,
		source(`configMap: {name: authorities, items: [{key: ca.crt, path: ca/ca.crt}]}`),
	},
	{
		`caBundle: {existingSecret: authorities, key: all.pem}`,
		source(`secret: {name: authorities, items: [{key: all.pem, path: ca/ca.crt}]}`),
	},
	{`caBundle: {configMap: authorities}`, variable(`SSL_CERT_DIR`, `ca`)},
	{
		`service: {type: NodePort, nodePort: 30036, externalTrafficPolicy: Local}`,
		`{kind: Service, spec: {type: NodePort, externalTrafficPolicy: Local, ports: [{nodePort: 30036}]}}`,
	},
	{`service: {type: LoadBalancer, port: 443, loadBalancerClass: inside, loadBalancerSourceRanges: [10.0.0.0/8]}`, `
kind: Service
spec: {ports: [{port: 443}], loadBalancerClass: inside, loadBalancerSourceRanges: [10.0.0.0/8]}`},
	{
		`service: {annotations: {example.com/internal: "true"}}`,
		`{kind: Service, metadata: {annotations: {example.com/internal: "true"}}}`,
	},
	{`ingress: {enabled: true, className: nginx, hosts: [{host: ai.example.com}],
  tls: [{secretName: ai, hosts: [ai.example.com]}],
  annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: "360"}}`, `
kind: Ingress
metadata: {annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: "360"}}
spec:
  ingressClassName: nginx
  tls: [{secretName: ai, hosts: [ai.example.com]}]
  rules: [{host: ai.example.com, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: neuronward, port: {name: apps}}}}]}}]`},
	{`ingress: {enabled: true, hosts: [{host: a.example.com,
  paths: [{path: /v1/chat, pathType: Exact}, {path: /run}]}]}`, `
kind: Ingress
spec: {rules: [{host: a.example.com, http: {paths: [{path: /v1/chat, pathType: Exact},
  {path: /run, pathType: Prefix}]}}]}`},
	{`httpRoute: {enabled: true, parentRefs: [{name: gateway, namespace: edge, sectionName: https}],
  hostnames: [ai.example.com], requestTimeout: 0s, annotations: {example.com/owner: ai}}`, `
kind: HTTPRoute
metadata: {annotations: {example.com/owner: ai}}
spec: {parentRefs: [{name: gateway, namespace: edge, sectionName: https}], hostnames: [ai.example.com],
  rules: [{timeouts: {request: 0s}, backendRefs: [{name: neuronward, port: 3036}]}]}`},
	{`networkPolicy: {monitoringNamespace: observability}`, `
kind: NetworkPolicy
spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: observability}}}]}]}`},
	{someRedis + `networkPolicy: {redisPort: 6380, redisLabels: {app: valkey}}`, `
kind: NetworkPolicy
spec: {egress: [{to: [{podSelector: {matchLabels: {app: valkey}}}], ports: [{port: 6380}]}]}`},
	{
		`networkPolicy: {extraIngress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}`,
		`{kind: NetworkPolicy, spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}}`,
	},
	{
		`networkPolicy: {extraEgress: [{to: [{ipBlock: {cidr: 10.1.2.3/32}}]}]}`,
		`{kind: NetworkPolicy, spec: {egress: [{to: [{ipBlock: {cidr: 10.1.2.3/32}}]}]}}`,
	},
	{`serviceMonitor: {enabled: true, interval: 30s, scrapeTimeout: 10s, labels: {release: prometheus}}`, `
kind: ServiceMonitor
metadata: {labels: {release: prometheus}}
spec: {selector: {matchLabels: {app.kubernetes.io/component: metrics}},
  endpoints: [{port: admin, interval: 30s, scrapeTimeout: 10s}]}`},
	{`serviceMonitor: {enabled: true}`, `
kind: Service
metadata: {name: neuronward-metrics, labels: {app.kubernetes.io/component: metrics,
  app.kubernetes.io/instance: neuronward}}
spec: {clusterIP: None, ports: [{name: admin, port: 3037, targetPort: admin}]}`},
	{`podMonitor: {enabled: true, labels: {release: prometheus}, interval: 1m, scrapeTimeout: 10s}`, `
kind: PodMonitor
metadata: {labels: {release: prometheus}}
spec: {podMetricsEndpoints: [{interval: 1m, scrapeTimeout: 10s}]}`},
	{`serviceMonitor: {enabled: true, annotations: {a: b}, relabelings: [{action: labeldrop, regex: pod}],
  metricRelabelings: [{action: drop, sourceLabels: [__name__], regex: go_.*}]}`, `
kind: ServiceMonitor
metadata: {annotations: {a: b}}
spec: {endpoints: [{relabelings: [{action: labeldrop}], metricRelabelings: [{action: drop}]}]}`},
	{`podMonitor: {enabled: true, annotations: {a: b}, relabelings: [{action: labeldrop, regex: pod_template_hash}],
  metricRelabelings: [{action: drop, sourceLabels: [__name__], regex: go_.*}]}`, `
kind: PodMonitor
metadata: {annotations: {a: b}}
spec: {selector: {matchLabels: {app.kubernetes.io/component: gateway, app.kubernetes.io/instance: neuronward}},
  podMetricsEndpoints: [{port: admin, relabelings: [{action: labeldrop}], metricRelabelings: [{action: drop}]}]}`},
	{`prometheusRule: {enabled: true, labels: {release: prometheus}, annotations: {a: b}}`, `
kind: PrometheusRule
metadata: {labels: {release: prometheus}, annotations: {a: b}}
spec: {groups: [{name: neuronward-calls, interval: 30s}]}`},
	{`dashboards: {enabled: true, annotations: {grafana_folder: AI}}`, `
kind: ConfigMap
metadata: {name: neuronward-quota, labels: {grafana_dashboard: "1"}, annotations: {grafana_folder: AI}}`},
	{
		`dashboards: {enabled: true, labels: {grafana_dashboard: null, dashboard: "yes"}}`,
		`{kind: ConfigMap, metadata: {name: neuronward-errors, labels: {dashboard: "yes"}}}`,
	},
	{
		`serviceAccount: {annotations: {example.com/role: none}}`,
		`{kind: ServiceAccount, metadata: {name: neuronward, annotations: {example.com/role: none}},
  automountServiceAccountToken: false}`,
	},
	{`serviceAccount: {create: false}`, inPod(`serviceAccountName: default`)},
	{
		`serviceAccount: {create: false, name: shared, automount: true}`,
		inPod(`{serviceAccountName: shared, automountServiceAccountToken: true}`),
	},
	{
		someRedis + "replicaCount: 3\npodDisruptionBudget: {maxUnavailable: null, minAvailable: 50%}",
		`{kind: PodDisruptionBudget, spec: {minAvailable: 50%}}`,
	},
	{
		someRedis + "replicaCount: 3\npodDisruptionBudget: {maxUnavailable: 2}",
		`{kind: PodDisruptionBudget, spec: {maxUnavailable: 2}}`,
	},
	{`revisionHistoryLimit: 0`, `{kind: Deployment, spec: {revisionHistoryLimit: 0}}`},
	{`podLabels: {team: ai}`, `{kind: Deployment, spec: {template: {metadata: {labels: {team: ai,
  app.kubernetes.io/component: gateway}}}}}`},
	{
		`podAnnotations: {sidecar.istio.io/inject: "false"}`,
		`{kind: Deployment, spec: {template: {metadata: {annotations: {sidecar.istio.io/inject: "false"}}}}}`,
	},
	{
		`podSecurityContext: {runAsUser: 1000, fsGroupChangePolicy: OnRootMismatch, supplementalGroups: [7]}`,
		inPod(`securityContext: {runAsUser: 1000, runAsNonRoot: true,
  fsGroupChangePolicy: OnRootMismatch, supplementalGroups: [7]}`),
	},
	{`priorityClassName: high`, inPod(`priorityClassName: high`)},
	{`nodeSelector: {kubernetes.io/arch: arm64}`, inPod(`nodeSelector: {kubernetes.io/arch: arm64}`)},
	{`tolerations: [{key: dedicated, operator: Exists}]`, inPod(`tolerations: [{key: dedicated, operator: Exists}]`)},
	{`affinity: {podAntiAffinity: {}}`, inPod(`affinity: {podAntiAffinity: {}}`)},
	{
		`topologySpreadConstraints: [{maxSkew: 2, topologyKey: topology.kubernetes.io/zone,
  whenUnsatisfiable: DoNotSchedule}]`,
		inPod(`topologySpreadConstraints: [{maxSkew: 2, topologyKey: topology.kubernetes.io/zone,
  labelSelector: {matchLabels: {app.kubernetes.io/instance: neuronward}}}]`),
	},
	{`nodeSelector: {kubernetes.io/arch: arm64}`, `
kind: Pod
metadata: {annotations: {helm.sh/hook: test}}
spec: {nodeSelector: {kubernetes.io/arch: arm64}, containers: [{args: [healthcheck], env: [
  {name: NEURONWARD_LISTEN, value: "neuronward.ai:3036"}]}]}`},
}

const someRedis = "persistence: {enabled: false}\nredis: {enabled: true, address: 'redis://redis:6379/0'}\n"

func inPod(spec string) string {
	return "kind: Deployment\nspec: {template: {spec: " + braced(spec) + "}}"
}
func container(fields string) string { return inPod("containers: [" + braced(fields) + "]") }

// source is one of the files of the secrets' volume.
func source(fields string) string {
	return inPod("volumes: [{name: secrets, projected: {sources: [" + braced(fields) + "]}}]")
}

// variable names a file of the secrets' volume.
func variable(name, path string) string {
	return fmt.Sprintf("{kind: ConfigMap, data: {%s: /etc/neuronward/%s}}", name, path)
}

func braced(fields string) string {
	if strings.HasPrefix(fields, "{") {
		return fields
	}
	return "{" + fields + "}"
}

func TestEachValueOfTheChart(t *testing.T) {
	for _, c := range chartValues {
		t.Run(c.values, func(t *testing.T) {
			o := rendered(t, oneReplica, c.values)
			var want map[string]any
			if err := yaml.Unmarshal([]byte(c.objects), &want); err != nil {
				t.Fatalf("%v in\n%s", err, c.objects)
			}
			if !slices.ContainsFunc(o.all, func(object map[string]any) bool { return has(object, want) }) {
				text, err := yaml.Marshal(slices.DeleteFunc(o.all,
					func(object map[string]any) bool { return object["kind"] != want["kind"] }))
				t.Errorf("the chart makes (error %v)\n%s\nwant an object with\n%s", err, text, c.objects)
			}
			for _, object := range o.all {
				set, _ := object["metadata"].(map[string]any)["labels"].(map[string]any)
				labels := make(map[string]string)
				for label, value := range set {
					labels[label], _ = value.(string)
				}
				wantLabels(t, labels)
			}
		})
	}
}

// has reports whether all of want is in got.
func has(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		for key, value := range want {
			ok = ok && has(got[key], value)
		}
		return ok
	case []any:
		got, ok := got.([]any)
		for _, value := range want {
			ok = ok && slices.ContainsFunc(got, func(one any) bool { return has(one, value) })
		}
		return ok
	}
	return reflect.DeepEqual(got, want)
}

// Each value that there is, is set in one of the tests.
func TestEachValueIsTried(t *testing.T) {
	var tried []string
	for _, c := range chartValues {
		tried = append(tried, leaves("", values(t, c.values))...)
	}
	for _, set := range []string{oneReplica, team, unlike} {
		tried = append(tried, leaves("", values(t, set))...)
	}
	elsewhere := []string{ // in tests of their own
		"networkPolicy.enabled", "podDisruptionBudget.enabled", "podSecurityContext.runAsGroup",
		"podSecurityContext.fsGroup", "podSecurityContext.runAsNonRoot", "podSecurityContext.seccompProfile.type",
		"networkPolicy.redisLabels.app.kubernetes.io/name",
	}
	for _, path := range leaves("", loaded(t).Values) {
		set := func(one string) bool { return one == path || strings.HasPrefix(one, path+".") }
		if !slices.ContainsFunc(tried, set) && !slices.Contains(elsewhere, path) {
			t.Errorf("value %s is in none of the sets of this test, want it in one", path)
		}
	}
	o := rendered(t, oneReplica, someRedis+
		"replicaCount: 2\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}")
	if policies, budgets := len(o.networks), len(o.budgets); policies+budgets > 0 {
		t.Errorf("%d network policies, %d disruption budgets, want none: both are off", policies, budgets)
	}
}

// leaves are the paths of values that have none below them.
func leaves(path string, v any) []string {
	tree, ok := v.(map[string]any)
	if !ok || len(tree) == 0 {
		return []string{strings.TrimPrefix(path, ".")}
	}
	var all []string
	for key, value := range tree {
		all = append(all, leaves(path+"."+key, value)...)
	}
	return all
}

// OpenShift gives each namespace its users.
func TestChartLetsTheClusterChooseTheUser(t *testing.T) {
	o := rendered(t, oneReplica, "podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}")
	got := only(t, o.workloads).Spec.Template.Spec.SecurityContext
	if got.RunAsUser != nil || got.RunAsGroup != nil || got.FSGroup != nil || !*got.RunAsNonRoot {
		t.Errorf("securityContext = %+v, want neither user nor groups, and runAsNonRoot", got)
	}
}

func TestChartRefuses(t *testing.T) {
	for set, want := range map[string]string{
		// What the schema sees.
		"replicas: 2": "schema", "accountId: 0123": "schema", "config: {GOGC: 100}": "schema",
		"config: {NEURONWARD_QUOTA_MODE: off}": "schema", "config: {NEURONWARD_RATE_LIMITS: off}": "schema",
		"config: {NEURONWARD_STREAM_REPAIR: off}":               "schema",
		"podAnnotations: {prometheus.io/port: 3037}":            "schema",
		"networkPolicy: {monitoringNamespace: ''}":              "schema",
		"redis: {enabled: true, address: 'file:/tmp/x'}":        "schema",
		"image: {digest: latest}":                               "schema",
		"image: {tag: 'v1@sha256:0123'}":                        "schema",
		"podSecurityContext: {runAsNonRoot: false}":             "schema",
		"podSecurityContext: {runAsUser: 0}":                    "schema",
		"secrets: {apiToken: {existingsecret: x}}":              "schema",
		"extraEnv: [{value: x}]":                                "schema",
		"service: {type: ExternalName}":                         "schema",
		"ingress: {hosts: [ai.example.com]}":                    "schema",
		"httpRoute: {requestTimeout: forever}":                  "schema",
		"tls: {cert: '-----BEGIN CERTIFICATE-----'}":            "schema",
		"topologySpreadConstraints: [{maxSkew: 1}]":             "schema",
		"serviceMonitor: {enabled: true, interval: often}":      "schema",
		"persistence: {size: ''}":                               "schema",
		"drainSeconds: 0":                                       "schema",
		"terminationGracePeriodSeconds: 10":                     "schema",
		"extraVolumeMounts: [{name: x, mountPath: relative/x}]": "schema",
		// What does not go together.
		"accountId: ''":                               "accountId is required",
		"secrets: {apiToken: {value: ''}}":            "secrets.apiToken is required",
		"secrets: {clients: {value: ''}}":             "secrets.clients is required",
		"secrets: {apiToken: {existingSecret: mine}}": "secrets.apiToken has both value and existingSecret",
		"secrets: {clients: {existingSecret: mine}}":  "secrets.clients has both value and existingSecret",
		"replicaCount: 2":                             "more than one replica needs redis.enabled",
		"autoscaling: {enabled: true}":                "more than one replica needs redis.enabled",
		"redis: {address: 'redis://redis'}":           "redis.enabled is not",
		"secrets: {storePassword: {value: word}}":     "redis.enabled is not",
		"tls: {enabled: true}":                        "tls.enabled needs tls.existingSecret",
		"tls: {existingSecret: certificate}":          "tls.enabled is not",
		"caBundle: {configMap: a, existingSecret: b}": "caBundle has both",
		"resources: {limits: {memory: 64Mi}}":         "follows from maxHeldMiB",
		"config: {NEURONWARD_DRAIN: 5s}":              "use drainSeconds",
		"config: {NEURONWARD_STORE_PASSWORD: word}":   "use secrets.storePassword",
		"extraVolumes: [{name: state, emptyDir: {}}]": "which is there already",
		"podLabels: {app.kubernetes.io/name: x}":      "use nameOverride",
		"service: {nodePort: 30036}":                  "service.nodePort needs",
		"service: {externalTrafficPolicy: Local}":     "service.externalTrafficPolicy needs",
		"service: {loadBalancerClass: x}":             "need service.type LoadBalancer",
		"ingress: {enabled: true}":                    "ingress.enabled needs ingress.hosts",
		"httpRoute: {enabled: true}":                  "httpRoute.enabled needs",
		"replicaCount: 2\nservice: {nodePort: 30036}": "service.nodePort needs",

		someRedis + "autoscaling: {enabled: true, minReplicas: 7}":            "minReplicas is above",
		"persistence: {enabled: false}\nredis: {enabled: true}":               "redis.enabled needs redis.address",
		"redis: {enabled: true, address: 'redis://redis'}":                    "the count is in Redis",
		"redis: {enabled: true, address: 'redis://:word@redis'}":              "redis.address holds a password",
		"redis: {enabled: true, address: 'rediss+cluster://u:word@a,b'}":      "redis.address holds a password",
		"persistence: {enabled: false, existingClaim: mine}":                  "persistence.enabled is not",
		"config: {NEURONWARD_ANALYTICS_TOKEN_FILE: /etc/x}":                   "use secrets.analyticsToken",
		"extraEnv: [{name: CLOUDFLARE_API_TOKEN, value: token}]":              "use secrets.apiToken",
		"extraEnv: [{name: NEURONWARD_TLS_CERT, value: /x}]":                  "use tls",
		"extraEnv: [{name: NEURONWARD_CLIENTS_FILE, value: /x}]":              "use secrets.clients",
		"extraVolumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]":    "which is there already",
		"extraVolumeMounts: [{name: x, mountPath: /x}]":                       "which is not in extraVolumes",
		"extraVolumeMounts: [{name: state, mountPath: /etc/neuronward/x}]":    "mount it elsewhere",
		"service: {type: NodePort, loadBalancerSourceRanges: [10.0.0.0/8]}":   "need service.type LoadBalancer",
		"serviceMonitor: {enabled: true}\npodMonitor: {enabled: true}":        "would be scraped twice",
		someRedis + "replicaCount: 2\npodDisruptionBudget: {minAvailable: 1}": "has both minAvailable and",

		"accountId: ''\nreplicaCount: 2\ntls: {enabled: true}": "tls.enabled needs tls.existingSecret",
	} {
		t.Run(set, func(t *testing.T) {
			_, err := render(t, values(t, oneReplica, set), false)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("render() = %v, want an error with %q", err, want)
			}
			if want == "schema" || err == nil {
				return
			}
			// Nor without the schema.
			_, err = render(t, values(t, oneReplica, set), true)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("render() without the schema = %v, want an error with %q", err, want)
			}
		})
	}
}

// Whoever lets everybody in says so, and needs no clients.
func TestChartWithoutClients(t *testing.T) {
	rendered(t, oneReplica, "secrets: {clients: {value: ''}}\nconfig: {NEURONWARD_ALLOW_ANONYMOUS: true}")
}

// The rules and dashboards of the chart are those of deploy.
func TestChartHasTheRulesAndDashboards(t *testing.T) {
	o := rendered(t, oneReplica, "prometheusRule: {enabled: true}\ndashboards: {enabled: true}")
	groups := make(map[string]int)
	for _, group := range only(t, o.rules).Spec.Groups {
		groups[group.Name] = len(group.Rules)
	}
	want := make(map[string]int)
	for _, file := range []string{"recording.yml", "alerts.yml"} {
		var rules struct {
			Groups []struct {
				Name  string
				Rules []any
			}
		}
		if err := yaml.Unmarshal(read(t, "deploy", "prometheus", file), &rules); err != nil {
			t.Fatal(err)
		}
		for _, group := range rules.Groups {
			want[group.Name] = len(group.Rules)
		}
	}
	if !reflect.DeepEqual(groups, want) || len(want) < 3 {
		t.Errorf("rules by group = %v, want those of deploy/prometheus: %v", groups, want)
	}
	for _, name := range []string{"errors", "fleet", "quota", "traffic"} {
		got := o.configs["neuronward-"+name].Data["neuronward-"+name+".json"]
		if want := string(read(t, "deploy", "grafana", "dashboards", name+".json")); strings.TrimSpace(got) !=
			strings.TrimSpace(want) {
			t.Errorf("dashboard %s has %d bytes, want those of deploy/grafana, %d", name, len(got), len(want))
		}
	}
}

// Names of objects are no longer than Kubernetes allows.
func TestChartWithALongName(t *testing.T) {
	long := strings.Repeat("a", 63)
	o := rendered(t, oneReplica, "fullnameOverride: "+long+
		"\ndashboards: {enabled: true}\nserviceMonitor: {enabled: true}")
	for _, object := range o.all {
		if name := object["metadata"].(map[string]any)["name"].(string); len(name) > 63 {
			t.Errorf("name of a %s has %d characters, want 63 at most: %s", object["kind"], len(name), name)
		}
	}
}

// loaded is the chart as Helm reads it.
func loaded(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loadChart()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
