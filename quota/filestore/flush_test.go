package filestore_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// What needs no grant is written within a minute, and a disk that fails then is
// told with the next exchange.
func TestFlush(t *testing.T) {
	for name, broken := range failures() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				s, err := filestore.Open(t.Context(), filepath.Join(dir, "quota"), filestore.Options{})
				if err != nil {
					t.Fatal(err)
				}
				fatten(t, s)
				seq := uint64(0)
				move := func(spent quota.Neurons) error {
					seq++
					_, err := s.Sync(t.Context(), report("a", seq, quota.BudgetRequest{Spent: spent, Held: 50*n - spent}))
					return err
				}
				writes := s.Writes()
				expect := func(more int64) {
					t.Helper()
					synctest.Wait()
					if got := s.Writes() - writes; got != more {
						t.Fatalf("%d writes, want %d", got, more)
					}
				}
				for spent := range quota.Neurons(3) {
					if err := move(spent * n); err != nil {
						t.Fatal(err)
					}
				}
				expect(1) // the first row
				time.Sleep(time.Minute)
				expect(2)
				time.Sleep(time.Hour)
				expect(2)
				if err := move(10 * n); err != nil {
					t.Fatal(err)
				}
				mend := broken(t, dir)
				time.Sleep(time.Minute)
				expect(2)
				if err := move(11 * n); err == nil || !strings.Contains(err.Error(), "cannot be written") {
					t.Errorf("%v", err)
				}
				mend()
				if err := move(12 * n); err != nil {
					t.Error(err)
				}
				expect(3)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				expect(3)
			})
		})
	}
}
