package sdk

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeWebSocket shows npm's ws sessions with models of real time.
func TestNodeWebSocket(t *testing.T) {
	const key = "nwk_0123456789abcdefghijklmnopqrstuvwxyz"
	file := filepath.Join(t.TempDir(), "clients.yaml")
	entry := fmt.Sprintf("clients:\n  - name: voice\n    key_sha256: %x\n", sha256.Sum256([]byte(key)))
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := start(t, build(t), "demo", "NEURONWARD_CLIENTS_FILE="+file)
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "websocket.test.js")
	cmd.Dir = "node"
	cmd.Env = append(cmd.Environ(), "SDKTEST_URL="+demo.url, "SDKTEST_KEY="+key)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "pass 8\n") {
		t.Errorf("node --test websocket.test.js: error %v, want none and 8 passed:\n%s", err, out)
	}
	demo.stop()
	if log := demo.stderr.String(); strings.Contains(log, key) || !strings.Contains(log, `"client":"voice"`) {
		t.Errorf("got the log %s, want the client in it and not its key", log)
	}
}
