package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	streams = 64 // at once
	large   = 10_000_000

	openCallers = 10
	openRate    = 300 // calls a second of all of them: far from what any proxy here can take
)

func scenarios() []scenario {
	var all []scenario
	text := strings.Replace(chatBody(), "All work", strings.Repeat("All work and no play. ", large/22), 1)
	for _, to := range []string{"plain", "TLS and HTTP/2"} {
		add := func(name, unit, beside string, m func(context.Context, *bench, *peer) (figure, error)) *scenario {
			all = append(all, scenario{name: name + ", upstream " + to, unit: unit, beside: beside, measure: m})
			return &all[len(all)-1]
		}
		for _, callers := range []int{1, 16, 64, 256} {
			add(fmt.Sprintf("calls of 1 KB, %d at once", callers), "CPU µs a call", "calls/s",
				calls(callers, request(chatBody(), "json")))
		}
		add(fmt.Sprintf("%d callers, %d calls a second, 2 cores", openCallers, openRate), "µs added, p50", "p99",
			added).cores = 2
		add("embeddings of 1 KB, 16 at once", "CPU µs a call", "calls/s",
			calls(16, request(vectorBody(), "vector")))
		add(fmt.Sprintf("%d streams, an event each 10 ms", streams), "CPU µs an event", "events/s", events)
		add("calls of 10 MB, 1 at once", "CPU µs a call", "calls/s", calls(1, request(text, "json")))
		add("idle streams", "KiB a stream", "RSS MiB", idleStreams)
	}
	return append(all,
		scenario{
			name: "calls that neuronward's guard refuses, and others pass on", unit: "CPU µs a call", beside: "calls/s",
			measure: calls(16, request(chatBody(), "json")),
			environ: []string{"NEURONWARD_DAILY_NEURONS=1"},
		},
		scenario{name: "from the start to the first answer", unit: "ms", beside: "RSS MiB", measure: start},
		scenario{name: "at rest after the first answer", unit: "RSS MiB", beside: "threads", measure: rest},
	)
}

func calls(callers int, request []byte) func(context.Context, *bench, *peer) (figure, error) {
	return func(ctx context.Context, b *bench, p *peer) (figure, error) {
		r, err := closedLoop(ctx, p, callers, request, b.time)
		return figure{micros(r.cpu) / float64(max(r.calls, 1)), float64(r.calls) / r.took.Seconds()}, err
	}
}

// added measures what a proxy adds to the time of a call at a fixed rate: the median of it, and the slowest in a
// hundred, less those of calls to upstream itself.
func added(ctx context.Context, b *bench, p *peer) (figure, error) {
	direct := &peer{addr: b.upstream.plain.Host}
	if p.upstream == b.upstream.secure {
		direct = &peer{addr: b.upstream.secure.Host, tls: b.upstream.trust()}
	}
	to := request(chatBody(), "json")
	without, err := openLoop(ctx, direct, openCallers, openRate, to, b.time)
	if err != nil {
		return figure{}, fmt.Errorf("upstream: %w", err)
	}
	with, err := openLoop(ctx, p, openCallers, openRate, to, b.time)
	return figure{micros(with.p50 - without.p50), micros(with.p99 - without.p99)}, err
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// events measures streams whose events come slowly.
func events(ctx context.Context, b *bench, p *peer) (figure, error) {
	var (
		group sync.WaitGroup
		count atomic.Int64
		open  []*caller
	)
	defer group.Wait() // once all are closed
	defer func() {
		for _, c := range open {
			c.Close() //nolint:errcheck // it was only read
		}
	}()
	for range streams {
		c, err := beginStream(ctx, p, "events")
		if err != nil {
			return figure{}, err
		}
		group.Go(func() {
			for {
				if _, err := readChunk(c.in); err != nil { // it was closed
					return
				}
				count.Add(1)
			}
		})
		open = append(open, c)
	}
	before, err := p.cpu()
	if err != nil {
		return figure{}, err
	}
	first, began := count.Load(), time.Now()
	time.Sleep(b.time)
	after, err := p.cpu()
	n := float64(max(count.Load()-first, 1))
	return figure{micros(after-before) / n, n / time.Since(began).Seconds()}, err
}

// beginStream begins a stream and waits for its first event.
func beginStream(ctx context.Context, p *peer, shape string) (*caller, error) {
	c, err := dial(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, err = c.Write(request(streamBody(), shape)); err == nil {
		var length int
		if _, length, err = readHead(c.in); err == nil {
			err = errIf(length >= 0, "the answer is no stream")
		}
		if err == nil {
			_, err = readChunk(c.in)
		}
	}
	if err != nil {
		c.Close() //nolint:errcheck // the first error matters
	}
	return c, err
}

// idleStreams measures the memory of streams that send nothing after their first event.
func idleStreams(ctx context.Context, b *bench, p *peer) (figure, error) {
	before, err := p.rss()
	if err != nil {
		return figure{}, err
	}
	for range b.idle {
		c, err := beginStream(ctx, p, "idle")
		if err != nil {
			return figure{}, err
		}
		defer c.Close()
	}
	time.Sleep(b.time) // for collections
	after, err := p.rss()
	return figure{(after - before) / 1024 / float64(b.idle), after / (1 << 20)}, err
}

// rest measures the memory of a proxy that has nothing to do.
func rest(_ context.Context, b *bench, p *peer) (figure, error) {
	time.Sleep(b.time)
	threads, err := p.threads()
	if err != nil {
		return figure{}, err
	}
	rss, err := p.rss()
	return figure{rss / (1 << 20), float64(threads)}, err
}

func start(_ context.Context, _ *bench, p *peer) (figure, error) {
	rss, err := p.rss()
	return figure{micros(p.began) / 1000, rss / (1 << 20)}, err
}
