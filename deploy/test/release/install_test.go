package releasetest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// A proxy of modules, as the Go command reads it from a folder, has this repository's commit as its latest version.
func TestGoInstall(t *testing.T) {
	const path = "github.com/neuronward/neuronward"
	clone := filepath.Join(t.TempDir(), "clone")
	commit := cloned(t, clone)
	proxy, bin := t.TempDir(), t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	this := module.Version{Path: path, Version: version}
	if err := modzip.CreateFromVCS(archive, this, clone, commit, ""); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": `{"Version": "` + version + `", "Time": "2026-01-31T12:00:00Z"}`,
		version + ".mod":  must(t, clone, nil, "git", "show", commit+":go.mod") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	// Of the other modules those that this machine has: they are the ones of go.sum.
	cached := filepath.Join(must(t, "", nil, "go", "env", "GOMODCACHE"), "cache", "download")
	environ := []string{
		"GOPROXY=file://" + proxy + ",file://" + cached, "GOMODCACHE=" + t.TempDir(), "GOSUMDB=off", "GOBIN=" + bin,
		"GOFLAGS=-modcacherw -trimpath", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOWORK=off",
	}
	must(t, t.TempDir(), environ, "go", "install", path+"/cmd/neuronward@latest")
	want := "neuronward " + version + "\ncommit unknown\ndate unknown\n" + runtime.Version()
	if got := must(t, "", nil, filepath.Join(bin, "neuronward"), "version"); !strings.HasPrefix(got, want) {
		t.Errorf("version = %q, want %q", got, want)
	}
}
