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
	for _, c := range []struct {
		language, dir, file, action string
		run                         []string
	}{
		{"node", "node", "readme.mjs", "429 insufficient_quota Wait for the reset, ", []string{"node"}},
		{"go", ".", "main.go", "429 insufficient_quota This call may need ", []string{"go", "run"}},
	} {
		t.Run(c.language, func(t *testing.T) {
			// Where the SDK is found; go's patterns pass over it.
			dir, err := os.MkdirTemp(c.dir, "_readme")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			for url, want := range map[string]string{answers.url: simulatedAnswer(t), refuses.url: c.action} {
				file := filepath.Join(dir, c.file)
				code := strings.ReplaceAll(shown(t, c.language), "http://127.0.0.1:3036", url)
				if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), c.run[0], append(c.run[1:], file)...)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%q: error %v, output %q, want none and %q in it", c.run, err, out, want)
				}
			}
		})
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
