package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStateDirectories(t *testing.T) {
	cases := []struct {
		name    string
		environ map[string]string
		want    []string
	}{
		{"nothing set", nil, []string{"/var/lib/neuronward"}},
		{"home", map[string]string{"HOME": "/home/a"}, []string{"/home/a/.local/state/neuronward", "/var/lib/neuronward"}},
		{"both", map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/state"}, []string{"/state/neuronward", "/home/a/.local/state/neuronward", "/var/lib/neuronward"}},
		{"relative ones", map[string]string{"HOME": "a", "XDG_STATE_HOME": "state"}, []string{"/var/lib/neuronward"}},
	}
	for _, c := range cases {
		if got := stateDirectories(c.environ); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDefaultStore(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	empty := filepath.Join(root, "empty")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(empty, 0o700)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(root, "a", "b")
	if got, err := defaultStore([]string{file, missing, empty}, "x"); err != nil || got.Path != filepath.Join(missing, "neurons-x") {
		t.Errorf("the store is %q, %v; want the first directory that can be made", got, err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 2 {
		t.Errorf("looking left something behind: %v, %v", entries, err)
	}
	got, err := defaultStore([]string{file, filepath.Join(file, "below")}, "x")
	if err == nil {
		t.Fatalf("the store is %q, though no directory can be used", got)
	}
	for _, want := range []string{"no state directory can be used", file + " (not a directory)", "write file:PATH", "memory: alone"} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	// A directory that holds the file stays the one, even where nothing can be written: to go on elsewhere would forget
	// the day.
	kept := filepath.Join(empty, "neurons-x")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(empty, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(empty, 0o700); err != nil { // so that it can be removed
			t.Error(err)
		}
	})
	if got, err := defaultStore([]string{empty, missing}, "x"); err != nil || got.Path != kept {
		t.Errorf("the store is %q, %v; want %s", got, err, kept)
	}
	if got, err := defaultStore([]string{empty, missing}, "other"); err == nil && got.Path == kept {
		t.Errorf("two accounts share %q", got)
	}
}
