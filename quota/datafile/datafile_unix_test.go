//go:build unix

package datafile_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neuronward/neuronward/quota/datafile"
)

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"four": "1234", "five": "12345"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "four", "nowhere": "none", "device": "/dev/zero"} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, says string }{
		"four":    {"1234", ""},
		"link":    {"1234", ""},
		"five":    {"", at("five") + " is larger than 4 bytes"},
		"nowhere": {"", "no such file"},
		"device":  {"", at("device") + " is a device, not a regular file"},
		"pipe":    {"", at("pipe") + " is a pipe, not a regular file"},
		".":       {"", " is a directory, not a regular file"},
	} {
		data, err := datafile.Read(at(name), 4)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if c.says == "" && string(data) != c.data {
			t.Errorf("Read(%s) = %q, want %q", name, data, c.data)
		}
		if !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
			t.Errorf("Read(%s): got the error %q, want %q", name, said, c.says)
		}
	}
}

// A file in /proc says that it has no bytes, and has more.
func TestReadStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	const path = "/proc/self/status"
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Logf("got %v, %v: this system has no such file", info, err)
		return
	}
	if data, err := datafile.Read(path, 10); err == nil || !strings.Contains(err.Error(), "larger than 10 bytes") {
		t.Errorf("Read() = %q, %v, want that it is larger than 10 bytes", data, err)
	}
}
