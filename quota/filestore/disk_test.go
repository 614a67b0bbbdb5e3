package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A directory that cannot be written any more: nothing is granted that is not on
// the disk, what is on the disk stays, and the store works again when the disk
// does.
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
	enlarge(t, s)
	wantGrant(t, s, "a", 40*n, 40*n)
	repair := broken(t, dir)
	for range 3 {
		wantNotWritten(t, path, func() error {
			_, err := ask(t, s, "b", 30*n)
			return err
		})
	}
	if ok, err := s.Lease(t.Context(), "x", time.Hour); ok || err == nil {
		t.Errorf("lease: got %v, %v, want an error", ok, err)
	}
	// A report that needs no grant fails, too: it must not look as if the disk worked again.
	moved := report("a", 2, quota.BudgetRequest{Spent: 10 * n, Held: 30 * n})
	wantNotWritten(t, path, func() error {
		_, err := s.Sync(t.Context(), moved)
		return err
	})
	repair()
	if _, err := s.Sync(t.Context(), moved); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: got %v, %v, want no files", left, err)
	}
	wantGrant(t, s, "b", 30*n, 30*n)
	if ok, err := s.Lease(t.Context(), "x", time.Hour); !ok || err != nil {
		t.Errorf("lease afterwards: got %v, %v, want true", ok, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	reply, err := open(t, path).Sync(t.Context(), report("c", 1, quota.BudgetRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	want := quota.Balance{Limit: 100 * n, Spent: 10 * n, Lost: 60 * n, Free: 30 * n}
	if got := reply.Balances[0]; got != want {
		t.Errorf("opened again: got %+v, want %+v", got, want)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("files: got %v, %v, want the file and its lock", names, err)
	}
}

// wantNotWritten checks that step fails since the file at path cannot be written.
func wantNotWritten(t *testing.T, path string, step func() error) {
	t.Helper()
	if err, want := step(), path+" cannot be written"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

// minLarge is the smallest size of a file after enlarge.
const minLarge = 1 << 16

// enlarge makes the file large.
func enlarge(t *testing.T, s quota.Store) {
	t.Helper()
	r := quota.Report{
		Day: 19_999, Replica: "large", Seq: 1,
		Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: n, Want: n}},
	}
	for i := range 2 * minLarge / 1000 {
		r.Records = append(r.Records, quota.Record{Model: fmt.Sprint(i, strings.Repeat("x", 1000)), Calls: 1})
	}
	if _, err := s.Sync(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// failure breaks a directory, so that nothing can be written there.
type failure func(t *testing.T, dir string) (repair func())

func failures() map[string]failure {
	return map[string]failure{
		"a read-only directory": func(t *testing.T, dir string) func() {
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Fatal(err)
			}
			back := unprivileged(t, dir)
			if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
				f.Close()
				t.Fatal("directory without permission: got a file made in it, want an error")
			} else if _, err := os.ReadDir(dir); err != nil {
				t.Fatalf("got error %v, want a directory that can be read", err)
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
