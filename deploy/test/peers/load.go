package main

import (
	"bufio"
	"bytes"
	"context"
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
func chatBody(model string) string {
	return `{"model":"` + model + `","max_tokens":256,"messages":[{"role":"user","content":"` +
		strings.Repeat("All work and no play. ", 40) + `"}]}`
}

// streamBody asks for a stream.
func streamBody() string {
	return strings.Replace(chatBody(model), `"max_tokens"`, `"stream":true,"max_tokens"`, 1)
}

// request is a call as it is written. shape says what the upstream answers.
func request(body, shape string) []byte {
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:3036\r\nAccept: application/json\r\n"+
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nX-Shape: %s\r\n"+
		"Authorization: Bearer nothing-to-see-here\r\nContent-Length: %d\r\n\r\n%s", shape, len(body), body)
}

// A caller makes calls on one connection and takes no memory for one.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func dial(ctx context.Context, addr string) (*caller, error) {
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
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
	if status >= 500 {
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
	calls int
	cpu   time.Duration // of the peer
	took  time.Duration
	p99   time.Duration
}

// warmUp is how many calls each caller makes before anything is measured.
const warmUp = 50

// closedLoop has so many callers each make its next call as soon as it has the answer of the last one.
func closedLoop(ctx context.Context, p *peer, callers int, request []byte, d time.Duration) (r result, err error) {
	var (
		mu    sync.Mutex
		times []time.Duration
		group sync.WaitGroup
	)
	fail := func(e error) {
		mu.Lock()
		defer mu.Unlock()
		err = errors.Join(err, e)
	}
	warm, begin := make(chan struct{}, callers), make(chan struct{})
	var end time.Time
	for range callers {
		group.Go(func() {
			c, e := dial(ctx, p.addr)
			for range warmUp {
				if e == nil {
					e = c.call(request)
				}
			}
			warm <- struct{}{}
			<-begin
			if e != nil {
				fail(e)
				return
			}
			defer c.Close()
			var own []time.Duration
			for at := time.Now(); at.Before(end); {
				if e := c.call(request); e != nil {
					fail(e)
					return
				}
				now := time.Now()
				own, at = append(own, now.Sub(at)), now
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
		})
	}
	for range callers {
		<-warm
	}
	before, e := p.cpu()
	began := time.Now()
	end = began.Add(d)
	close(begin)
	group.Wait()
	after, e2 := p.cpu()
	if err = errors.Join(err, e, e2); err != nil || len(times) == 0 {
		return r, errors.Join(err, errIf(len(times) == 0, "no call was made"))
	}
	slices.Sort(times)
	return result{len(times), after - before, time.Since(began), times[len(times)*99/100]}, nil
}

func errIf(is bool, text string) error {
	if is {
		return errors.New(text)
	}
	return nil
}
