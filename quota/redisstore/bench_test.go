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

// BenchmarkReserveSettle makes calls from 16 goroutines that reserve a neuron and
// cost half of it. The limit is a neuron a call, so that a ledger, which keeps 1 %
// of it at most, must request more again and again.
//
// On Redis it also reports, for 1,000 calls, how many commands were sent to the
// server, and how many it ran, those in scripts included.
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
		s := settled(b, open(b, shared.url(""), rand.Text(), Options{}))
		sent, ran := commands(b, shared)
		pairs(b, s)
		sentAfter, ranAfter := commands(b, shared)
		b.ReportMetric(float64(sentAfter-sent)/float64(b.N)*1000, "sent/1000")
		b.ReportMetric(float64(ranAfter-ran)/float64(b.N)*1000, "ran/1000")
	})
}

// pairs reserves and settles b.N times.
func pairs(b *testing.B, s quota.Store) {
	const goroutines = 16
	o := quota.Options{Store: s, Limit: quota.Neurons(b.N+goroutines) * n, Wait: 10 * time.Second}
	l, err := quota.New(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, d, err := l.Reserve(context.Background(), quota.Call{Model: "m", Estimate: n})
			if res == nil {
				b.Errorf("got %+v, %v, want a reservation", d, err)
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

// commands returns how many commands a server was sent and how many it ran.
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

// A day of the free plan, spent by 16 goroutines at once, takes few commands.
func TestFewCommands(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s := settled(t, open(t, server.url(""), "x", patient))
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
					t.Errorf("got %+v, %v, want a reservation", d, err)
					return
				}
				res.Settle(quota.Cost{Neurons: n})
			}
		})
	}
	wg.Wait()
	sentAfter, ranAfter := commands(t, server)
	perThousand := float64(sentAfter-sent) * 1000 / (16 * each)
	t.Logf("for 1,000 calls %.1f commands were sent, and %.1f run",
		perThousand, float64(ranAfter-ran)*1000/(16*each))
	if perThousand >= 50 {
		t.Errorf("got %.1f commands sent for 1,000 calls, want less than 50", perThousand)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// All days that are kept are read in a few steps, since each takes a round trip.
func TestManyDaysTakeFewSteps(t *testing.T) {
	t.Parallel()
	server := serverWith(t)
	s, a := settled(t, open(t, server.url(""), "x", patient)), replica{name: "a"}
	for i := range quota.Day(quota.KeepDays) {
		r := a.report(request(n, 0, 0))
		r.Day, r.Leave = day+i, true
		r.Records = []quota.Record{{Model: "m", Calls: 1, Reported: n}}
		send(t, s, r)
	}
	last := day + quota.KeepDays - 1
	for _, read := range []struct {
		name string
		days func() (int, error)
		want int // commands, with those that load the scripts
	}{
		{"History", func() (int, error) {
			records, err := s.History(t.Context(), day, last)
			return len(records), err
		}, 7},
		{"Committed", func() (int, error) {
			days, err := s.Committed(t.Context(), day, last)
			return len(days), err
		}, 5},
	} {
		before, _ := commands(t, server)
		days, err := read.days()
		after, _ := commands(t, server)
		if err != nil || days != quota.KeepDays {
			t.Errorf("%s: got %d days, %v, want %d", read.name, days, err, quota.KeepDays)
		}
		if got := after - before; got > read.want {
			t.Errorf("%s of %d days: got %d commands sent, want %d at most", read.name, days, got, read.want)
		}
	}
}
