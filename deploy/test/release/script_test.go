package releasetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The text of a release is what the changelog says of its version, and nothing of the next or the last one.
func TestNotes(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{".ci", ".github"} {
		if err := os.Mkdir(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../../.ci/release")
	if err != nil {
		t.Fatal(err)
	}
	changes := "# Changelog\n\nHead.\n\n## Unreleased\n\n* New.\n\n" +
		"## 1.10.0 (2026-02-01)\n\n* Ten.\n\n## 1.1.0\n\n* One.\n### More\n* Two.\n"
	for path, content := range map[string]string{".ci/release": string(script), ".github/CHANGELOG.md": changes} {
		if err := os.WriteFile(filepath.Join(top, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for of, want := range map[string]string{
		"v1.1.0": "* One.\n### More\n* Two.", "v1.10.0": "* Ten.",
		"v1.1": "release: the changelog has no section  ## 1.1",
	} {
		out, status := command(t, top, nil, "bash", ".ci/release", "notes", of)
		if out != want || (status != 0) != (of == "v1.1") {
			t.Errorf("notes of %s = %q with status %d, want %q", of, out, status, want)
		}
	}
}

// Modules alone are compared here, which takes no time, with a database of one entry.
func TestVulnerabilities(t *testing.T) {
	db := t.TempDir()
	const id, since = "GO-2026-0001", "2026-01-31T12:00:00Z"
	write := func(path string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(db, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	affects := func(module string) {
		t.Helper()
		write("index/db.json", map[string]string{"modified": since})
		write("index/modules.json", []any{map[string]any{
			"path": module, "vulns": []any{map[string]string{"id": id, "modified": since}},
		}})
		write("ID/"+id+".json", map[string]any{
			"schema_version": "1.3.1", "id": id, "modified": since, "published": since, "details": "Anybody may.",
			// Without it govulncheck panics, and its status is 0 or 2 by chance.
			"database_specific": map[string]any{"url": "https://pkg.go.dev/vuln/" + id},
			"affected": []any{map[string]any{
				"package": map[string]string{"name": module, "ecosystem": "Go"},
				"ranges": []any{map[string]any{
					"type": "SEMVER", "events": []any{map[string]string{"introduced": "0"}},
				}},
				"ecosystem_specific": map[string]any{},
			}},
		})
	}
	// It is there, but out of order.
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(broken.Close)
	for name, tt := range map[string]struct {
		module, url, want string
		status            int
	}{
		"one that is used": {"github.com/redis/go-redis/v9", "file://" + db, id, 1},
		"one that is not":  {"github.com/example/unused", "file://" + db, "No vulnerabilities found", 0},
		"no database":      {"", broken.URL, "nothing was checked", 0},
	} {
		t.Run(name, func(t *testing.T) {
			affects(tt.module)
			out, status := command(t, "../../..", nil, "bash", ".ci/release", "vulnerabilities", "-db", tt.url, "-scan",
				"module", "-C", "cmd/neuronward")
			if status != tt.status || !strings.Contains(out, tt.want) {
				t.Errorf("status %d: %s\nwant %d and %q", status, out, tt.status, tt.want)
			}
		})
	}
}

// An action that is named by a tag is whatever its owner makes of the tag.
func TestActionsArePinned(t *testing.T) {
	workflows, err := filepath.Glob("../../../.github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("workflows = %q, %v, want some", workflows, err)
	}
	pinned := regexp.MustCompile(`^\s*(- )?uses: (\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	for _, path := range workflows {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses:") && !pinned.MatchString(strings.TrimRight(line, "\n")) {
				t.Errorf("%s: %q, want a commit and its version behind it", path, line)
			}
		}
	}
}
