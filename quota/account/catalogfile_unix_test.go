//go:build unix

package account

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is kept is read from a regular file alone, and not written through a link.
func TestACatalogFileThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := catalogFile{path: filepath.Join(dir, "prices"), account: "a"}
	if err := syscall.Mkfifo(f.path, 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "is a pipe, not a regular file"
	if _, _, err := f.load(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("load() = %v, want an error with %q", err, want)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, ".prices.tmp")); err != nil {
		t.Fatal(err)
	}
	if err := f.save(time.Now(), []Model{{Name: "m"}}); err != nil {
		t.Errorf("save() = %v, want none", err)
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != "precious" {
		t.Errorf("what the link names: got %q, %v, want it unchanged", got, err)
	}
	if _, models, err := f.load(); err != nil || len(models) != 1 {
		t.Errorf("load() = %v, %v, want one model", models, err)
	}
}
