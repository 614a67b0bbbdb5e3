package sdk

import (
	"os/exec"
	"strings"
	"testing"
)

// TestAgents runs agents, tools and structured output of real SDKs against the demo, which plays the model. Each test
// has a session of its own, so that all share one demo.
func TestAgents(t *testing.T) {
	t.Parallel()
	demo := start(t, build(t), "demo")
	defer demo.stop()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec")
	cmd.Dir = "agents"
	cmd.Env = append(cmd.Environ(), "SDKTEST_URL="+demo.url)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "pass 65\n") {
		t.Errorf("node --test in agents: error %v, want none and 65 passed:\n%s", err, out)
	}
}
