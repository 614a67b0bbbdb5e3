package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

const n = quota.OneNeuron

func open(t *testing.T, path string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(t.Context(), path, filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// granted asks for want of a ceiling of 100 neurons, as a holder that holds
// nothing yet.
func granted(t *testing.T, s quota.Store, who quota.Replica, want quota.Neurons) (quota.Neurons, error) {
	t.Helper()
	st, err := s.Sync(t.Context(), report(who, 1, quota.BudgetRequest{Want: want, Min: 1}))
	if err != nil {
		return 0, err
	}
	return st.Granted[0], nil
}

func report(who quota.Replica, seq uint64, c quota.BudgetRequest) quota.Report {
	c.Budget, c.Limit = quota.Account, 100*n
	return quota.Report{Day: 20_000, Replica: who, Seq: seq, Requests: []quota.BudgetRequest{c}}
}

// written is a file, and what is in it, of which 40 neurons have been granted.
func written(t *testing.T) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "quota")
	s := open(t, path)
	if g, err := granted(t, s, "a", 40*n); err != nil || g != 40*n {
		t.Fatal(g, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

func TestTheFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "quota")
	s := open(t, path)
	if _, err := granted(t, s, "a", n); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, path + ".lock": 0o600, filepath.Dir(path): 0o700 | fs.ModeDir, filepath.Dir(filepath.Dir(path)): 0o700 | fs.ModeDir} {
		fi, err := os.Stat(name)
		if err != nil || fi.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, fi.Mode(), err, want)
		}
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
}

// Every way in which a file can be damaged: it is not opened, not changed, and
// the error says what to do.
func TestADamagedFileIsLeftAlone(t *testing.T) {
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
				t.Fatal("it is opened")
			}
			for _, want := range []string{c.says, path, "left as it was", "move it away"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, c.data) {
				t.Errorf("it was changed: %q, %v", after, err)
			}
		})
	}
	// Put back, it works: the lock was let go each time.
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := granted(t, open(t, path), "b", 100*n); err != nil || g != 60*n {
		t.Errorf("granted %v, %v; want 60", g, err)
	}
}

func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quota")
	first := open(t, path)
	start := time.Now()
	if _, err := filestore.Open(t.Context(), path, filestore.Options{}); err == nil || !strings.Contains(err.Error(), "has "+path+" open") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filestore.Open(ctx, path, filestore.Options{LockWait: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if g, err := granted(t, first, "a", 30*n); err != nil || g != 30*n {
		t.Fatal(g, err)
	}
	// A rolling restart: the second waits until the first lets go, and sees what it did.
	opened := make(chan *filestore.Store)
	waiting := make(chan string, 2)
	go func() {
		s, err := filestore.Open(t.Context(), path, filestore.Options{LockWait: time.Minute, Waiting: func(pid string) { waiting <- pid }})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	select {
	case <-opened:
		t.Fatal("opened beside the first")
	case pid := <-waiting:
		if pid != strconv.Itoa(os.Getpid()) {
			t.Errorf("it waits for %q, want %d", pid, os.Getpid())
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
		t.Error("it told twice that it waits")
	}
	defer second.Close()
	if g, err := granted(t, second, "b", 100*n); err != nil || g != 70*n {
		t.Errorf("granted %v, %v; want 70", g, err)
	}
	if _, err := granted(t, first, "a", n); !errors.Is(err, filestore.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// What a process that was killed while it wrote leaves behind. Directory and file may be called anything: nothing in their
// names is a pattern.
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
				t.Errorf("%q, %v; want %q", names, err, want)
			}
		})
	}
}

// A path that no file can have: the advice fits, and nothing is made.
func TestAPathThatNoFileCanHave(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("anything"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, says string }{
		"in a file":             {filepath.Join(file, "quota"), file + " is a file, not a directory: move it away, or name a file elsewhere"},
		"further down a file":   {filepath.Join(file, "a", "b", "quota"), file + " is a file, not a directory: move it away, or name a file elsewhere"},
		"a directory":           {dir, dir + " is a directory: name a file in it"},
		"a directory, by slash": {dir + "/", dir + " is a directory: name a file in it"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := filestore.Open(t.Context(), c.path, filestore.Options{}); err == nil || !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("%v; want …%s", err, c.says)
			}
		})
	}
	for _, in := range []string{dir, filepath.Dir(dir)} {
		if entries, err := os.ReadDir(in); err != nil || len(entries) != 1 {
			t.Errorf("something was made in %s: %v, %v", in, entries, err)
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
	if _, err := granted(t, s, "a", 30*n); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", fi, err)
	}
	if g, err := granted(t, open(t, target), "b", 100*n); err != nil || g != 70*n {
		t.Errorf("granted %v, %v", g, err)
	}
}

