package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What documents show of SDKs is run as it stands, but for the port: it prints the answer, and where the day has
// no neurons what the envelope says of that.
func TestReadme(t *testing.T) {
	bin := build(t)
	answers := start(t, bin, "demo")
	refuses := start(t, bin, "demo", "NEURONWARD_QUOTA_MODE=enforce", "NEURONWARD_DAILY_NEURONS=0.01")
	for _, doc := range []struct{ path, folder, refused string }{
		{"README.md", "node", "429 insufficient_quota Wait for the reset, "},
		{"deploy/clients/langchain.md", "node", "429 insufficient_quota 429 This call may need "},
		{"deploy/clients/vercel-ai-sdk.md", "node", "429 insufficient_quota Wait for the reset, "},
		{"deploy/clients/createai.md", "soak", "This call may need "},
	} {
		if doc.folder == "soak" && !*all {
			continue
		}
		for url, want := range map[string]string{answers.url: simulatedAnswer(t), refuses.url: doc.refused} {
			code := strings.ReplaceAll(shown(t, doc.path, doc.folder), "http://127.0.0.1:3036", url)
			if out, err := runInNode(t, doc.folder, code); err != nil || !strings.Contains(out, want) {
				t.Errorf("%s: error %v, output %q, want none and %q in it", doc.path, err, out, want)
			}
		}
	}
}

// runInNode runs code where a folder's SDKs are found; go's patterns pass over the file's own.
func runInNode(t *testing.T, folder, code string) (string, error) {
	t.Helper()
	dir, err := os.MkdirTemp(folder, "_readme")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "readme.mjs")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", file).CombinedOutput()
	return string(out), err
}

// shown is a document's block for the SDKs of a folder.
func shown(t *testing.T, path, folder string) string {
	t.Helper()
	text := document(t, path)
	block := regexp.MustCompile("(?s)<!-- sdk: " + regexp.QuoteMeta(folder) + " -->\n[^\n]*\n(.*?\n)```\n")
	code := block.FindStringSubmatch(text)
	if code == nil {
		t.Fatalf("%s, want code as %v in\n%s", path, block, text)
	}
	return code[1]
}
