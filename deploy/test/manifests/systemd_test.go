package manifeststest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/deploy/test/loopback"
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
	if err := os.WriteFile(installed, []byte(strings.Replace(unit, "ExecStart=/usr/local/bin/neuronward",
		"ExecStart="+program, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := analyze(t, "verify", "--man=no", installed); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: error %v, said %q, want neither", err, out)
	}

	var names []string
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?(?:Environment=)?([A-Z_]+)=`).FindAllStringSubmatch(unit, -1) {
		names = append(names, m[1])
	}
	if len(names) < 3 {
		t.Errorf("variables of the unit = %q, want 3 at least", names)
	}
	wantVariables(t, "the unit", names...)

	drain, err := time.ParseDuration(variables(t)["NEURONWARD_DRAIN"])
	if err != nil {
		t.Fatal(err)
	}
	stop, err := time.ParseDuration(setting(t, unit, "TimeoutStopSec"))
	if err != nil || stop < drain+after {
		t.Errorf("TimeoutStopSec = %v, error %v, want NEURONWARD_DRAIN (%v) and %v at least", stop, err, drain, after)
	}
	// What is loaded is what is named.
	name, _, _ := strings.Cut(setting(t, unit, "LoadCredential"), ":")
	if want := "Environment=CLOUDFLARE_API_TOKEN_FILE=%d/" + name + "\n"; !strings.Contains(unit, want) {
		t.Errorf("the credential %q is loaded, want %q in\n%s", name, want, unit)
	}
}

// A proxy that has crashed is started again, whatever status Go ends it with.
func TestSystemdStartsAgainWhatCrashed(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join(top, "deploy", "systemd", "neuronward.service"))
	if err != nil {
		t.Fatal(err)
	}
	app, admin := loopback.Free(t), loopback.Free(t)
	cmd := product(t, []string{"NEURONWARD_LISTEN=" + app, "NEURONWARD_ADMIN_LISTEN=" + admin}, "demo")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !answers(t, "http://"+admin+"/livez"); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("/livez is not answered after a minute, want 200")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil { // as a panic: all goroutines are shown
		t.Fatal(err)
	}
	crash, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || crash.ExitCode() <= 0 {
		t.Fatalf("the end after SIGQUIT = %v, want the exit status of a Go program that crashes", crash)
	}
	if got := setting(t, string(unit), "Restart"); got != "on-failure" {
		t.Errorf("Restart = %s, want on-failure", got)
	}
	for line := range strings.Lines(string(unit)) {
		if statuses, ok := strings.CutPrefix(line, "RestartPreventExitStatus="); ok &&
			slices.Contains(strings.Fields(statuses), strconv.Itoa(crash.ExitCode())) {
			t.Errorf("%s, want it without %d, the exit status of a crash", strings.TrimSpace(line), crash.ExitCode())
		}
	}
}

// setting is the value of the one line of a unit that sets name.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	all := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(all) != 1 {
		t.Fatalf("%s is set %d times, want once", name, len(all))
	}
	return all[0][1]
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("systemd-analyze: %v, want it installed, as .ci/install does", err)
	}
	return string(out), err
}
