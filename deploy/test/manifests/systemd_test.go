package manifeststest

import (
	"cmp"
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

	wantVerified(t, unit)

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
}

// wantVerified: systemd takes the unit.
func wantVerified(t *testing.T, unit string) {
	t.Helper()
	program, err := binary() // verify looks for the program that is started
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
}

// Each secret that the product reads from a file is a credential, or becomes one when # is removed.
func TestSystemdCredentials(t *testing.T) {
	text := string(read(t, "deploy", "systemd", "neuronward.service"))
	unit := regexp.MustCompile(`(?m)^#(LoadCredential|Environment)=`).ReplaceAllString(text, "$1=")
	if unit == text {
		t.Fatalf("the unit, want credentials in it that # leaves out:\n%s", text)
	}
	wantVerified(t, unit)

	certificate, key := somePair(t)
	credentials := t.TempDir()
	content := map[string]string{"tls.crt": certificate, "tls.key": key}
	loaded := regexp.MustCompile(`(?m)^LoadCredential=(\S+):/etc/neuronward/(\S+)$`)
	for _, m := range loaded.FindAllStringSubmatch(unit, -1) {
		if m[1] != m[2] {
			t.Errorf("the credential %s is loaded from %s, want the same name", m[1], m[2])
		}
		if err := os.WriteFile(filepath.Join(credentials, m[1]), []byte(cmp.Or(content[m[1]], "some-word")),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"CLOUDFLARE_ACCOUNT_ID=" + someAccount, "NEURONWARD_STORE=" + someStore}
	for _, m := range regexp.MustCompile(`(?m)^Environment=(.*%d.*)$`).FindAllStringSubmatch(unit, -1) {
		environ = append(environ, strings.Fields(strings.ReplaceAll(m[1], "%d", credentials))...)
	}
	for variable := range variables(t) {
		set := func(one string) bool { return strings.HasPrefix(one, variable+"=") }
		// The clients are no credential: their file is read again when it changes.
		secret := strings.HasSuffix(variable, "_FILE") && variable != "NEURONWARD_CLIENTS_FILE"
		if secret && !slices.ContainsFunc(environ, set) {
			t.Errorf("variables of credentials = %q, want %s among them", environ, variable)
		}
	}
	if said, status := say(t, environ, "check", "--offline"); status == mistakes {
		t.Errorf("check: exit status %d, want no mistakes:\n%s", status, said)
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
