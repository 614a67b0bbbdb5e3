package redisstore

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// BenchmarkReserveSettle is calls by 16 goroutines that reserve a neuron and
// cost half of it. The ceiling is a neuron a call, so that a ledger, which keeps
// 1 % of it at most, must fetch more again and again.
//
// On Redis it also tells the commands that the server was sent, and those that it
// ran, in scripts as well, for 1,000 calls.
func BenchmarkReserveSettle(b *testing.B) {
	b.Run("file", func(b *testing.B) {
		s, err := filestore.Open(b.Context(), filepath.Join(b.TempDir(), "quota"), filestore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		pairs(b, s)
	})
	b.Run("redis", func(b *testing.B) {
		s := old(b, open(b, shared.url(""), rand.Text(), Options{}))
		sent, ran := commands(b, shared)
		pairs(b, s)
		sentAfter, ranAfter := commands(b, shared)
		b.ReportMetric(float64(sentAfter-sent)/float64(b.N)*1000, "sent/1000")
		b.ReportMetric(float64(ranAfter-ran)/float64(b.N)*1000, "ran/1000")
	})
}

// pairs reserves and settles b.N times.
func pairs(b *testing.B, s quota.Store) {
	const most = 16
	l, err := quota.New(b.Context(), quota.Options{Store: s, Limit: quota.Neurons(b.N+most) * n, Wait: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(max(1, most/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, d, err := l.Reserve(context.Background(), quota.Call{Model: "m", Estimate: n})
			if res == nil {
				b.Errorf("%+v, %v", d, err)
				return
			}
			res.Settle(quota.Cost{Neurons: n / 2})
		}
	})
	b.StopTimer()
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// commands tells how many a server was sent and how many it ran.
func commands(b testing.TB, s *server) (sent, ran int) {
	b.Helper()
	info, err := s.client(b).Info(context.Background(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		count, err := strconv.Atoi(calls)
		if err != nil {
			b.Fatal(err)
		}
		ran += count
		if strings.HasPrefix(name, "eval") || name == "ping" {
			sent += count
		}
	}
	return sent, ran
}

// A day of the free plan, spent by 16 goroutines at once, is few commands.
func TestFewCommands(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := old(t, open(t, server.url(""), "x", patient))
	l, err := quota.New(t.Context(), quota.Options{Store: s, Limit: 10_000 * n, Wait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const each = 600
	sent, ran := commands(t, server)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range each {
				res, d, err := l.Reserve(t.Context(), quota.Call{Model: "m", Estimate: n})
				if res == nil {
					t.Errorf("%+v, %v", d, err)
					return
				}
				res.Settle(quota.Cost{Neurons: n})
			}
		})
	}
	wg.Wait()
	sentAfter, ranAfter := commands(t, server)
	perThousand := float64(sentAfter-sent) * 1000 / (16 * each)
	t.Logf("for 1,000 calls %.1f commands were sent, and %.1f run", perThousand, float64(ranAfter-ran)*1000/(16*each))
	if perThousand >= 50 {
		t.Errorf("%.1f commands for 1,000 calls", perThousand)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
