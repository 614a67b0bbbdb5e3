package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what README.md takes from the code")

const (
	tableBegins = "<!-- made by go test ./cmd/neuronward -run TestReadme -update -->\n"
	tableEnds   = "<!-- end -->\n"
)

// README's table of the configuration is the one that the program reads.
func TestReadmeHasTheConfiguration(t *testing.T) {
	name := filepath.Join("..", "..", "README.md")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := bytes.Cut(data, []byte(tableBegins))
	there, after, ends := bytes.Cut(rest, []byte(tableEnds))
	if !begins || !ends {
		t.Fatalf("README.md lacks %q or %q", tableBegins, tableEnds)
	}
	want := markdownTable(variables())
	if string(there) == want {
		return
	}
	if !*update {
		t.Fatalf("README.md has another table of the configuration than the code; go test ./cmd/neuronward -run TestReadme -update writes it:\n%s", want)
	}
	data = fmt.Appendf(nil, "%s%s%s%s%s", before, tableBegins, want, tableEnds, after)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// markdownTable is variableTable for a page.
func markdownTable(vars []variable) string {
	var b strings.Builder
	b.WriteString("| Variable | Default | Meaning |\n|---|---|---|\n")
	for _, v := range vars {
		name := "`" + v.Name + "`"
		if v.Twin {
			name += ", `…" + fileSuffix + "`"
		}
		value := "none"
		if strings.ContainsAny(v.Default, " '") || v.Default == "required" {
			value = v.Default
		} else if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		doc := v.Doc
		if v.Choices != nil {
			doc = "`" + strings.Join(v.Choices, "`, `") + "`: " + doc
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, doc)
	}
	return b.String()
}
