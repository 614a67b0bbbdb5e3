package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What README shows of SDKs is run as it stands, but for the port: it prints the answer, and where the day has
// no neurons what the envelope says of that.
func TestReadme(t *testing.T) {
	bin := build(t)
	answers := start(t, bin, "demo")
	refuses := start(t, bin, "demo", "NEURONWARD_QUOTA_MODE=enforce", "NEURONWARD_DAILY_NEURONS=0.01")
	// Where the SDK is found; go's patterns pass over it.
	dir, err := os.MkdirTemp("node", "_readme")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for url, want := range map[string]string{
		answers.url: simulatedAnswer(t), refuses.url: "429 insufficient_quota Wait for the reset, ",
	} {
		file := filepath.Join(dir, "readme.mjs")
		code := strings.ReplaceAll(shown(t, "node"), "http://127.0.0.1:3036", url)
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "node", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("node %s: error %v, output %q, want none and %q in it", file, err, out, want)
		}
	}
}

// shown is README's block in language.
func shown(t *testing.T, language string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- sdk: " + regexp.QuoteMeta(language) + " -->\n[^\n]*\n(.*?\n)```\n")
	code := block.FindSubmatch(data)
	if code == nil {
		t.Fatalf("README.md, want code in %s as %v in\n%s", language, block, data)
	}
	return string(code[1])
}
