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

// composed is docker compose config of a file.
func composed(t *testing.T, path string, environ types.Mapping) (*types.Project, error) {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: filepath.Dir(path), ConfigFiles: []types.ConfigFile{{Filename: path}}, Environment: environ,
	})
}

// demonstration is the project that shows all at work.
func demonstration(t *testing.T) *types.Project {
	t.Helper()
	project, err := composed(t, filepath.Join(top, "deploy", "compose", "compose.yml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// wantConfined: services are what is wanted, each may do little and is watched, and its image does not change.
func wantConfined(t *testing.T, project *types.Project, services ...string) {
	t.Helper()
	if names := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(names, services) {
		t.Errorf("services = %q, want %q", names, services)
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
		ours := s.Build != nil || strings.HasPrefix(s.Image, "ghcr.io/neuronward/neuronward:v")
		if pinned := regexp.MustCompile(`^docker\.io/[^:]+:v?\d+\.\d+\.\d+$`); !ours && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image = %q, want one like %v", name, s.Image, pinned)
		}
		if s.HealthCheck == nil && name != "load" && !ours { // our image has one
			t.Errorf("%s: healthcheck = nil, want one", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" && name != "caddy" {
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
}

func TestCompose(t *testing.T) {
	project := demonstration(t)
	wantConfined(t, project, "demo", "grafana", "load", "prometheus")

	demo := project.Services["demo"]
	if _, err := os.Stat(filepath.Join(demo.Build.Context, demo.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	wantVariables(t, "compose.yml", slices.Collect(maps.Keys(demo.Environment))...)
	wantTimeToDrain(t, demo)
}

func wantTimeToDrain(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	drain, err := time.ParseDuration(variables(t)["NEURONWARD_DRAIN"])
	if err != nil || time.Duration(*s.StopGracePeriod) < drain+after {
		t.Errorf("stop_grace_period of %s = %v, want NEURONWARD_DRAIN (%v, error %v) and %v at least",
			s.Name, s.StopGracePeriod, drain, err, after)
	}
}

// Each service finds what it is told to look for where it is mounted.
func TestComposeMounts(t *testing.T) {
	project := demonstration(t)
	demo, prometheus, grafana := mounted(t, project, "demo"), mounted(t, project, "prometheus"), mounted(t, project,
		"grafana")

	wantScrapes(t, prometheus, "demo:3037")

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

// wantScrapes: the Prometheus of a directory has rules and alerts, and scrapes a target.
func wantScrapes(t *testing.T, root, target string) {
	t.Helper()
	// promtool follows the names of the rules.
	path := filepath.Join(root, "etc/prometheus/prometheus.yml")
	out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", path).CombinedOutput()
	if err != nil || strings.Count(string(out), "rules found") != 2 {
		t.Errorf("promtool check config: error %v, want none and two files of rules found:\n%s", err, out)
	}
	scraped, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(scraped), `"`+target+`"`) {
		t.Errorf("prometheus.yml: error %v, want the target %s in\n%s", err, target, scraped)
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
