package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	soakCallers = 64
	soakPause   = 200 * time.Millisecond // of a caller, on average
	soakReports = 12                     // how often the memory is told
	soakSlack   = 16 << 20               // bytes that a small heap grows by between two collections
)

// soakShapes are what callers of a soak ask for: answers, streams to their end and to where the caller leaves, and
// failures of upstream.
var soakShapes = []string{"json", "json", "vector", "brief", "brief", "fail", "cut", "torn", "events"}

// soak holds callers against neuronward who also leave before the end, and an upstream that fails in several ways. It
// tells how much memory the process has, and fails where that grows from the second quarter of the time to the last.
// Upstream speaks TLS and HTTP/2 where -run says TLS.
func (b *bench) soak(ctx context.Context, d, pause time.Duration) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.end()
	p, err := b.start(ctx, kind{ours, neuronward}, &scenario{name: b.only, cores: 2})
	if err != nil {
		return err
	}
	defer p.stop()
	var (
		group sync.WaitGroup
		calls atomic.Int64
		ended = make(chan struct{})
		wrong = make(chan error, soakCallers)
	)
	for i := range soakCallers {
		random := rand.New(rand.NewPCG(uint64(i), 0)) //nolint:gosec // the same calls each time
		group.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(time.Duration(random.Int64N(int64(2 * pause)))):
				}
				if err := soakCall(ctx, p, random); err != nil {
					wrong <- err
					return
				}
				calls.Add(1)
			}
		})
	}
	second, last := 0.0, 0.0
	for i := 1; i <= soakReports && err == nil; i++ {
		select {
		case err = <-wrong:
		case <-p.ended:
			err = fmt.Errorf("neuronward ended: %s", p.said())
		case <-time.After(d / soakReports):
		}
		rss, e := p.rss()
		err = errors.Join(err, e)
		fmt.Fprintf(b.out, "after %v: %d calls, RSS %.1f MiB\n", d*time.Duration(i)/soakReports, calls.Load(),
			rss/(1<<20))
		switch {
		case i > soakReports*3/4:
			last = max(last, rss)
		case i > soakReports/4 && i <= soakReports/2:
			second = max(second, rss)
		}
	}
	close(ended)
	group.Wait()
	if err == nil && last > 1.25*second+soakSlack {
		err = fmt.Errorf("the memory grows: %.1f MiB in the second quarter, %.1f MiB in the last", second/(1<<20),
			last/(1<<20))
	}
	return err
}

// soakCall makes one call on a connection of its own. What upstream does wrong is no error here, nor is a connection
// that is cut: that is how a stream fails.
func soakCall(ctx context.Context, p *peer, random *rand.Rand) error {
	shape := soakShapes[random.IntN(len(soakShapes))]
	body := chatBody()
	switch shape {
	case "vector":
		body = vectorBody()
	case "brief", "torn", "events":
		body = streamBody()
	}
	c, err := dial(ctx, p)
	if err != nil {
		return fmt.Errorf("neuronward takes no connection: %w", err)
	}
	defer c.Close()
	if shape == "events" { // it has no end: the caller leaves
		leave := time.AfterFunc(time.Duration(random.Int64N(int64(100*time.Millisecond))), func() { _ = c.Close() })
		defer leave.Stop()
	}
	err = c.call(request(body, shape))
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return err
	}
	return nil
}
