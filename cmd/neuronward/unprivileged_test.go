//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Where no state directory can be used serve refuses to start, and names the variable to set. Permissions do not stop
// root, so a test that root runs is somebody else meanwhile.
func TestServeWithoutAStateDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := syscall.Seteuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Fatal(err)
			}
		}()
	}
	for name, home := range map[string]string{"no home": "HOME=", "a home that is not ours": "HOME=/nobody's"} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(
				t.Context(), nil,
				[]string{
					"CLOUDFLARE_ACCOUNT_ID=unprivileged", home, "NEURONWARD_LISTEN=127.0.0.1:0",
					"NEURONWARD_ADMIN_LISTEN=",
				},
				strings.NewReader(""), &out, &errs,
			)
			said := errs.String()
			equal(t, "exit", code, exitUsage)
			equal(t, "stdout", out.String(), "")
			equal(t, "lines", strings.Count(said, "\n"), 2)
			for _, want := range []string{
				"  NEURONWARD_STORE: no state directory can be used: ", "/var/lib/neuronward (permission denied)",
				"write file:PATH", "memory: alone",
			} {
				contains(t, "stderr", said, want)
			}
		})
	}
}

// In a home where nothing is yet, it just works.
func TestServeInAFreshHome(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	p := start(t, costly(t, "HOME="+home, "XDG_STATE_HOME="))
	p.spend()
	p.stop()
	dir := home + "/.local/state/neuronward"
	for path, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, dir + "/neurons-" + hexAccount: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want the mode %v", path, info, err, want)
		}
	}
}
