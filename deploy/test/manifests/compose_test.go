package manifeststest

import (
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

func composed(t *testing.T) *types.Project {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(top, "deploy", "compose", "compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: filepath.Dir(path), ConfigFiles: []types.ConfigFile{{Filename: path}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := composed(t)
	if names := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(names,
		[]string{"demo", "grafana", "load", "prometheus"}) {
		t.Errorf("services = %q, want demo, grafana, load and prometheus", names)
	}
	for name, s := range project.Services {
		if !s.ReadOnly || s.Privileged {
			t.Errorf("%s: read_only = %t, privileged = %t, want true and false", name, s.ReadOnly, s.Privileged)
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: cap_drop = %q, want ALL alone", name, s.CapDrop)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: security_opt = %q, want no-new-privileges:true among them", name, s.SecurityOpt)
		}
		if pinned := regexp.MustCompile(`^docker\.io/[^:]+:v?\d+\.\d+\.\d+$`); s.Build == nil &&
			!pinned.MatchString(s.Image) {
			t.Errorf("%s: image = %q, want one like %v", name, s.Image, pinned)
		}
		if s.HealthCheck == nil && name != "load" && name != "demo" { // the demo's image has one
			t.Errorf("%s: healthcheck = nil, want one", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q, want 127.0.0.1", name, p.Published, p.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s: mount of %s: read-only = %t, error %v, want true, none", name, v.Source, v.ReadOnly, err)
			}
		}
	}

	demo := project.Services["demo"]
	if _, err := os.Stat(filepath.Join(demo.Build.Context, demo.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	wantVariables(t, "compose.yml", slices.Collect(maps.Keys(demo.Environment))...)
	drain, err := time.ParseDuration(variables(t)["NEURONWARD_DRAIN"])
	if err != nil || time.Duration(*demo.StopGracePeriod) < drain+after {
		t.Errorf("stop_grace_period of the demo = %v, want NEURONWARD_DRAIN (%v, error %v) and %v at least",
			demo.StopGracePeriod, drain, err, after)
	}
}

// Each service finds what it is told to look for where it is mounted.
func TestComposeMounts(t *testing.T) {
	project := composed(t)
	demo, prometheus, grafana := mounted(t, project, "demo"), mounted(t, project, "prometheus"), mounted(t, project,
		"grafana")

	// promtool follows the names of the rules.
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "config",
		filepath.Join(prometheus, "etc/prometheus/prometheus.yml"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "rules found") != 2 {
		t.Errorf("promtool check config: error %v, want none and two files of rules found:\n%s", err, out)
	}
	scraped, err := os.ReadFile(filepath.Join(prometheus, "etc/prometheus/prometheus.yml"))
	if err != nil || !strings.Contains(string(scraped), `"demo:3037"`) {
		t.Errorf("prometheus.yml: error %v, want the target demo:3037 in\n%s", err, scraped)
	}

	provider, err := os.ReadFile(filepath.Join(grafana, "etc/grafana/provisioning/dashboards/neuronward.yml"))
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`(?m)^ +path: (/\S+)$`).FindSubmatch(provider)
	if path == nil {
		t.Fatalf("provider of dashboards, want a path in\n%s", provider)
	}
	if all, _ := filepath.Glob(filepath.Join(grafana, string(path[1]), "*.json")); len(all) == 0 {
		t.Errorf("dashboards at %s = %q, want some", path[1], all)
	}
	home := *project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if _, err := os.Stat(filepath.Join(grafana, home)); err != nil {
		t.Error(err)
	}

	// The demo takes the file of clients, and the load has a key of each.
	clients := filepath.Join(demo, *project.Services["demo"].Environment["NEURONWARD_CLIENTS_FILE"])
	said, status := say(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + someAccount, "NEURONWARD_STORE=memory:",
		"NEURONWARD_CLIENTS_FILE=" + clients,
	}, "check", "--offline")
	if status == mistakes || !strings.Contains(said, "4 clients") {
		t.Errorf("check of the file of clients: exit status %d, want no mistake and 4 clients:\n%s", status, said)
	}
}

// mounted returns a directory that has what a service mounts of this repository, where it mounts it.
func mounted(t *testing.T, project *types.Project, service string) string {
	t.Helper()
	root := t.TempDir()
	for _, v := range project.Services[service].Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		err := filepath.WalkDir(v.Source, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, err := filepath.Rel(v.Source, path)
			if err != nil {
				return err
			}
			return copyFile(path, filepath.Join(root, v.Target, rel))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
