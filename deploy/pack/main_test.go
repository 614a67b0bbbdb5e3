package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const stamp = "2026-01-31T12:00:02Z"

// lay writes two files into a folder of their own, of which one is executable, with times and modes that archives
// must not show.
func lay(t *testing.T, umask os.FileMode, modified time.Time) (binary, text string) {
	t.Helper()
	dir := t.TempDir()
	binary, text = filepath.Join(dir, "binary"), filepath.Join(dir, "text")
	for path, mode := range map[string]os.FileMode{binary: 0o777, text: 0o666} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), mode); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, mode&^umask), os.Chtimes(path, modified, modified)); err != nil {
			t.Fatal(err)
		}
	}
	return binary, text
}

// packed returns the bytes of the archive called name.
func packed(t *testing.T, name string, files ...string) []byte {
	t.Helper()
	return packedAt(t, stamp, name, files...)
}

func packedAt(t *testing.T, at, name string, files ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	var complaints bytes.Buffer
	if status := run(append([]string{"-time", at, out}, files...), &complaints); status != exitDone {
		t.Fatalf("exit status %d, want %d: %s", status, exitDone, &complaints)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestSameBytes(t *testing.T) {
	for _, name := range []string{"x.tar.gz", "x.tgz", "x.zip"} {
		t.Run(name, func(t *testing.T) {
			binary, text := lay(t, 0o022, time.Unix(1e9, 0))
			first := packed(t, name, "b/text="+text, "a="+binary)
			binary, text = lay(t, 0o077, time.Unix(1.5e9, 0))
			second := packedAt(t, "2026-01-31T13:00:02+01:00", name, "a="+binary, "b/text="+text)
			if !bytes.Equal(first, second) {
				t.Error("another order, folder, umask, zone and time of the files gave other bytes, want the same")
			}
		})
	}
}

func TestEntries(t *testing.T) {
	binary, text := lay(t, 0o022, time.Now())
	files := []string{"b/text=" + text, "a=" + binary}
	want := []string{
		"a -rwxr-xr-x 0:0 " + stamp + " binary",
		"b/text -rw-r--r-- 0:0 " + stamp + " text",
	}
	if got := untar(t, packed(t, "x.tar.gz", files...)); !slices.Equal(got, want) {
		t.Errorf("tar.gz = %q, want %q", got, want)
	}
	if got := unzip(t, packed(t, "x.zip", files...)); !slices.Equal(got, want) {
		t.Errorf("zip = %q, want %q", got, want)
	}
}

func untar(t *testing.T, content []byte) (entries []string) {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%s %s %d:%d %s %s", h.Name, h.FileInfo().Mode(), h.Uid, h.Gid,
			h.ModTime.UTC().Format(time.RFC3339), text))
	}
}

func unzip(t *testing.T, content []byte) (entries []string) {
	t.Helper()
	zr, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%s %s 0:0 %s %s", f.Name, f.Mode(),
			f.Modified.UTC().Format(time.RFC3339), text))
	}
	return entries
}

func TestRefused(t *testing.T) {
	out, single := filepath.Join(t.TempDir(), "x.zip"), t.TempDir()
	if err := put(single, "manifest.json", []byte(`{"schemaVersion":2}`)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args   []string
		status int
		text   string
	}{
		"no files":            {[]string{"-time", stamp, out}, exitUsage, "Usage"},
		"no time":             {[]string{out, "a=b"}, exitUsage, "-time"},
		"a file without name": {[]string{"-time", stamp, out, "b"}, exitFailed, "NAME=FILE"},
		"a file that is gone": {[]string{"-time", stamp, out, "a=" + out}, exitFailed, "no such file"},
		"a file beside image": {[]string{"-image", single, out, "a=" + out}, exitUsage, "Usage"},
		"no list of images":   {[]string{"-image", single, filepath.Join(t.TempDir(), "a")}, exitFailed, "several"},
	} {
		t.Run(name, func(t *testing.T) {
			var complaints bytes.Buffer
			status := run(tt.args, &complaints)
			if status != tt.status || !strings.Contains(complaints.String(), tt.text) {
				t.Errorf("run() = %d %q, want %d and %q", status, &complaints, tt.status, tt.text)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("an archive was written, want none")
			}
		})
	}
}
