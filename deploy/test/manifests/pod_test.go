package manifeststest

import (
	"cmp"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// after is what a process may take after NEURONWARD_DRAIN: to cut calls, to close connections and to write its count.
const after = 6 * time.Second

// A pod is one that the product runs in, with what it finds there.
type pod struct {
	t         *testing.T
	spec      corev1.PodSpec
	container corev1.Container
	environ   map[string]string
	secrets   map[string]map[string]string // values by key, by name of the Secret
}

// newPod finds the product in a pod and works out its environment. secrets are those that are made elsewhere.
func newPod(t *testing.T, spec corev1.PodSpec, o objects, secrets map[string]map[string]string) *pod {
	t.Helper()
	p := &pod{t: t, spec: spec, environ: make(map[string]string), secrets: maps.Clone(secrets)}
	if p.secrets == nil {
		p.secrets = make(map[string]map[string]string)
	}
	for name, s := range o.secrets {
		p.secrets[name] = s.StringData
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if c.Name == "neuronward" {
			p.container = c
		}
	}
	if p.container.Name == "" {
		t.Fatalf("containers = %v, want one called neuronward", spec.Containers)
	}
	for _, from := range p.container.EnvFrom {
		config, ok := o.configs[from.ConfigMapRef.Name]
		if !ok {
			t.Errorf("ConfigMaps = %q, want %s", slices.Collect(maps.Keys(o.configs)), from.ConfigMapRef.Name)
		}
		maps.Copy(p.environ, config.Data)
	}
	for _, e := range p.container.Env {
		if e.ValueFrom != nil {
			t.Errorf("%s comes from %v, want secrets as files: they can be replaced without a restart",
				e.Name, e.ValueFrom)
		}
		p.environ[e.Name] = e.Value
	}
	return p
}

// setting is the value of a variable, or its default.
func (p *pod) setting(name string) string {
	return cmp.Or(p.environ[name], variables(p.t)[name])
}

func (p *pod) duration(name string) time.Duration {
	p.t.Helper()
	d, err := time.ParseDuration(p.setting(name))
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return d
}

// wantSound reports what cannot work or is less safe than it could be.
func (p *pod) wantSound() {
	p.t.Helper()
	wantVariables(p.t, "the pod", slices.Collect(maps.Keys(p.environ))...)
	p.wantPorts()
	p.wantMemory()
	p.wantUnprivileged()
	p.wantProbes()
}

// wantPorts: the ports that are named are those that it listens on.
func (p *pod) wantPorts() {
	p.t.Helper()
	for _, port := range p.container.Ports {
		variable := map[string]string{"apps": "NEURONWARD_LISTEN", "admin": "NEURONWARD_ADMIN_LISTEN"}[port.Name]
		_, listens, err := net.SplitHostPort(p.setting(variable))
		if err != nil || listens != strconv.Itoa(int(port.ContainerPort)) {
			p.t.Errorf("the port %s = %d, want that of %s, %s", port.Name, port.ContainerPort, variable,
				p.setting(variable))
		}
	}
}

// wantMemory: what README asks for. A pod that asks for more than its limit does not start.
func (p *pod) wantMemory() {
	p.t.Helper()
	const mebi = 1 << 20
	held, err := strconv.ParseInt(strings.TrimSuffix(p.setting("NEURONWARD_MAX_HELD"), "MiB"), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	limit, request := p.container.Resources.Limits.Memory().Value(), p.container.Resources.Requests.Memory().Value()
	if want := (held + 256 + 64) * mebi; limit < want {
		p.t.Errorf("limit of memory = %d MiB, want %d MiB at least", limit/mebi, want/mebi)
	}
	if request == 0 || request > limit {
		p.t.Errorf("request of memory = %d MiB, want some, and %d MiB at most", request/mebi, limit/mebi)
	}
	if cpu := p.container.Resources.Limits.Cpu(); !cpu.IsZero() { // it would slow all streams at once
		p.t.Errorf("limit of CPU = %v, want none", cpu)
	}
}

func (p *pod) wantUnprivileged() {
	p.t.Helper()
	c := p.container.SecurityContext
	whole := cmp.Or(p.spec.SecurityContext, new(corev1.PodSecurityContext))
	user, nonRoot, seccomp := cmp.Or(c.RunAsUser, whole.RunAsUser), cmp.Or(c.RunAsNonRoot,
		whole.RunAsNonRoot), cmp.Or(c.SeccompProfile, whole.SeccompProfile)
	if got := cmp.Or(user, new(int64)); *got != 65532 {
		p.t.Errorf("runAsUser = %d, want 65532, the image's", *got)
	}
	if got := cmp.Or(nonRoot, new(bool)); !*got {
		p.t.Errorf("runAsNonRoot = %t, want true", *got)
	}
	// What the restricted Pod Security Standard asks for.
	if got := cmp.Or(seccomp, new(corev1.SeccompProfile)); got.Type != corev1.SeccompProfileTypeRuntimeDefault {
		p.t.Errorf("seccompProfile = %q, want RuntimeDefault", got.Type)
	}
	if readOnly, more := *c.ReadOnlyRootFilesystem, *c.AllowPrivilegeEscalation; !readOnly || more {
		p.t.Errorf("readOnlyRootFilesystem = %t, allowPrivilegeEscalation = %t, want true and false", readOnly, more)
	}
	if got := c.Capabilities; !slices.Equal(got.Drop, []corev1.Capability{"ALL"}) || len(got.Add) > 0 {
		p.t.Errorf("capabilities = %v, want ALL dropped and none added", got)
	}
}

// wantProbes: what is asked exists. That the paths are answered the environment's test shows.
func (p *pod) wantProbes() {
	p.t.Helper()
	asked := 0
	for _, probe := range []*corev1.Probe{
		p.container.StartupProbe, p.container.LivenessProbe,
		p.container.ReadinessProbe,
	} {
		switch {
		case probe == nil:
		case probe.Exec != nil:
			asked++
			if probe.Exec.Command[0] != "/neuronward" {
				p.t.Errorf("program of the probe = %s, want /neuronward", probe.Exec.Command[0])
			}
			if out, status := say(p.t, nil, append(slices.Clone(probe.Exec.Command[1:]), "-h")...); status != 0 {
				p.t.Errorf("%q -h: exit status %d, want 0: %s", probe.Exec.Command, status, out)
			}
			if probe.TimeoutSeconds < 5 {
				p.t.Errorf("timeoutSeconds of healthcheck = %d, want 5 at least", probe.TimeoutSeconds)
			}
		case probe.HTTPGet != nil:
			asked++
			named := func(port corev1.ContainerPort) bool { return port.Name == probe.HTTPGet.Port.StrVal }
			if !slices.ContainsFunc(p.container.Ports, named) || !slices.Contains(probed, probe.HTTPGet.Path) {
				p.t.Errorf("a probe asks %s on port %v, want one of %q on a named port", probe.HTTPGet.Path,
					probe.HTTPGet.Port.StrVal, probed)
			}
		}
	}
	if asked < 2 {
		p.t.Errorf("%d probes, want 2 at least: whether it has started, and whether it is ready", asked)
	}
}

// wantGrace: a pod is not killed while it still drains.
func (p *pod) wantGrace() {
	p.t.Helper()
	pause := p.container.Lifecycle.PreStop.Sleep.Seconds
	minGrace := time.Duration(pause)*time.Second + p.duration("NEURONWARD_DRAIN") + after
	if pause < 3 {
		p.t.Errorf("preStop sleeps %d s, want 3 at least", pause)
	}
	if grace := time.Duration(*p.spec.TerminationGracePeriodSeconds) * time.Second; grace < minGrace {
		p.t.Errorf("terminationGracePeriodSeconds = %v, want %v at least: preStop (%d s), NEURONWARD_DRAIN and %v",
			grace, minGrace, pause, after)
	}
	on := true // the default of both
	if got := cmp.Or(p.spec.EnableServiceLinks, &on); *got {
		p.t.Errorf("enableServiceLinks = %t, want false", *got)
	}
	if got := cmp.Or(p.spec.AutomountServiceAccountToken, &on); *got {
		p.t.Errorf("automountServiceAccountToken = %t, want false: it calls no API of Kubernetes", *got)
	}
}

// wantNoMistakes: the product itself takes this configuration.
func (p *pod) wantNoMistakes() {
	p.t.Helper()
	if said, status := p.check(); status == mistakes {
		p.t.Errorf("check: exit status %d, want no mistakes:\n%s", status, said)
	}
}

// mistakes is the exit status of check that finds any in the configuration. It ends with another one where only
// the ports are taken, or nobody answers as the store.
const mistakes = 2

// check is what the product itself says to this configuration, its files written where it can read them.
func (p *pod) check() (said string, status int) {
	p.t.Helper()
	var environ []string
	for name, value := range p.environ {
		if strings.HasSuffix(name, "_FILE") || strings.HasPrefix(name, "NEURONWARD_TLS_") {
			value = p.file(value)
		}
		environ = append(environ, name+"="+value)
	}
	return say(p.t, environ, "check", "--offline")
}

// file writes what the pod has at a path to a file of the test, and returns its path.
func (p *pod) file(at string) string {
	p.t.Helper()
	for _, mount := range p.container.VolumeMounts {
		key, ok := strings.CutPrefix(at, mount.MountPath+"/")
		if !ok {
			continue
		}
		if mount.SubPath != "" {
			p.t.Errorf("subPath of %s = %q, want none: changes would not be seen", mount.MountPath, mount.SubPath)
		}
		for _, v := range p.spec.Volumes {
			if v.Name != mount.Name || v.Projected == nil {
				continue
			}
			for _, source := range v.Projected.Sources {
				value, ok := p.projected(source.Secret, key)
				if !ok {
					continue
				}
				copied := filepath.Join(p.t.TempDir(), path.Base(at))
				if err := os.WriteFile(copied, []byte(value), 0o600); err != nil {
					p.t.Fatal(err)
				}
				return copied
			}
		}
	}
	p.t.Errorf("volumeMounts = %v, want a key of a Secret at %s", p.container.VolumeMounts, at)
	return at
}

// projected is what a Secret has at a path of the volume; one without items has each of its keys there.
func (p *pod) projected(from *corev1.SecretProjection, at string) (value string, ok bool) {
	if from == nil {
		return "", false
	}
	key := at
	if len(from.Items) > 0 {
		i := slices.IndexFunc(from.Items, func(item corev1.KeyToPath) bool { return item.Path == at })
		if i < 0 {
			return "", false
		}
		key = from.Items[i].Key
	}
	value, ok = p.secrets[from.Name][key]
	return value, ok
}
