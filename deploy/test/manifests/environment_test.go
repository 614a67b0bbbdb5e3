package manifeststest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// probed are the paths that probes may ask; the test below shows that they are answered.
var probed = []string{"/livez", "/readyz"}

// Kubernetes puts the address of each Service of a namespace into the environment of its pods. Those of ours
// begin as our own variables do.
func TestEnvironmentOfKubernetes(t *testing.T) {
	app, admin := loopback.Free(t), loopback.Free(t)
	environ := []string{"NEURONWARD_LISTEN=" + app, "NEURONWARD_ADMIN_LISTEN=" + admin}
	for _, o := range []objects{kustomized(t, "gateway"), rendered(t, team)} {
		environ = append(environ, links(only(t, o.services))...)
	}
	if !strings.Contains(strings.Join(environ, " "), "NEURONWARD_PORT_3036_TCP_ADDR=") {
		t.Fatalf("variables of the Services = %q, want NEURONWARD_PORT_3036_TCP_ADDR among them", environ)
	}
	cmd := product(t, environ, "demo")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ready := func() bool {
		for _, path := range probed {
			if !answers(t, "http://"+admin+path) {
				return false
			}
		}
		return true
	}
	tick, end := time.NewTicker(50*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for !ready() {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended with %v, want it to be ready:\n%s", err, said.String())
		case <-end:
			cmd.Process.Kill()
			<-ended //nolint:errcheck // it was killed
			t.Fatalf("not ready after 5 minutes, want %q answered:\n%s", probed, said.String())
		case <-tick.C:
		}
	}
	followed := only(t, kustomized(t, "gateway").scalers).Spec.Metrics[0].Pods.Metric.Name
	if series, _ := fetch(t, "http://"+admin+"/metrics"); !strings.Contains(series, "\n"+followed+" ") {
		t.Errorf("the autoscaler's series is %s, want one that /metrics has", followed)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("told to end: %v\n%s", err, said.String())
	}
}

// links are the variables that Kubernetes makes of a Service.
func links(s corev1.Service) []string {
	name := strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
	environ := []string{
		name + "_SERVICE_HOST=10.0.0.1", fmt.Sprintf("%s_SERVICE_PORT=%d", name, s.Spec.Ports[0].Port),
		fmt.Sprintf("%s_PORT=tcp://10.0.0.1:%d", name, s.Spec.Ports[0].Port),
	}
	for _, port := range s.Spec.Ports {
		prefix := fmt.Sprintf("%s_PORT_%d_TCP", name, port.Port)
		environ = append(environ, fmt.Sprintf("%s_SERVICE_PORT_%s=%d", name, strings.ToUpper(port.Name), port.Port),
			fmt.Sprintf("%s=tcp://10.0.0.1:%d", prefix, port.Port), fmt.Sprintf("%s_PORT=%d", prefix, port.Port),
			prefix+"_PROTO=tcp", prefix+"_ADDR=10.0.0.1")
	}
	return environ
}

// answers reports whether a path is answered with 200.
func answers(t *testing.T, url string) bool {
	t.Helper()
	_, ok := fetch(t, url)
	return ok
}

func fetch(t *testing.T, url string) (body string, ok bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err == nil && resp.StatusCode == http.StatusOK
}
