package filestore_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

var limited = flag.Bool("limited", false, "be the child of TestAFullDisk")

// TestAFullDisk is TestADiskThatFails where no file may grow beyond minLarge, so
// that a write stops in the middle. The limit applies to the whole process, and to
// the files that go test writes: so the test is run in a child.
func TestAFullDisk(t *testing.T) {
	if !*limited {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDisk$", "-test.v", "-limited")
		out, err := child.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestAFullDisk")) {
			t.Errorf("child: got %v, want it passed:\n%s", err, out)
		}
		return
	}
	failing(t, func(t *testing.T, _ string) func() {
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: minLarge, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// unprivileged makes permissions count in dir. They do not stop root, so until
// back is called a test that root runs acts as another user, who owns dir.
func unprivileged(t *testing.T, dir string) (back func()) {
	if os.Geteuid() != 0 {
		return func() {}
	}
	const nobody = 65534
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	given := []string{dir}
	for _, e := range entries {
		given = append(given, filepath.Join(dir, e.Name()))
	}
	for _, name := range given {
		if err := os.Chown(name, nobody, -1); err != nil {
			t.Fatal(err)
		}
	}
	// t.TempDir is below a directory of the test's own, which others may not enter.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Seteuid(nobody); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Seteuid(0); err != nil {
			t.Fatal(err)
		}
		for _, name := range given {
			if err := os.Chown(name, 0, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
}
