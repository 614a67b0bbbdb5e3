package releasetest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise of the security page names tests, and there are such.
func TestPromisesAreTested(t *testing.T) {
	text, err := os.ReadFile("../../../.github/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Promise |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 10 {
		t.Errorf("the table has %d rows, want all promises", len(rows))
	}
	test := regexp.MustCompile("`([a-z/]+)\\.(Test\\w+)`")
	for _, row := range rows {
		named := test.FindAllStringSubmatch(row, -1)
		if len(named) == 0 || len(named) != strings.Count(row, ".Test") {
			t.Errorf("%s\nwant at least one test, as `package.Test`", row)
		}
		for _, n := range named {
			if !declared(t, filepath.Join("..", "..", "..", n[1]), n[2]) {
				t.Errorf("%s has no %s, which the security page names", n[1], n[2])
			}
		}
	}
}

// declared reports whether a folder's tests have one of this name.
func declared(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
