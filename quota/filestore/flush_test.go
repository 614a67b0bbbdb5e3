package filestore_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// A report that needs no grant is written within a minute. If that write fails,
// the next report returns the error.
func TestFlush(t *testing.T) {
	for name, broken := range failures() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "quota")
				s, err := filestore.Open(t.Context(), path, filestore.Options{})
				if err != nil {
					t.Fatal(err)
				}
				enlarge(t, s)
				seq := uint64(0)
				move := func(spent quota.Neurons) error {
					seq++
					r := report("a", seq, quota.BudgetRequest{Spent: spent, Held: 50*n - spent})
					_, err := s.Sync(t.Context(), r)
					return err
				}
				writes := s.Writes()
				wantWrites := func(more int64) {
					t.Helper()
					synctest.Wait()
					if got := s.Writes() - writes; got != more {
						t.Fatalf("got %d writes, want %d", got, more)
					}
				}
				for spent := range quota.Neurons(3) {
					if err := move(spent * n); err != nil {
						t.Fatal(err)
					}
				}
				wantWrites(1) // the first row
				time.Sleep(time.Minute)
				wantWrites(2)
				time.Sleep(time.Hour)
				wantWrites(2)
				if err := move(10 * n); err != nil {
					t.Fatal(err)
				}
				repair := broken(t, dir)
				time.Sleep(time.Minute)
				wantWrites(2)
				wantNotWritten(t, path, func() error { return move(11 * n) })
				repair()
				if err := move(12 * n); err != nil {
					t.Error(err)
				}
				wantWrites(3)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				wantWrites(3)
			})
		})
	}
}
