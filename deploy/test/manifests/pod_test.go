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
		t.Fatal("there is no container neuronward")
	}
	for _, from := range p.container.EnvFrom {
		config, ok := o.configs[from.ConfigMapRef.Name]
		if !ok {
			t.Errorf("there is no ConfigMap %s", from.ConfigMapRef.Name)
		}
		maps.Copy(p.environ, config.Data)
	}
	for _, e := range p.container.Env {
		value := e.Value
		if e.ValueFrom != nil {
			ref := e.ValueFrom.SecretKeyRef
			v, ok := p.secrets[ref.Name][ref.Key]
			if !ok && ref.Optional != nil && *ref.Optional {
				continue
			}
			if !ok {
				t.Errorf("%s: the Secret %s has no key %s", e.Name, ref.Name, ref.Key)
			}
			value = v
		}
		p.environ[e.Name] = value
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
			p.t.Errorf("the port %s is %d, but %s is %s", port.Name, port.ContainerPort, variable, p.setting(variable))
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
	if want := (held + 256 + 64) * mebi; limit < want || request == 0 || request > limit {
		p.t.Errorf("memory: %d MiB are asked for, the limit is %d MiB, want %d MiB", request/mebi, limit/mebi,
			want/mebi)
	}
	if !p.container.Resources.Limits.Cpu().IsZero() {
		p.t.Error("a limit of CPU slows all streams at once")
	}
}

func (p *pod) wantUnprivileged() {
	p.t.Helper()
	c := p.container.SecurityContext
	whole := cmp.Or(p.spec.SecurityContext, new(corev1.PodSecurityContext))
	user, nonRoot, seccomp := cmp.Or(c.RunAsUser, whole.RunAsUser), cmp.Or(c.RunAsNonRoot,
		whole.RunAsNonRoot), cmp.Or(c.SeccompProfile, whole.SeccompProfile)
	switch {
	case user == nil || *user != 65532, nonRoot == nil || !*nonRoot:
		p.t.Error("it may run as root, or as another user than the image's")
	case !*c.ReadOnlyRootFilesystem, *c.AllowPrivilegeEscalation, seccomp == nil,
		seccomp.Type != corev1.SeccompProfileTypeRuntimeDefault,
		!slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}), len(c.Capabilities.Add) > 0:
		p.t.Errorf("it is more privileged than the restricted Pod Security Standard has it: %v", c)
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
				p.t.Errorf("the image has no %s", probe.Exec.Command[0])
			}
			if out, status := say(p.t, nil, append(slices.Clone(probe.Exec.Command[1:]), "-h")...); status != 0 {
				p.t.Errorf("there is no %q: %s", probe.Exec.Command, out)
			}
			if probe.TimeoutSeconds < 5 {
				p.t.Errorf("healthcheck may take 5 s, and is given %d", probe.TimeoutSeconds)
			}
		case probe.HTTPGet != nil:
			asked++
			named := func(port corev1.ContainerPort) bool { return port.Name == probe.HTTPGet.Port.StrVal }
			if !slices.ContainsFunc(p.container.Ports, named) || !slices.Contains(probed, probe.HTTPGet.Path) {
				p.t.Errorf("nothing answers %s on port %v", probe.HTTPGet.Path, probe.HTTPGet.Port.StrVal)
			}
		}
	}
	if asked < 2 {
		p.t.Error("it is not asked whether it has started and is ready")
	}
}

// wantGrace: a pod is not killed while it still drains.
func (p *pod) wantGrace() {
	p.t.Helper()
	pause := p.container.Lifecycle.PreStop.Sleep.Seconds
	least := time.Duration(pause)*time.Second + p.duration("NEURONWARD_DRAIN") + after
	if grace := time.Duration(*p.spec.TerminationGracePeriodSeconds) * time.Second; pause < 3 || grace < least {
		p.t.Errorf("it has %v to end, and needs %v: preStop (%d s), NEURONWARD_DRAIN and %v", grace, least, pause,
			after)
	}
	if p.spec.EnableServiceLinks == nil || *p.spec.EnableServiceLinks {
		p.t.Error("service links are on")
	}
	if p.spec.AutomountServiceAccountToken == nil || *p.spec.AutomountServiceAccountToken {
		p.t.Error("it gets a token of Kubernetes that it does not need")
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
		if name == "NEURONWARD_CLIENTS_FILE" || strings.HasSuffix(name, "_FILE") {
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
			p.t.Errorf("%s is mounted by subPath, so changes are not seen", mount.MountPath)
		}
		for _, v := range p.spec.Volumes {
			if v.Name != mount.Name || v.Secret == nil {
				continue
			}
			for _, item := range v.Secret.Items {
				value, ok := p.secrets[v.Secret.SecretName][item.Key]
				if item.Path != key || !ok {
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
	p.t.Errorf("no key of a Secret is mounted at %s", at)
	return at
}
