//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neuronward/neuronward/quota/filestore"
)

// Whatever is at the path of the state file: it is opened at once or not at all, and left as it was.
func TestWhatIsNoStateFile(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string) error
		want string
	}{
		"a named pipe": {func(_ *testing.T, path string) error {
			return syscall.Mkfifo(path, 0o600)
		}, "is a pipe, not"},
		"a link to a named pipe": {func(_ *testing.T, path string) error {
			return linkTo(path, func(target string) error { return syscall.Mkfifo(target, 0o600) })
		}, "is a pipe, not a regular file"},
		"a socket": {func(t *testing.T, path string) error {
			ln, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { ln.Close() })
			}
			return err
		}, "is a socket, not a regular file"},
		"a device": {func(_ *testing.T, path string) error {
			return os.Symlink("/dev/zero", path)
		}, "is a device"},
		"a link to a directory": {func(t *testing.T, path string) error {
			return os.Symlink(t.TempDir(), path)
		}, "is a directory"},
		"a link that leads away": {func(_ *testing.T, path string) error {
			return os.Symlink("/none/neurons", path)
		}, "cannot be followed"},
		"a link to itself": {func(_ *testing.T, path string) error {
			return os.Symlink(path, path)
		}, "cannot be followed"},
		"a gibibyte of nothing": {func(_ *testing.T, path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<30)
		}, "is larger than 64 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "f") //nolint:usetesting // its path may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
			path := filepath.Join(dir, "neurons")
			if err := c.make(t, path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = filestore.Open(t.Context(), path, filestore.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open() = %v, want an error with %q", err, c.want)
			}
			after, err := os.Lstat(path)
			if err != nil {
				t.Fatalf("afterwards: got %v, want the file as before", err)
			}
			if got, want := after.Mode(), before.Mode(); got != want {
				t.Errorf("afterwards: got mode %v, want %v", got, want)
			}
			if got, want := after.ModTime(), before.ModTime(); !got.Equal(want) {
				t.Errorf("afterwards: got written at %v, want at %v", got, want)
			}
			if _, err := os.Lstat(path + ".lock"); err == nil {
				t.Error("afterwards: got a lock, want none")
			}
		})
	}
}

// linkTo makes what make does beside path, and path a link to it.
func linkTo(path string, create func(target string) error) error {
	if err := create(path + ".target"); err != nil {
		return err
	}
	return os.Symlink(path+".target", path)
}

// The lock is written to: whatever else has its name is not touched, be it through a link.
func TestTheLockIsNotWrittenThroughALink(t *testing.T) {
	precious := []byte("root:x:0:0:root:/root:/bin/bash\n")
	for name, c := range map[string]struct {
		make func(lock, other string) error
		want string
	}{
		"a link": {func(lock, other string) error {
			return os.Symlink(other, lock)
		}, "is a symbolic link, which is not followed: remove it"},
		"a link to nothing": {func(lock, _ string) error {
			return os.Symlink(lock+".none", lock)
		}, "is a symbolic link"},
		"a hard link": {func(lock, other string) error {
			return os.Link(other, lock)
		}, "holds something else than the id of a process"},
		"a large file": {func(lock, _ string) error {
			return os.WriteFile(lock, bytes.Repeat([]byte("1"), 33), 0o600)
		}, "is larger than 32 bytes"},
		"a named pipe": {func(lock, _ string) error { return syscall.Mkfifo(lock, 0o600) }, "is a pipe"},
		"a directory":  {func(lock, _ string) error { return os.Mkdir(lock, 0o700) }, "cannot be opened"},
		"a file of somebody": {func(lock, _ string) error {
			return os.WriteFile(lock, []byte("milk, eggs"), 0o600)
		}, "holds something else"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, other := filepath.Join(dir, "neurons"), filepath.Join(dir, "precious")
			if err := os.WriteFile(other, precious, 0o640); err != nil {
				t.Fatal(err)
			}
			if err := c.make(path+".lock", other); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path + ".lock")
			if err != nil {
				t.Fatal(err)
			}
			_, err = filestore.Open(t.Context(), path, filestore.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open() = %v, want an error with %q", err, c.want)
			}
			if got, err := os.ReadFile(other); err != nil || !bytes.Equal(got, precious) {
				t.Errorf("the other file: got %q, %v, want it unchanged", got, err)
			}
			if info, err := os.Stat(other); err != nil || info.Mode() != 0o640 {
				t.Errorf("the other file: got %v, %v, want the mode %v", info, err, fs.FileMode(0o640))
			}
			after, err := os.Lstat(path + ".lock")
			if err != nil {
				t.Fatalf("the lock's name: got %v, want the file as before", err)
			}
			if after.Mode() != before.Mode() || after.Size() != before.Size() {
				t.Errorf("the lock's name: got mode %v, size %d, want %v, %d", after.Mode(), after.Size(),
					before.Mode(), before.Size())
			}
			if _, err := os.Lstat(path + ".lock.none"); err == nil {
				t.Error("got the file that a link names, want none made")
			}
		})
	}
}
