package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// built lays an image down as buildah does, made in a container of the given name.
func built(t *testing.T, container string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	config := map[string]any{
		"container": container, "container_config": map[string]any{"Hostname": container}, "architecture": "arm64",
		"config": map[string]any{"Hostname": container, "User": "65532", "Healthcheck": map[string]any{"Retries": 3}},
	}
	m := manifest{SchemaVersion: 2, MediaType: "manifest", Config: &blob{MediaType: "config"}}
	layer := blob{MediaType: "layer.tar"}
	of := blob{MediaType: "manifest", Platform: &platform{"linux", "arm64"}}
	if err := keep(dir, "", []byte(strings.Repeat("all files", 1000)), &layer); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(dir, "", config, m.Config); err != nil {
		t.Fatal(err)
	}
	m.Layers = []blob{layer}
	if err := writeJSON(dir, ".manifest.json", m, &of); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(manifest{SchemaVersion: 2, MediaType: "list", Manifests: []blob{of}})
	if err != nil {
		t.Fatal(err)
	}
	if err := put(dir, "manifest.json", list); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copied are the files of the image that a container of the given name gives.
func copied(t *testing.T, container string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image")
	var complaints bytes.Buffer
	if status := run([]string{"-image", built(t, container), out}, &complaints); status != exitDone {
		t.Fatalf("exit status %d, want %d: %s", status, exitDone, &complaints)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(out, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(content)
	}
	return files
}

func TestImageForgetsItsContainer(t *testing.T) {
	first, second := copied(t, "a1b2"), copied(t, "c3d4")
	if !maps.Equal(first, second) {
		t.Errorf("two containers gave %q and %q, want the same", first, second)
	}
	var list, m manifest
	if err := json.Unmarshal([]byte(first["manifest.json"]), &list); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(first[hexOf(list.Manifests[0])+".manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	const want = `{"architecture":"arm64","config":{"Healthcheck":{"Retries":3},"User":"65532"}}`
	if got := first[hexOf(*m.Config)]; got != want {
		t.Errorf("the configuration = %s, want %s", got, want)
	}
	layer := first[hexOf(m.Layers[0])]
	if got := m.Layers[0].MediaType; got != "layer.tar.gzip" || !strings.HasPrefix(layer, "\x1f\x8b") ||
		len(layer) > 1000 {
		t.Errorf("the layer is a %s of %d bytes: %.9q, want it compressed", got, len(layer), layer)
	}
	for name, size := range map[string]int{
		hexOf(list.Manifests[0]) + ".manifest.json": list.Manifests[0].Size, hexOf(*m.Config): m.Config.Size,
		hexOf(m.Layers[0]): m.Layers[0].Size,
	} {
		if len(first[name]) != size {
			t.Errorf("%s has %d bytes and is said to have %d", name, len(first[name]), size)
		}
	}
	if got, want := first["version"], "Directory Transport Version: 1.1\n"; got != want {
		t.Errorf("the version = %q, want %q", got, want)
	}
	if got := slices.Sorted(maps.Keys(first)); len(got) != 5 {
		t.Errorf("files = %q, want list, manifest, configuration, layer and version", got)
	}
}
