package releasetest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A workflow is what is asked of one here.
type workflow struct {
	Jobs map[string]struct {
		Permissions map[string]string `json:"permissions"`
		Steps       []struct {
			Name string `json:"name"`
			Uses string `json:"uses"`
			Run  string `json:"run"`
		} `json:"steps"`
	} `json:"jobs"`
}

func releaseWorkflow(t *testing.T) (w workflow) {
	t.Helper()
	text, err := os.ReadFile("../../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// A job that can sign and publish runs nothing of the repository, of its modules or of its packages.
func TestWhatPublishesBuildsNothing(t *testing.T) {
	publishing := 0
	for name, job := range releaseWorkflow(t).Jobs {
		if !slices.Contains(slices.Collect(maps.Values(job.Permissions)), "write") {
			continue
		}
		publishing++
		for _, s := range job.Steps {
			if strings.HasPrefix(s.Uses, "actions/checkout@") || strings.Contains(s.Run, ".ci/") ||
				strings.Contains(s.Run, "go ") {
				t.Errorf("%s runs %q%s, want another job without its rights to do so", name, s.Uses, s.Run)
			}
		}
	}
	if publishing != 1 {
		t.Errorf("got %d jobs with rights to write, want 1", publishing)
	}
}

// The steps before the build leave no file that would make the version another one than the tag's.
func TestTheVersionIsTheTags(t *testing.T) {
	top := t.TempDir()
	ignored, err := os.ReadFile("../../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	const script = `case ${1:-} in
notes) echo "* One." ;;
vulnerabilities) ;;
'') mkdir dist; touch "dist/neuronward-1.2.3$([[ -z $(git status --porcelain) ]] || echo +dirty).tgz" ;;
esac
`
	must(t, top, nil, "git", "init", "--quiet")
	files := map[string]string{".gitignore": string(ignored), ".ci/release": script, ".ci/install": ""}
	for path, content := range files {
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, top, nil, "git", "add", ".")
	must(t, top, nil, "git", "-c", "user.name=test", "-c", "user.email=test@localhost",
		"commit", "--quiet", "-m", "all")
	environ := []string{"TAG=v1.2.3", "RUNNER_TEMP=" + t.TempDir()}
	built := false
	for _, s := range releaseWorkflow(t).Jobs["build"].Steps {
		if s.Run == "" {
			continue
		}
		run := strings.ReplaceAll(s.Run, "sudo ", "")
		must(t, top, environ, "bash", "-e", "-o", "pipefail", "-c", run)
		built = built || s.Name == "Build"
	}
	if !built {
		t.Error("got no step that builds, want it")
	}
}
