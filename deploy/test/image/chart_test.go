package imagetest

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// A chartPod is what the chart makes a cluster start.
type chartPod struct {
	corev1.PodSpec
	environ map[string]string
	test    corev1.PodSpec // of helm test
	secrets map[string]map[string]string
}

// chartValues has every secret, and neither prices nor figures that would be asked of Cloudflare.
const chartValues = `
accountId: 0123456789abcdef0123456789abcdef
secrets:
  apiToken: {existingSecret: neuronward}
  clients: {existingSecret: neuronward}
  gatewayToken: {existingSecret: neuronward}
  analyticsToken: {existingSecret: neuronward}
tls: {enabled: true, existingSecret: certificate}
caBundle: {existingSecret: certificate, key: tls.crt}
config: {NEURONWARD_PRICES: embedded, NEURONWARD_RECONCILE: "0"}
`

func chartOf(t *testing.T, layers ...string) *chartPod {
	t.Helper()
	all := make(map[string]any)
	for _, layer := range layers {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(layer), &values); err != nil {
			t.Fatal(err)
		}
		all = chartutil.CoalesceTables(values, all)
	}
	chart, err := loader.LoadDir(filepath.Join("..", "..", "helm", "neuronward"))
	if err != nil {
		t.Fatal(err)
	}
	options, err := chartutil.ToRenderValues(chart, all,
		chartutil.ReleaseOptions{Name: "neuronward", Namespace: "ai"}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, options)
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	var config corev1.ConfigMap
	var test corev1.Pod
	for name, into := range map[string]any{"deployment": &deployment, "configmap": &config, "tests/ready": &test} {
		text := files["neuronward/templates/"+name+".yaml"]
		document, err := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))).Read()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Fatal(err)
		}
	}
	return &chartPod{PodSpec: deployment.Spec.Template.Spec, environ: config.Data, test: test.Spec}
}

// volumes writes what a kubelet mounts, and returns podman's options for it: files of root that a group may read,
// behind links that all change at once.
func (p *chartPod) volumes(t *testing.T, group int) []string {
	t.Helper()
	var options []string
	for _, mount := range p.Containers[0].VolumeMounts {
		dir := t.TempDir()
		i := slices.IndexFunc(p.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		switch v := p.Volumes[i]; {
		case v.Projected != nil:
			p.project(t, dir, v.Projected, group)
		case v.EmptyDir != nil:
			if err := os.Chmod(dir, os.ModeSetgid|0o777); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("volume %s = %+v, want files or an empty directory", v.Name, v)
		}
		option := dir + ":" + mount.MountPath
		if mount.ReadOnly {
			option += ":ro"
		}
		options = append(options, "--volume", option)
	}
	return options
}

// project writes the files of a volume, or writes them anew.
func (p *chartPod) project(t *testing.T, dir string, from *corev1.ProjectedVolumeSource, group int) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.MkdirTemp(dir, "..data_")
	must(err)
	must(os.Chmod(data, 0o755))
	for _, source := range from.Sources {
		for _, item := range source.Secret.Items {
			content, ok := p.secrets[source.Secret.Name][item.Key]
			if !ok {
				t.Fatalf("the Secret %s has no key %s", source.Secret.Name, item.Key)
			}
			path := filepath.Join(data, item.Path)
			must(os.MkdirAll(filepath.Dir(path), 0o755))
			must(os.WriteFile(path, []byte(content), 0o600))
			must(os.Chown(path, 0, group))
			must(os.Chmod(path, os.FileMode(*from.DefaultMode)))
			top, _, _ := strings.Cut(item.Path, "/")
			if link := filepath.Join(dir, top); os.Symlink(filepath.Join("..data", top), link) != nil {
				_, err := os.Lstat(link)
				must(err)
			}
		}
	}
	next := filepath.Join(dir, "..data_next")
	must(os.Symlink(filepath.Base(data), next))
	must(os.Rename(next, filepath.Join(dir, "..data")))
}

// confinement are podman's options for what the pod and its container may not do.
func confinement(t *testing.T, pod corev1.PodSpec, user string, groups ...int) []string {
	t.Helper()
	c := pod.Containers[0].SecurityContext
	options := []string{
		"--network", "host", "--pull", "never", "--user", user, "--ulimit", "nofile=1024:1024",
		"--ulimit", "nproc=1024:1024", fmt.Sprintf("--read-only=%t", *c.ReadOnlyRootFilesystem),
		"--read-only-tmpfs=false",
	}
	for _, group := range groups {
		options = append(options, "--group-add", strconv.Itoa(group))
	}
	if !*c.AllowPrivilegeEscalation {
		options = append(options, "--security-opt", "no-new-privileges")
	}
	for _, capability := range c.Capabilities.Drop {
		options = append(options, "--cap-drop", string(capability))
	}
	return options
}

