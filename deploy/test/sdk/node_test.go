package sdk

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// inNode runs one test file under node/ with the errands, and returns what it saw. The file checks the classes
// of errors itself.
func inNode(file string, environ ...string) func(*testing.T, []errand) []sight {
	return func(t *testing.T, errands []errand) []sight {
		t.Helper()
		list, err := json.Marshal(errands)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "sights.jsonl")
		cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", file)
		cmd.Dir = "node"
		cmd.Env = append(cmd.Environ(), "SDKTEST_ERRANDS="+string(list), "SDKTEST_SIGHTS="+path)
		cmd.Env = append(cmd.Env, environ...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("node --test %s: %v (npm ci in node/ installs what it needs)\n%s", file, err, out)
		}
		lines, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all []sight
		for line := range bytes.Lines(lines) {
			var s sight
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, s)
		}
		return all
	}
}

// lockedVersion returns the version of an npm package that a package-lock.json pins.
func lockedVersion(t *testing.T, name string) string {
	t.Helper()
	for _, folder := range []string{"node", "soak"} {
		b, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct {
				Version string `json:"version"`
			} `json:"packages"`
		}
		if err := json.Unmarshal(b, &lock); err != nil {
			t.Fatal(err)
		}
		if p, ok := lock.Packages["node_modules/"+name]; ok {
			return p.Version
		}
	}
	t.Fatalf("the lock files have no %s, want it in one of them", name)
	return ""
}
