package manifeststest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSystemdUnit(t *testing.T) {
	path := filepath.Join(top, "deploy", "systemd", "neuronward.service")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unit := string(content)

	// At most 2.0 of 10; the threshold is in tenths.
	if out, err := analyze(t, "security", "--offline=true", "--threshold=20", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	// verify looks for the program that is started.
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(t.TempDir(), "neuronward.service")
	if err := os.WriteFile(installed, []byte(strings.Replace(unit, "ExecStart=/usr/local/bin/neuronward", "ExecStart="+program, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := analyze(t, "verify", "--man=no", installed); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}

	var names []string
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?(?:Environment=)?([A-Z_]+)=`).FindAllStringSubmatch(unit, -1) {
		names = append(names, m[1])
	}
	if len(names) < 3 {
		t.Errorf("the unit is not as this test reads it: %q", names)
	}
	wantVariables(t, "the unit", names...)

	drain, err := time.ParseDuration(variables(t)["NEURONWARD_DRAIN"])
	if err != nil {
		t.Fatal(err)
	}
	stop, err := time.ParseDuration(setting(t, unit, "TimeoutStopSec"))
	if err != nil || stop < drain+after {
		t.Errorf("it has %v to end, and needs NEURONWARD_DRAIN (%v) and %v: %v", stop, drain, after, err)
	}
	// What is loaded is what is named.
	name, _, _ := strings.Cut(setting(t, unit, "LoadCredential"), ":")
	if !strings.Contains(unit, "Environment=CLOUDFLARE_API_TOKEN_FILE=%d/"+name+"\n") {
		t.Errorf("the credential %q is loaded and not used", name)
	}
	// A mistake in the configuration ends the product as the unit believes.
	if said, status := say(t, []string{"NEURONWARD_LISTEN=nowhere"}, "serve"); setting(t, unit, "RestartPreventExitStatus") != "2" || status != 2 {
		t.Errorf("a mistake in the configuration is exit status %d: %s", status, said)
	}
}

// setting is the value of the one line of a unit that sets name.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	all := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(all) != 1 {
		t.Fatalf("%s is set %d times", name, len(all))
	}
	return all[0][1]
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%v; .ci/install installs it", err)
	}
	return string(out), err
}
