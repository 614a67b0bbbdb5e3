package quota_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

const benchModel = "@cf/meta/llama-3.1-8b-instruct-fp8"

func BenchmarkReserveSettle(b *testing.B) {
	for _, c := range []struct {
		name string
		o    quota.Options
		call quota.Call
	}{
		{"budgets=1", quota.Options{Limit: 1_000_000_000 * n}, quota.Call{Model: benchModel, Estimate: n}},
		{"budgets=2", quota.Options{Limit: 1_000_000_000 * n}, quota.Call{
			Model: benchModel, Client: "search-team", ClientLimit: 900_000_000 * n, Estimate: n,
		}},
		{"unlimited", quota.Options{}, quota.Call{Model: benchModel, Estimate: n}},
	} {
		c.o.Store = memstore.New(nil)
		l, err := quota.New(b.Context(), c.o)
		if err != nil {
			b.Fatal(err)
		}
		pair := func(b *testing.B) {
			res, d, err := l.Reserve(context.Background(), c.call)
			if res == nil {
				b.Fatalf("got %+v, %v, want a reservation", d, err)
			}
			res.Settle(quota.Cost{Neurons: c.call.Estimate / 2})
		}
		b.Run(c.name+"/goroutines=1", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pair(b)
			}
		})
		for _, par := range []int{8} { // times GOMAXPROCS
			b.Run(fmt.Sprintf("%s/goroutines=%dxP", c.name, par), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(par)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						pair(b)
					}
				})
			})
		}
		if err := l.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefuse(b *testing.B) {
	l, err := quota.New(b.Context(), quota.Options{Store: memstore.New(nil), Limit: n})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if res, _, _ := l.Reserve(context.Background(), quota.Call{Model: "m", Estimate: 2 * n}); res != nil {
			b.Fatalf("got %+v, want the call refused", res)
		}
	}
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
