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
)

func scenarios() []scenario {
	var all []scenario
	for _, to := range []string{"plain", "TLS and HTTP/2"} {
		for _, callers := range []int{1, 16, 64, 256} {
			all = append(all, scenario{
				fmt.Sprintf("calls of 1 KB, %d at once, upstream %s", callers, to), "CPU µs a call", "p99 ms",
				calls(callers, request(chatBody(model), "json")),
			})
		}
		all = append(all, scenario{
			fmt.Sprintf("%d streams, an event each 10 ms, upstream %s", streams, to), "CPU µs an event", "events/s",
			events,
		})
	}
	text := strings.Replace(chatBody(model), "All work", strings.Repeat("All work and no play. ", large/22), 1)
	return append(all,
		scenario{
			"calls of 10 MB, 1 at once, upstream plain", "CPU µs a call", "p99 ms",
			calls(1, request(text, "json")),
		},
		scenario{"idle streams, upstream plain", "KiB a stream", "RSS MiB", idleStreams},
		scenario{
			"calls that neuronward refuses, upstream plain", "CPU µs a call", "p99 ms",
			calls(16, request(chatBody("@cf/meta/a-model-that-may-not-be-called"), "json")),
		},
		scenario{"from the start to the first answer", "ms", "RSS MiB", start},
	)
}

func calls(callers int, request []byte) func(context.Context, *bench, *peer) (figure, error) {
	return func(ctx context.Context, b *bench, p *peer) (figure, error) {
		r, err := closedLoop(ctx, p, callers, request, b.time)
		return figure{micros(r.cpu) / float64(max(r.calls, 1)), micros(r.p99) / 1000}, err
	}
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
	c, err := dial(ctx, p.addr)
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

func start(_ context.Context, _ *bench, p *peer) (figure, error) {
	rss, err := p.rss()
	return figure{micros(p.began) / 1000, rss / (1 << 20)}, err
}