// A disk that is full, or a directory that cannot be written any more: nothing
// is granted that is not on the disk, what is on the disk stays, and it goes on
// when the disk does.
func TestADiskThatFails(t *testing.T) {
	for name, broken := range failures() {
		t.Run(name, func(t *testing.T) { failing(t, broken) })
	}
}

// failing is TestADiskThatFails for one failure.
func failing(t *testing.T, broken failure) {
	dir := t.TempDir()
	path := filepath.Join(dir, "quota")
	s := open(t, path)
	fatten(t, s)
	if g, err := granted(t, s, "a", 40*n); err != nil || g != 40*n {
		t.Fatal(g, err)
	}
	mend := broken(t, dir)
	for range 3 {
		if g, err := granted(t, s, "b", 30*n); err == nil || g != 0 || !strings.Contains(err.Error(), path+" cannot be written") {
			t.Fatalf("granted %v, %v", g, err)
		}
	}
	if ok, err := s.Lease(t.Context(), "x", time.Hour); ok || err == nil {
		t.Errorf("a lease: %v, %v", ok, err)
	}
	// What needs no grant fails, too: it must not look as if the disk were back.
	moved := report("a", 2, quota.BudgetRequest{Spent: 10 * n, Held: 30 * n})
	if _, err := s.Sync(t.Context(), moved); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("an exchange that grants nothing: %v", err)
	}
	mend()
	if _, err := s.Sync(t.Context(), moved); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if g, err := granted(t, s, "b", 30*n); err != nil || g != 30*n {
		t.Errorf("afterwards: granted %v, %v", g, err)
	}
	if ok, err := s.Lease(t.Context(), "x", time.Hour); !ok || err != nil {
		t.Errorf("a lease afterwards: %v, %v", ok, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	st, err := open(t, path).Sync(t.Context(), report("c", 1, quota.BudgetRequest{}))
	if want := (quota.Balance{Limit: 100 * n, Spent: 10 * n, Lost: 60 * n, Free: 30 * n}); err != nil || st.Balances[0] != want {
		t.Errorf("%+v, %v", st, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// fat is how large a file of fatten is at least.
const fat = 1 << 20

// fatten makes the file large.
func fatten(t *testing.T, s quota.Store) {
	t.Helper()
	r := quota.Report{Day: 19_999, Replica: "fat", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: n, Want: n}}}
	for i := range 2 * fat / 2000 {
		r.Records = append(r.Records, quota.Record{Model: fmt.Sprint(i, strings.Repeat("x", 2000)), Calls: 1})
	}
	if _, err := s.Sync(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// failure breaks a directory, so that nothing can be written there.
type failure func(t *testing.T, dir string) (mend func())

func failures() map[string]failure {
	return map[string]failure{
		"a read-only directory": func(t *testing.T, dir string) func() {
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Fatal(err)
			}
			back := unprivileged(t, dir)
			if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
				f.Close()
				t.Fatal("the directory can be written all the same")
			} else if _, err := os.ReadDir(dir); err != nil {
				t.Fatal(err, "not even to be read: that is another failure")
			}
			return func() {
				back()
				if err := os.Chmod(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
		},
		"the directory is gone": func(t *testing.T, dir string) func() {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.Rename(dir+".away", dir); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
}

// Files of version 1 are those of today that say nothing of what is external.
func TestAFileOfTheFormerVersionIsRead(t *testing.T) {
	path, data := written(t)
	former := bytes.Replace(data, []byte("quota 2"), []byte("quota 1"), 1)
	if bytes.Equal(former, data) || bytes.Contains(data, []byte("external")) {
		t.Fatalf("%s", data)
	}
	if err := os.WriteFile(path, former, 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := granted(t, open(t, path), "b", 100*n); err != nil || g != 60*n {
		t.Errorf("granted %v, %v; want 60", g, err)
	}
}