// The image starts as the chart has a cluster start it: as its own user, and as one that the cluster chooses.
func testChart(t *testing.T, s *storage) {
	for name, c := range map[string]struct {
		values string
		user   string
		group  int
	}{
		"as the chart's user": {"{}", "65532:65532", 65532},
		"as a user that the cluster chooses": {
			"podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}", "1000660000:0", 1000660000,
		},
	} {
		t.Run(name, func(t *testing.T) { testChartAs(t, s, c.values, c.user, c.group) })
	}
}

func testChartAs(t *testing.T, s *storage, values, user string, group int) {
	p := chartOf(t, chartValues, values)
	if is := p.SecurityContext; is.RunAsUser != nil {
		if got := fmt.Sprintf("%d:%d", *is.RunAsUser, *is.RunAsGroup); got != user || int(*is.FSGroup) != group {
			t.Fatalf("user and group = %s and %d, want %s and %d", got, *is.FSGroup, user, group)
		}
	}
	pair := certtest.New(t, 1, time.Now())
	p.secrets = map[string]map[string]string{
		"certificate": {"tls.crt": string(pair.Cert), "tls.key": string(pair.Key)},
		"neuronward": {
			"api-token": "token\n", "gateway-token": "gateway", "analytics-token": "analytics",
			"clients.yaml": clientsOf("first"),
		},
	}
	_, app, _ := net.SplitHostPort(loopback.Free(t))
	_, admin, _ := net.SplitHostPort(loopback.Free(t))
	options := append(confinement(t, p.PodSpec, user, group), p.volumes(t, group)...)
	p.environ["NEURONWARD_UPSTREAM"] = upstreamOf(t, pair)
	p.environ["NEURONWARD_LISTEN"], p.environ["NEURONWARD_ADMIN_LISTEN"] = ":"+app, ":"+admin
	for variable, value := range p.environ {
		options = append(options, "--env", variable+"="+value)
	}
	container := s.startWith(t, options, p.Containers[0].Args...)
	probe := p.Containers[0].ReadinessProbe.HTTPGet
	until(t, "it is ready", func() bool {
		status, _ := call(t, http.MethodGet, "http://127.0.0.1:"+admin+probe.Path, "")
		return status == http.StatusOK
	})
	if logs := s.podman(t, "logs", container); strings.Contains(logs, "can be read by others") {
		t.Errorf("it warns of the files' permissions, want none: kubelets write them so\n%s", logs)
	}

	// What helm test starts says so, too.
	var test []string
	for _, e := range p.test.Containers[0].Env {
		if e.Name == "NEURONWARD_LISTEN" {
			e.Value = "localhost:" + app
		}
		test = append(test, "--env", e.Name+"="+e.Value)
	}
	out, ended := output(t, s.command("podman", slices.Concat([]string{"run", "--rm"},
		confinement(t, p.test, user), test, []string{image}, p.test.Containers[0].Args)...))
	if ended != 0 || out != "ready" {
		t.Errorf("the pod of helm test: exit status %d, %q, want 0 and ready", ended, out)
	}

	// A Secret that changes is in use without a restart.
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pair.Cert)
	over := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	status := func(key string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:"+app+
			"/v1/embeddings", strings.NewReader(`{"model": "@cf/baai/bge-m3", "input": "x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := over.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	// Workers AI has a certificate of the authority that caBundle names.
	if first, second := status("first"), status("second"); first != http.StatusOK || second != http.StatusUnauthorized {
		t.Errorf("calls with the first and the second key = %d and %d, want 200 and 401: one is in the file",
			first, second)
	}
	p.secrets["neuronward"]["clients.yaml"] = clientsOf("second")
	for i, option := range options {
		if dir, ok := strings.CutSuffix(option, ":/etc/neuronward:ro"); ok && options[i-1] == "--volume" {
			p.project(t, dir, p.Volumes[0].Projected, group)
		}
	}
	until(t, "the second key is taken", func() bool { return status("second") == http.StatusOK })

	s.podman(t, "stop", "--time", "40", container)
	if status := s.podman(t, "inspect", "--format", "{{.State.ExitCode}}", container); status != "0" {
		t.Errorf("exit status after stop = %s, want 0", status)
	}
}

// upstreamOf is a Workers AI with a certificate that no public authority has signed.
func upstreamOf(t *testing.T, pair certtest.Pair) (url string) {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
			"model": "@cf/baai/bge-m3", "usage": {"prompt_tokens": 1, "total_tokens": 1}}`)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL + "/client/v4"
}

// clientsOf is a clients file of one client.
func clientsOf(key string) string {
	return fmt.Sprintf("clients: [{name: app, key_sha256: %x}]\n", sha256.Sum256([]byte(key)))
}
