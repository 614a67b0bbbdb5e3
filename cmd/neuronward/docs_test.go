package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// top is the repository, seen from here.
const top = "../.."

// documents are the texts of all Markdown files, by their paths below top.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(top), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch d.Name() {
		case ".git", "node_modules", "testdata", "bin", "dist":
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(top, path))
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("got %d documents, want 30 at least", len(all))
	}
	return all
}

// README stays what somebody reads in five minutes.
func TestReadmeIsShort(t *testing.T) {
	const maxLines, maxWords, maxColumns = 220, 1900, 120
	text := documents(t)["README.md"]
	if n := strings.Count(text, "\n"); n > maxLines {
		t.Errorf("got %d lines, want %d at most", n, maxLines)
	}
	if n := len(strings.Fields(text)); n > maxWords {
		t.Errorf("got %d words, want %d at most", n, maxWords)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if n := utf8.RuneCountInString(line); n > maxColumns {
			t.Errorf("got %d columns, want %d at most: %s", n, maxColumns, line)
		}
	}
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	mdHeading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	mdAnchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	mdNoWord  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	mdCode    = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]*`")
)

// Each link within the repository leads to a file that is there, and to a heading that is in it.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	docs := documents(t)
	for path, text := range docs {
		for _, m := range mdLink.FindAllStringSubmatch(mdCode.ReplaceAllString(text, ""), -1) {
			link := m[1] + m[2]
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") || strings.HasPrefix(link, "/") {
				continue
			}
			name, anchor, _ := strings.Cut(link, "#")
			target := filepath.Join(filepath.Dir(path), name)
			if name == "" {
				target = path
			}
			if _, err := os.Stat(filepath.Join(top, target)); err != nil {
				t.Errorf("%s: got the link %s to nothing, want a file", path, link)
				continue
			}
			if anchor != "" && !hasAnchor(docs[target], anchor) {
				t.Errorf("%s: got the link %s, want a heading of that name in %s", path, link, target)
			}
		}
	}
}

// hasAnchor reports whether a document has a heading or mark that a link's #anchor leads to, as GitHub makes them.
func hasAnchor(text, anchor string) bool {
	for _, m := range mdHeading.FindAllStringSubmatch(text, -1) {
		plain := mdNoWord.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(plain, " ", "-") == anchor {
			return true
		}
	}
	for _, m := range mdAnchor.FindAllStringSubmatch(text, -1) {
		if m[1] == anchor {
			return true
		}
	}
	return false
}

var (
	mdFence  = regexp.MustCompile("(?m)(^ *<!-- .* -->\n)?^ *```([a-z]+)$")
	mdTested = regexp.MustCompile(`<!-- test: (\w+) -->`)
)

// triedWhole are documents that a test makes or checks as a whole.
var triedWhole = map[string]string{
	"deploy/prometheus/runbooks/": "TestRunbooksNameWhatExists",
	"deploy/test/sdk/MATRIX.md":   "TestMatrix",
}

// Each block of code says where it is tried (run, test, sdk), or why it is only shown. The tests are there.
func TestDocumentsSayWhereTheirCodeIsTried(t *testing.T) {
	tests := testSources(t)
	exists := func(path, name string) {
		if !bytes.Contains(tests, []byte("\nfunc "+name+"(t *testing.T)")) {
			t.Errorf("%s: got no test %s, want it", path, name)
		}
	}
	for path, name := range triedWhole {
		exists(path, name)
	}
	for path, text := range documents(t) {
		if triedWhole[path] != "" || triedWhole[filepath.Dir(path)+"/"] != "" {
			continue
		}
		for _, m := range mdFence.FindAllStringSubmatch(text, -1) {
			mark, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(m[1]), "<!-- "), ":")
			switch mark {
			case "run", "expect", "sdk", "test", "shown":
			default:
				if m[2] != "text" {
					t.Errorf("%s: got a block of %s without <!-- run, test, sdk or shown: … --> before it, want one",
						path, m[2])
				}
			}
		}
		for _, m := range mdTested.FindAllStringSubmatch(text, -1) {
			exists(path, m[1])
		}
	}
}

// testSources are the test files of the repository, one after the other.
func testSources(t *testing.T) []byte {
	t.Helper()
	var all []byte
	err := fs.WalkDir(os.DirFS(top), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(top, path))
		all = append(all, text...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
