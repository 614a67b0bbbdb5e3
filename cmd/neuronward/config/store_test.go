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
		{
			"home",
			map[string]string{"HOME": "/home/a"},
			[]string{"/home/a/.local/state/neuronward", "/var/lib/neuronward"},
		},
		{
			"both",
			map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/state"},
			[]string{"/state/neuronward", "/home/a/.local/state/neuronward", "/var/lib/neuronward"},
		},
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
	want := filepath.Join(missing, "neurons-x") // in the first directory that can be made
	if got, err := defaultStore([]string{file, missing, empty}, "x"); err != nil || got.Path != want {
		t.Errorf("the store is %q, %v; want %s", got, err, want)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 2 {
		t.Errorf("got the entries %v, %v; want the 2 that were there", entries, err)
	}
	got, err := defaultStore([]string{file, filepath.Join(file, "below")}, "x")
	if err == nil {
		t.Fatalf("the store is %q, want an error: no directory can be used", got)
	}
	for _, want := range []string{
		"no state directory can be used", file + " (not a directory)", "write file:PATH", "memory: alone",
	} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	// A directory that holds the file stays the one, even where nothing can be written: to go on elsewhere would forget
	// the day.
	existing := filepath.Join(empty, "neurons-x")
	if err := os.WriteFile(existing, nil, 0o600); err != nil {
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
	if got, err := defaultStore([]string{empty, missing}, "x"); err != nil || got.Path != existing {
		t.Errorf("the store is %q, %v; want %s", got, err, existing)
	}
	if got, err := defaultStore([]string{empty, missing}, "other"); err == nil && got.Path == existing {
		t.Errorf("the store of another account is %q, want another one", got)
	}
}
