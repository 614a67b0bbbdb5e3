package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
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
		t.Fatalf("README.md: got no %q or no %q, want both", tableBegins, tableEnds)
	}
	want := markdownTable(config.Variables())
	if string(there) == want {
		return
	}
	if !*update {
		t.Fatalf("README.md has another table of the configuration than the code; go test ./cmd/neuronward -run "+
			"TestReadme -update writes it:\n%s", want)
	}
	data = fmt.Appendf(nil, "%s%s%s%s%s", before, tableBegins, want, tableEnds, after)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

var readmeTest = regexp.MustCompile("`go test \\./([a-z/]+) -run (Test[A-Za-z]+)((?: -[a-z]+(?: [0-9]+)?)*)`")

// The tests that README names to try are there, and so are their flags.
func TestReadmeNamesTests(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := readmeTest.FindAllSubmatch(data, -1)
	if named := bytes.Count(data, []byte("`go test ")); len(found) < 5 || len(found) != named {
		t.Errorf("got %d commands of go test, want all of %d and 5 at least", len(found), named)
	}
	for _, f := range found {
		files, err := filepath.Glob(filepath.Join("..", "..", string(f[1]), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var code []byte
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			code = append(code, text...)
		}
		if !bytes.Contains(code, append([]byte("\nfunc "), f[2]...)) {
			t.Errorf("%s: got no test %s, want one", f[0], f[2])
		}
		for word := range strings.FieldsSeq(string(f[3])) {
			name, isFlag := strings.CutPrefix(word, "-")
			if isFlag && name != "v" && !bytes.Contains(code, []byte(`("`+name+`", `)) {
				t.Errorf("%s: got no flag -%s, want one", f[0], name)
			}
		}
	}
}

// markdownTable is variableTable for a page.
func markdownTable(vars []config.Variable) string {
	var b strings.Builder
	b.WriteString("| Variable | Default | Meaning |\n|---|---|---|\n")
	for _, v := range vars {
		name := "`" + v.Name + "`"
		if v.Twin {
			name += ", `…" + config.FileSuffix + "`"
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
