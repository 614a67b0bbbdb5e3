package filestore_test

import (
	"path/filepath"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// BenchmarkSync measures a report that is granted something, so that the
// file is written, and one that only moves neurons from held to spent.
func BenchmarkSync(b *testing.B) {
	for name, step := range map[string]quota.Neurons{"granted": 1, "nothing granted": 0} {
		b.Run(name, func(b *testing.B) {
			s, err := filestore.Open(b.Context(), filepath.Join(b.TempDir(), "quota"), filestore.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var seq uint64
			var spent quota.Neurons
			b.ReportAllocs()
			for b.Loop() {
				seq++
				c := quota.BudgetRequest{
					Budget: quota.Account, Limit: 1_000_000 * n, Spent: spent, Held: 1000*n - spent, Want: 1, Min: 1,
				}
				spent++
				c.Held += step * quota.Neurons(seq)
				if step == 0 {
					c.Want = 0
				}
				r := quota.Report{Day: 20_000, Replica: "a", Seq: seq, Requests: []quota.BudgetRequest{c}}
				if _, err := s.Sync(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
