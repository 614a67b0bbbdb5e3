package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// chatBody is a call of about a kilobyte.
func chatBody() string {
	return `{"model":"` + model + `","max_tokens":256,"messages":[{"role":"user","content":"` +
		strings.Repeat("All work and no play. ", 40) + `"}]}`
}

// vectorBody asks for an embedding.
func vectorBody() string {
	return `{"model":"` + embedder + `","input":["` + strings.Repeat("All work and no play. ", 40) + `"]}`
}

// streamBody asks for a stream.
func streamBody() string {
	return strings.Replace(chatBody(), `"max_tokens"`, `"stream":true,"max_tokens"`, 1)
}

// request is a call as it is written. shape says what the upstream answers.
func request(body, shape string) []byte {
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\n"+
		"Host: 127.0.0.1:3036\r\nAccept: application/json\r\n"+
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nX-Shape: %s\r\n"+
		"Authorization: Bearer nothing-to-see-here\r\nContent-Length: %d\r\n\r\n%s", shape, len(body), body)
}

// A caller makes calls on one connection and takes no memory for one.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func dial(ctx context.Context, p *peer) (*caller, error) {
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	if p.tls != nil {
		conn = tls.Client(conn, p.tls)
	}
	return &caller{conn, bufio.NewReaderSize(conn, 16<<10)}, conn.SetDeadline(time.Now().Add(10 * time.Minute))
}

// call makes one call and reads its answer to the end.
func (c *caller) call(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, length, err := readHead(c.in)
	if err != nil {
		return err
	}
	if err := skipBody(c.in, length); err != nil {
		return err
	}
	if status >= 500 || status == 0 {
		return fmt.Errorf("got the status %d", status)
	}
	return nil
}

// readHead reads the head of a message: the status, of an answer, and the length of the body, -1 where that is chunked.
func readHead(in *bufio.Reader) (status, length int, err error) {
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, 0, err
		case len(line) == 2:
			return status, length, nil
		case bytes.HasPrefix(line, []byte("HTTP/1.1 ")):
			status = number(line[9:12])
		case hasName(line, "content-length:"):
			length = number(bytes.TrimSpace(line[len("content-length:"):]))
		case hasName(line, "transfer-encoding:"):
			length = -1
		}
	}
}

func hasName(line []byte, name string) bool {
	return len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name))
}

func number(digits []byte) (n int) {
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}

func skipBody(in *bufio.Reader, length int) error {
	if length >= 0 {
		_, err := io.CopyN(io.Discard, in, int64(length))
		return err
	}
	for {
		n, err := readChunk(in)
		if n == 0 || err != nil {
			return err
		}
	}
}

// readChunk reads one chunk of a body; the last one has no bytes.
func readChunk(in *bufio.Reader) (n int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	for _, d := range bytes.ToLower(bytes.TrimSpace(line)) {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), d)
		if digit < 0 {
			return 0, errors.New("a chunk without a length")
		}
		n = 16*n + digit
	}
	_, err = in.Discard(n + 2)
	return n, err
}

// A result is what a load came to.
type result struct {
	calls    int
	cpu      time.Duration // of the peer
	took     time.Duration
	p50, p99 time.Duration
}

// of takes the times of all calls into a result.
func (r *result) of(times []time.Duration) error {
	if len(times) == 0 {
		return errors.New("no call was made")
	}
	slices.Sort(times)
	r.calls, r.p50, r.p99 = len(times), times[len(times)/2], times[len(times)*99/100]
	return nil
}

// warmUp is how many calls each caller makes before anything is measured, unless they take too long.
const (
	warmUp     = 50
	maxWarming = time.Second
)

// closedLoop has so many callers each make its next call as soon as it has the answer of the last one.
func closedLoop(ctx context.Context, p *peer, callers int, request []byte, d time.Duration) (result, error) {
	return load(ctx, p, callers, request, func(c *caller, _ int, began time.Time) (times []time.Duration, err error) {
		for at := began; at.Sub(began) < d; {
			if err := c.call(request); err != nil {
				return nil, err
			}
			now := time.Now()
			times, at = append(times, now.Sub(at)), now
		}
		return times, nil
	})
}

// openLoop has so many callers make calls at a fixed rate, of all together. The time of a call that begins late, since
// the one before it took long, counts from when it should have begun.
func openLoop(
	ctx context.Context, p *peer, callers, rate int, request []byte, d time.Duration,
) (result, error) {
	pause := time.Second * time.Duration(callers) / time.Duration(rate)
	return load(ctx, p, callers, request, func(c *caller, i int, began time.Time) (times []time.Duration, err error) {
		due := began.Add(pause * time.Duration(i) / time.Duration(callers))
		for end := began.Add(d); due.Before(end) || len(times) == 0; due = due.Add(pause) {
			from := due
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
				from = time.Now() // it is no fault of the proxy's to wake late
			}
			if err := c.call(request); err != nil {
				return nil, err
			}
			times = append(times, time.Since(from))
		}
		return times, nil
	})
}

// load connects callers, has each make some calls, and measures a loop of all of them. A loop is given its number and
// returns the times of its calls.
func load(
	ctx context.Context, p *peer, callers int, request []byte,
	loop func(c *caller, i int, began time.Time) ([]time.Duration, error),
) (r result, err error) {
	var (
		mu    sync.Mutex
		times []time.Duration
		group sync.WaitGroup
		began time.Time
	)
	warm, begin := make(chan struct{}, callers), make(chan struct{})
	for i := range callers {
		group.Go(func() {
			c, e := dial(ctx, p)
			for calls, from := 0, time.Now(); e == nil && calls < warmUp && time.Since(from) < maxWarming; calls++ {
				e = c.call(request)
			}
			warm <- struct{}{}
			<-begin
			var own []time.Duration
			if e == nil {
				own, e = loop(c, i, began)
			}
			if c != nil {
				c.Close() //nolint:errcheck // its calls have ended
			}
			mu.Lock()
			defer mu.Unlock()
			times, err = append(times, own...), errors.Join(err, e)
		})
	}
	for range callers {
		<-warm
	}
	before, e := p.cpu()
	began = time.Now()
	close(begin)
	group.Wait()
	after, e2 := p.cpu()
	r = result{cpu: after - before, took: time.Since(began)}
	return r, errors.Join(err, e, e2, r.of(times))
}

func errIf(is bool, text string) error {
	if is {
		return errors.New(text)
	}
	return nil
}
