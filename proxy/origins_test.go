package proxy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

// Every failure that this package makes is one that the catalog expects from
// here: its series is there at 0 from the start.
func TestOwnFailuresHaveTheirOriginInTheCatalog(t *testing.T) {
	names := map[string]normalize.Entry{}
	for _, e := range normalize.Catalog() {
		names[strings.ReplaceAll(e.Slug, "_", "")] = e
	}
	made := regexp.MustCompile(`\b(refuse|unable)\(normalize\.(\w+)`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made.FindAllStringSubmatch(string(source), -1) {
			e, ok := names[strings.ToLower(m[2])]
			if !ok {
				t.Errorf("%s: got no entry of the catalog for %s, want one", file, m[2])
				continue
			}
			found++
			origin := map[string]normalize.Origin{
				"refuse": normalize.OriginGuard,
				"unable": normalize.OriginProxy,
			}[m[1]]
			if !slices.Contains(e.Origins, origin) {
				t.Errorf("%s makes %s: got the origins %v in the catalog, want %s among them", file, e.Slug, e.Origins,
					origin)
			}
		}
	}
	if found < 20 {
		t.Errorf("got %d failures that are made here, want at least 20", found)
	}
}
