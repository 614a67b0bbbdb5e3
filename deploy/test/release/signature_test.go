package releasetest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented are the commands that show who has signed, as deploy/README.md has them, each with its lines joined.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(string(text), "\\\n", "")
	commands := regexp.MustCompile(`(?m)^ *cosign verify.*$`).FindAllString(joined, -1)
	if len(commands) != 2 {
		t.Fatalf("deploy/README.md verifies by %q, want a command for files and one for image and chart", commands)
	}
	return commands
}

// What signs is the workflow by the name that verifying asks for, and it verifies its own release in the same way.
func TestWhoSigns(t *testing.T) {
	workflow, err := os.ReadFile("../../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`--certificate-identity-regexp '([^']+)' +--certificate-oidc-issuer (\S+)`)
	for _, command := range documented(t) {
		said := quoted.FindStringSubmatch(command)
		if said == nil {
			t.Errorf("%s\nwant identity and issuer", command)
			continue
		}
		const identity = "https://github.com/neuronward/neuronward/.github/workflows/release.yml@refs/tags/v1.2.3"
		if !regexp.MustCompile(said[1]).MatchString(identity) {
			t.Errorf("%s, want it to take %s", said[1], identity)
		}
		for _, want := range said[1:] {
			if !strings.Contains(string(workflow), want) {
				t.Errorf("release.yml, want it to verify by %s", want)
			}
		}
	}
}

// testSignature signs the checksums with a key of its own, as the identity of the workflow is not to be had here, and
// verifies them by the documented command.
func testSignature(t *testing.T, dist string) {
	keys := t.TempDir()
	environ := []string{"COSIGN_PASSWORD=", "PATH=" + keys + ":" + os.Getenv("PATH")}
	script := "#!/bin/sh\nexec " + *cosign + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(keys, "cosign"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, keys, environ, "bash", "-c", "cosign generate-key-pair")
	services := filepath.Join(keys, "none.json") // nothing is sent to a log
	const none = `{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}`
	err := os.WriteFile(services, []byte(none), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	must(t, dist, environ, "bash", "-c", "cosign sign-blob --yes --bundle SHA256SUMS.sigstore.json SHA256SUMS --key "+
		filepath.Join(keys, "cosign.key")+" --signing-config "+services)
	workflow := regexp.MustCompile(`--certificate-identity-regexp.*`)
	byKey := "--insecure-ignore-tlog --key " + filepath.Join(keys, "cosign.pub")
	verify := workflow.ReplaceAllString(documented(t)[0], byKey)
	if out := must(t, dist, environ, "bash", "-c", verify); !strings.Contains(out, "Verified OK") {
		t.Errorf("%s = %s, want it verified", verify, out)
	}
	sums := filepath.Join(dist, "SHA256SUMS")
	if err := os.WriteFile(sums, []byte("0  neuronward_linux_amd64.tar.gz\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, status := command(t, dist, environ, "bash", "-c", verify); status == 0 {
		t.Errorf("%s of other checksums = %s, want it refused", verify, out)
	}
}
