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

var update = flag.Bool("update", false, "write what documents take from the code")

const (
	madeBegins = "<!-- made by go test ./cmd/neuronward -run TestReadme -update: %s -->\n"
	madeEnds   = "<!-- end -->\n"
)

// What documents say of commands and variables is what the program says.
func TestReadmeHasCommandsAndVariables(t *testing.T) {
	first := append(config.Variables(), config.TelemetryVariables(false)...)
	for _, made := range []struct{ file, of, text string }{
		{"README.md", "commands", commandHelp(t)},
		{"README.md", "variables", variableTables(first)},
		{"../../metrics/README.md", "variables of OpenTelemetry", variableTables(config.TelemetryVariables(true))},
	} {
		data, err := os.ReadFile(made.file)
		if err != nil {
			t.Fatal(err)
		}
		begins := fmt.Sprintf(madeBegins, made.of)
		before, rest, began := strings.Cut(string(data), begins)
		there, after, ended := strings.Cut(rest, madeEnds)
		switch {
		case !began || !ended:
			t.Errorf("%s: got no %q or no %q after it, want both", made.file, begins, madeEnds)
		case there == made.text:
		case !*update:
			t.Errorf("%s has other %s than the program; "+
				"go test ./cmd/neuronward -run TestReadme -update writes them:\n%s", made.file, made.of, made.text)
		default:
			if err := os.WriteFile(made.file, []byte(before+begins+made.text+madeEnds+after), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

// commandHelp has a section with the help of each command; the variables of serve are in variableTables.
func commandHelp(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, c := range commands() {
		var out, failures bytes.Buffer
		if code := run(t.Context(), []string{c.name, "-h"}, nil, nil, &out, &failures); code != exitDone {
			t.Fatalf("%s -h: got exit code %d and %q, want %d", c.name, code, failures.String(), exitDone)
		}
		help := strings.Replace(out.String(), variableTable(), "  All settings are listed below, by task.\n", 1)
		fmt.Fprintf(&b, "\n### %s\n\n```text\n%s\n```\n", c.name, strings.TrimRight(help, "\n"))
	}
	return b.String() + "\n"
}

var readmeTest = regexp.MustCompile("`go test \\./([a-z/]+) -run (Test[A-Za-z]+)((?: -[a-z]+(?: [0-9]+)?)*)`")

// The tests that documents name to try are there, and so are their flags.
func TestReadmeNamesTests(t *testing.T) {
	for path, text := range documents(t) {
		found := readmeTest.FindAllStringSubmatch(text, -1)
		if path == "README.md" && len(found) < 5 {
			t.Errorf("%s: got %d commands of go test, want 5 at least", path, len(found))
		}
		for _, f := range found {
			files, err := filepath.Glob(filepath.Join(top, f[1], "*_test.go"))
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
			if !bytes.Contains(code, []byte("\nfunc "+f[2])) {
				t.Errorf("%s: %s: got no test %s, want one", path, f[0], f[2])
			}
			for word := range strings.FieldsSeq(f[3]) {
				name, isFlag := strings.CutPrefix(word, "-")
				if isFlag && name != "v" && !bytes.Contains(code, []byte(`("`+name+`", `)) {
					t.Errorf("%s: %s: got no flag -%s, want one", path, f[0], name)
				}
			}
		}
	}
}

// variableTables has a table for each group of variables.
func variableTables(vars []config.Variable) string {
	var b strings.Builder
	group := ""
	for _, v := range vars {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n### %s\n\n| Variable | Default | Meaning |\n|---|---|---|\n", group)
		}
		name := "`" + v.Name + "`"
		if v.Signals {
			name += ", of traces, of metrics"
		}
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
	return b.String() + "\n"
}
