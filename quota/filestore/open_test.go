package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota/filestore"
)

func TestTheFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "quota")
	s := open(t, path)
	wantGrant(t, s, "a", n, n)
	dir := filepath.Dir(path)
	for name, want := range map[string]fs.FileMode{
		path: 0o600, path + ".lock": 0o600, dir: 0o700 | fs.ModeDir, filepath.Dir(dir): 0o700 | fs.ModeDir,
	} {
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode() != want {
			t.Errorf("%s: got mode %v, want %v", name, fi.Mode(), want)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("got files %v, %v, want the file and its lock", names, err)
	}
}

// Every way in which a file can be damaged: it is not opened, not changed, and
// the error says what to do.
func TestADamagedFileIsNotChanged(t *testing.T) {
	path, good := written(t)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-20] ^= 1
	for _, c := range []struct {
		name, says string
		data       []byte
	}{
		{"empty", "beginning is lost", nil},
		{"half of the first line", "torn", good[:20]},
		{"the first line alone", "torn", good[:bytes.IndexByte(good, '\n')+1]},
		{"truncated", "torn", good[:len(good)-30]},
		{"one byte short", "torn", good[:len(good)-1]},
		{"something after it", "torn", append(bytes.Clone(good), "more"...)},
		{"a bit flipped", "checksum", flipped},
		{"zeroes", "beginning is lost", make([]byte, len(good))},
		{"another file", "not a neuronward quota file", []byte("{\"hello\": 1}\n")},
		{"of a later version", "version 3", bytes.Replace(good, []byte("quota 2"), []byte("quota 3"), 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := filestore.Open(t.Context(), path, filestore.Options{})
			if err == nil || s != nil {
				t.Fatal("got the file opened, want an error")
			}
			for _, want := range []string{c.says, path, "left as it was", "move it away"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want one with %q", err, want)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, c.data) {
				t.Errorf("the file afterwards: got %q, %v, want it unchanged", after, err)
			}
		})
	}
	// Put back, it works: the lock was released each time.
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	wantGrant(t, open(t, path), "b", 100*n, 60*n)
}

func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quota")
	first := open(t, path)
	start := time.Now()
	_, err := filestore.Open(t.Context(), path, filestore.Options{})
	if want := "has " + path + " open"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("second process: got error %v, want one with %q", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filestore.Open(ctx, path, filestore.Options{LockWait: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got error %v, want %v", err, context.Canceled)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("both took %v, want at most a minute: neither waits", d)
	}
	wantGrant(t, first, "a", 30*n, 30*n)
	// A rolling restart: the second waits until the first closes the file, and sees what it did.
	opened := make(chan *filestore.Store)
	waiting := make(chan string, 2)
	go func() {
		o := filestore.Options{LockWait: time.Minute, Waiting: func(pid string) { waiting <- pid }}
		s, err := filestore.Open(t.Context(), path, o)
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	select {
	case <-opened:
		t.Fatal("second process: got the file opened while the first has it, want it to wait")
	case pid := <-waiting:
		if pid != strconv.Itoa(os.Getpid()) {
			t.Errorf("Waiting: got process %q, want %d", pid, os.Getpid())
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := <-opened
	if second == nil {
		return
	}
	if len(waiting) > 0 {
		t.Error("Waiting: got a second call, want one")
	}
	defer second.Close()
	wantGrant(t, second, "b", 100*n, 70*n)
	if _, err := ask(t, first, "a", n); !errors.Is(err, filestore.ErrClosed) {
		t.Errorf("after Close: got error %v, want %v", err, filestore.ErrClosed)
	}
}

// A process that was killed during a write leaves a file behind. Directory and
// file may have any name: it is not taken as a pattern.
func TestLeftoversAreRemoved(t *testing.T) {
	for _, name := range []string{"quota", "quota[1]", "quota*", `quota\`, "[quota"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, left := range []string{"." + name + ".tmp-123", "other.tmp-1", ".quota1.tmp-1"} {
				if err := os.WriteFile(filepath.Join(dir, left), []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			open(t, filepath.Join(dir, name))
			entries, err := os.ReadDir(dir)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			want := []string{".quota1.tmp-1", "other.tmp-1", name, name + ".lock"}
			if slices.Sort(want); err != nil || !slices.Equal(names, want) {
				t.Errorf("got files %q, %v, want %q", names, err, want)
			}
		})
	}
}

// A path that no file can have: the error says what to do, and nothing is made.
func TestAPathThatNoFileCanHave(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("anything"), 0o600); err != nil {
		t.Fatal(err)
	}
	notDirectory := file + " is a file, not a directory: move it away, or name a file elsewhere"
	for name, c := range map[string]struct{ path, want string }{
		"in a file":             {filepath.Join(file, "quota"), notDirectory},
		"further down a file":   {filepath.Join(file, "a", "b", "quota"), notDirectory},
		"a directory":           {dir, dir + " is a directory: name a file in it"},
		"a directory, by slash": {dir + "/", dir + " is a directory: name a file in it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := filestore.Open(t.Context(), c.path, filestore.Options{})
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got error %v, want …%s", err, c.want)
			}
		})
	}
	for _, in := range []string{dir, filepath.Dir(dir)} {
		if entries, err := os.ReadDir(in); err != nil || len(entries) != 1 {
			t.Errorf("%s: got entries %v, %v, want 1", in, entries, err)
		}
	}
}

func TestALinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	open(t, target).Close()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, link)
	wantGrant(t, s, "a", 30*n, 30*n)
	s.Close()
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("link afterwards: got %v, %v, want a link", fi, err)
	}
	wantGrant(t, open(t, target), "b", 100*n, 70*n)
}

// Files of version 1 are those of today without external use.
func TestAFileOfTheFormerVersionIsRead(t *testing.T) {
	path, data := written(t)
	former := bytes.Replace(data, []byte("quota 2"), []byte("quota 1"), 1)
	if bytes.Equal(former, data) || bytes.Contains(data, []byte("external")) {
		t.Fatalf("got file %s, want one of version 2 without external use", data)
	}
	if err := os.WriteFile(path, former, 0o600); err != nil {
		t.Fatal(err)
	}
	wantGrant(t, open(t, path), "b", 100*n, 60*n)
}
