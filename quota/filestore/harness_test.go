package filestore_test

import (
	"os"
	"path/filepath"
	"testing"

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

// ask asks for want of a limit of 100 neurons, as a replica that holds nothing
// yet, and returns what is granted.
func ask(t *testing.T, s quota.Store, who quota.Replica, want quota.Neurons) (quota.Neurons, error) {
	t.Helper()
	reply, err := s.Sync(t.Context(), report(who, 1, quota.BudgetRequest{Want: want, Min: 1}))
	if err != nil {
		return 0, err
	}
	return reply.Granted[0], nil
}

// wantGrant asks likewise and checks what is granted.
func wantGrant(t *testing.T, s quota.Store, who quota.Replica, asked, want quota.Neurons) {
	t.Helper()
	if got, err := ask(t, s, who, asked); err != nil || got != want {
		t.Errorf("%s asks for %v: got %v granted, %v, want %v", who, asked, got, err, want)
	}
}

func report(who quota.Replica, seq uint64, c quota.BudgetRequest) quota.Report {
	c.Budget, c.Limit = quota.Account, 100*n
	return quota.Report{Day: 20_000, Replica: who, Seq: seq, Requests: []quota.BudgetRequest{c}}
}

// written returns a file by which 40 neurons are granted, and what is in it.
func written(t *testing.T) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "quota")
	s := open(t, path)
	wantGrant(t, s, "a", 40*n, 40*n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// memoryDir returns a directory of the test's own, in memory where the system has
// one there: a test that writes often need not wait for a disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "filestore") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
