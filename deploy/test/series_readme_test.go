package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	seriesBegin = "<!-- made by go test -run TestSeriesInReadme -update in deploy/test -->\n"
	seriesEnd   = "<!-- end -->\n"
)

// metrics/README.md lists all series of the product with their types, labels and help.
func TestSeriesInReadme(t *testing.T) {
	path := filepath.Join("..", "..", "metrics", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(data), seriesBegin)
	table, after, ends := strings.Cut(rest, seriesEnd)
	if !begins || !ends {
		t.Fatalf("%s: got no %q or no %q, want both", path, seriesBegin, seriesEnd)
	}
	want := seriesTable(t)
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("%s has other series than the code; run this test with -update:\n%s", path, want)
	}
	if err := os.WriteFile(path, []byte(before+seriesBegin+want+seriesEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

func seriesTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| Series | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, family := range familiesOfTheCode(t) {
		if !strings.HasPrefix(family.GetName(), "neuronward_") {
			continue
		}
		labels := map[string]bool{}
		for _, metric := range family.GetMetric() {
			for _, l := range metric.GetLabel() {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), " "), family.GetHelp())
	}
	return b.String()
}
