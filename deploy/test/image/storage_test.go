package imagetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	image   = "localhost/neuronward:test"
	version = "v1.2.3-test"
	commit  = "0123456789abcdef0123456789abcdef01234567"
	date    = "2026-01-31T12:00:00Z"
)

// A storage keeps images and containers apart from those of the machine, for one test.
type storage struct{ dir string }

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := &storage{t.TempDir()}
	t.Cleanup(func() {
		for _, args := range [][]string{{"podman", "rm", "--all", "--force", "--volumes"}, {"buildah", "rm", "--all"}} {
			if out, err := s.command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v: %s", args, err, out)
			}
		}
	})
	return s
}

// command is podman or buildah on this storage.
func (s *storage) command(name string, args ...string) *exec.Cmd {
	global := []string{"--root", filepath.Join(s.dir, "root"), "--runroot", filepath.Join(s.dir, "run")}
	if name == "podman" {
		global = append(global, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--tmpdir",
			filepath.Join(s.dir, "tmp"))
	}
	return exec.CommandContext(context.Background(), name, slices.Concat(global, args)...)
}

func (s *storage) buildah(t *testing.T, args ...string) string { return s.must(t, "buildah", args) }
func (s *storage) podman(t *testing.T, args ...string) string  { return s.must(t, "podman", args) }

func (s *storage) must(t *testing.T, name string, args []string) string {
	t.Helper()
	out, status := output(t, s.command(name, args...))
	if status != 0 {
		t.Fatalf("%s %q: exit status %d, want 0\n%s", name, args, status, out)
	}
	return out
}

// confined are the options that the image must do with: nothing of the machine but its network, whose ports the
// tests call. The limits are for machines that may not set higher ones.
func confined(environ []string) []string {
	options := []string{
		"--network", "host", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt",
		"no-new-privileges",
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--pull", "never",
	}
	for _, e := range environ {
		options = append(options, "--env", e)
	}
	return options
}

// run runs the image until it ends and returns what it printed and its exit status.
func (s *storage) run(t *testing.T, environ []string, args ...string) (string, int) {
	t.Helper()
	return output(t, s.command("podman",
		slices.Concat([]string{"run", "--rm"}, confined(environ), []string{image}, args)...))
}

// start runs the image in the background, as nobody or as another user, who gets the group that a number alone has.
// What it printed is shown when the test fails.
func (s *storage) start(t *testing.T, user int, environ []string, args ...string) (container string) {
	t.Helper()
	options := confined(environ)
	if user != nobody {
		options = append(options, "--user", strconv.Itoa(user))
	}
	return s.startWith(t, options, args...)
}

// startWith does so with these options.
func (s *storage) startWith(t *testing.T, options []string, args ...string) (container string) {
	t.Helper()
	container = s.podman(t, slices.Concat([]string{"run", "--detach"}, options, []string{image}, args)...)
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := s.command("podman", "logs", container).CombinedOutput()
			t.Logf("what the container printed:\n%s", logs)
		}
	})
	return container
}

// build builds the image by every instruction of the Dockerfile. Modules and compiled packages are this
// machine's, so that nothing is downloaded and little compiled.
func (s *storage) build(t *testing.T) {
	t.Helper()
	top := filepath.Join("..", "..", "..")
	dockerfile, err := os.ReadFile(filepath.Join(top, "deploy", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM --platform=\$BUILDPLATFORM (\S+/golang:\d+\.\d+\.\d+-\S+) AS build$`)
	base := from.FindSubmatch(dockerfile)
	if base == nil {
		t.Fatalf("deploy/Dockerfile, want the build stage to begin as %v, the official Go image:\n%s", from, dockerfile)
	}
	s.standIn(t, string(base[1]))

	args := []string{"bud", "--isolation", "chroot", "--format", "docker", "--pull-never"}
	for variable, inside := range map[string]string{
		"GOROOT": "/usr/local/go:ro", "GOMODCACHE": "/mod:ro",
		"GOCACHE": "/cache",
	} {
		args = append(args, "--volume", goEnv(t, variable)+":"+inside)
	}
	s.buildah(t, append(args, "--build-arg", "VERSION="+version, "--build-arg", "COMMIT="+commit,
		"--build-arg", "DATE="+date,
		"--file", filepath.Join(top, "deploy", "Dockerfile"), "--tag", image, top)...)
}

// standIn makes an image that has what the build stage needs of the official one, under its name.
func (s *storage) standIn(t *testing.T, name string) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"bin", "tmp", "etc/ssl/certs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, applet := range []string{"sh", "mkdir"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"/bin/busybox":                       "bin/busybox",
		"/etc/ssl/certs/ca-certificates.crt": "etc/ssl/certs/ca-certificates.crt",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatalf("%v; .ci/install installs it", err)
		}
		if err := os.WriteFile(filepath.Join(root, to), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	container := s.buildah(t, "from", "scratch")
	s.buildah(t, "copy", "--quiet", container, root, "/")
	s.buildah(t, "config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOMODCACHE=/mod", "--env",
		"GOCACHE=/cache",
		"--env", "GOPROXY=off", "--env", "GOTOOLCHAIN=local", container)
	s.buildah(t, "commit", "--quiet", container, name)
}

func goEnv(t *testing.T, variable string) string {
	t.Helper()
	out, status := output(t, exec.CommandContext(t.Context(), "go", "env", variable))
	if status != 0 {
		t.Fatalf("go env %s: exit status %d, want 0: %s", variable, status, out)
	}
	return strings.TrimSpace(out)
}
