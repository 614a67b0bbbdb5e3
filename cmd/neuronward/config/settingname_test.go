package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

// The settings that other packages name by a key exist.
func TestSettingNamesExist(t *testing.T) {
	known := names(Variables())
	check := func(where, key string) {
		if name := SettingName(key); !slices.Contains(known, name) {
			t.Errorf("%s: got the setting %s, want one of %v", where, name, known)
		}
	}
	named := regexp.MustCompile(`\{([A-Z][A-Z_]+)\}|setting\("([A-Z_]+)"\)`)
	found := 0
	for _, e := range normalize.Catalog() {
		e.Named(func(key string) string {
			found++
			check(e.Slug, key)
			return key
		})
	}
	for _, pattern := range []string{"../../../proxy/*.go", "../../../proxy/guard/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: got no files (%v), want some", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				found++
				check(filepath.Base(file), m[1]+m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("got %d settings named, want those of the catalog and of the proxy", found)
	}
}
