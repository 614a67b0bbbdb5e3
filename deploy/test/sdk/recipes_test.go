package sdk

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const maxRecipe = 40 // lines

var (
	runByUs = regexp.MustCompile(`(?ms)^(Run by us: |Not run by us\. )(.*?)(?:\n\n|\z)`)
	inCode  = regexp.MustCompile("`([^`\n]+)`")
)

// A recipe says of its client that it was run only where the tests here have a row of it, and the table of all
// recipes says the same.
func TestRecipes(t *testing.T) {
	index := document(t, "deploy", "clients", "README.md")
	pages := document(t, "deploy", "test", "sdk", "MATRIX.md") + document(t, "deploy", "test", "sdk", "SDKS.md")
	for name, text := range recipes(t) {
		if n := strings.Count(text, "\n"); n > maxRecipe {
			t.Errorf("%s: got %d lines, want %d at most", name, n, maxRecipe)
		}
		said := runByUs.FindAllStringSubmatch(text, -1)
		if len(said) != 1 {
			t.Errorf("%s: says %q, want it to say once whether it was run", name, said)
			continue
		}
		answer := "no"
		if said[0][1] == "Run by us: " {
			answer = "yes"
			checkRun(t, name, text, said[0][2], pages)
		}
		row := regexp.MustCompile(`(?m)^\| \[[^\n]*\]\(` + regexp.QuoteMeta(name) + `\) \|.* \| ` + answer + ` \|$`)
		if !row.MatchString(index) {
			t.Errorf("README.md: want a row of %s that says %q", name, answer)
		}
	}
}

// checkRun checks that the clients that a recipe calls run have a row, or that it has commands which CI runs.
func checkRun(t *testing.T, name, text, said, pages string) {
	t.Helper()
	named := slices.DeleteFunc(inCode.FindAllStringSubmatch(said, -1), func(m []string) bool {
		return m[1] == "ai" // what others go through has no row
	})
	if len(named) == 0 && !strings.Contains(text, "\n<!-- run: ") {
		t.Errorf("%s: names no client in %q, want one", name, said)
	}
	for _, m := range named {
		if !strings.Contains(pages, "\n| `"+m[1]+"` ") {
			t.Errorf("%s: got %s as run, want a row of it in MATRIX.md or SDKS.md", name, m[1])
		}
	}
}

// Recipes show the configuration that the programs were run with.
func TestRecipePrograms(t *testing.T) {
	all := recipes(t)
	for name, p := range map[string]program{
		"codex.md": codexOnce, "continue.md": continueCLI, "opencode.md": openCode,
	} {
		for _, config := range p.files {
			want := "\n" + strings.TrimSpace(p.fill(config, "http://127.0.0.1:3036")) + "\n```\n"
			_, block, _ := strings.Cut(all[name], "\n<!-- test: TestRecipePrograms -->\n```")
			if _, block, _ = strings.Cut(block, "\n"); !strings.HasPrefix("\n"+block, want) {
				t.Errorf("%s: got %q, want %q", name, block, want)
			}
		}
	}
}

// recipes are the texts of deploy/clients by their names.
func recipes(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "clients", "*.md"))
	if err != nil || len(paths) < 13 {
		t.Fatalf("got %q and %v, want 13 recipes at least", paths, err)
	}
	all := map[string]string{}
	for _, path := range paths {
		if name := filepath.Base(path); name != "README.md" {
			all[name] = document(t, "deploy", "clients", name)
		}
	}
	return all
}

// document is the text of a file of the repository.
func document(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.Join(path...)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
