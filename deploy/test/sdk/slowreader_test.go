package sdk

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNodeSlowReaders shows that an app in Node which takes its time loses neither text nor code of a stream that
// fails.
func TestNodeSlowReaders(t *testing.T) {
	demo := start(t, build(t), "demo")
	defer demo.stop()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "slow-reader.test.js")
	cmd.Dir = "node"
	cmd.Env = append(cmd.Environ(), "SDKTEST_URL="+demo.url)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "pass 16\n") {
		t.Errorf("node --test slow-reader.test.js: error %v, want none and 16 passed:\n%s", err, out)
	}
}
