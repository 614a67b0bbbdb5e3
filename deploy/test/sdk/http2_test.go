package sdk

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// TestNodeHTTP2 shows Node's own HTTP/2 client streams that fail. The Go client is tested with the binary's other
// processes, in cmd/neuronward.
func TestNodeHTTP2(t *testing.T) {
	bin := build(t)
	pair := certtest.New(t, 1, time.Now())
	files := certtest.NewFiles(t, pair)
	demo := start(t, bin, "demo", "NEURONWARD_TLS_CERT="+files.Cert, "NEURONWARD_TLS_KEY="+files.Key)
	defer demo.stop()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "http2.test.js")
	cmd.Dir = "node"
	cmd.Env = append(cmd.Environ(), "SDKTEST_URL="+demo.url, "SDKTEST_CA="+string(pair.Cert))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "pass 4\n") {
		t.Errorf("node --test http2.test.js: error %v, want none and 4 passed:\n%s", err, out)
	}
}
