package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A stream that failed is kept for half a second and what a slow reader of its events needs besides, so that an app
// that has not read all of it still can; a caller who
// has closed the connection, and whoever shuts the proxy down, need not wait for it. A Responses stream ends in order.
func TestLingersBeforeTheCut(t *testing.T) {
	for _, test := range []struct {
		name, path string
		after      func(p *Proxy, caller net.Conn) // the terminal event has come
		events     int
		want       time.Duration // from then on to the end of the handler
		wantEnd    error         // of the caller's body
	}{
		{"the caller waits", chatPath, func(*Proxy, net.Conn) {}, 1, 600 * time.Millisecond, io.ErrUnexpectedEOF},
		{"much may be unread", chatPath, func(*Proxy, net.Conn) {}, 39, 2500 * time.Millisecond, io.ErrUnexpectedEOF},
		{"no more than 10 s", chatPath, func(*Proxy, net.Conn) {}, 1000, 10 * time.Second, io.ErrUnexpectedEOF},
		{
			"the caller leaves", chatPath,
			func(_ *Proxy, caller net.Conn) {
				time.Sleep(100 * time.Millisecond)
				_ = caller.Close()
			},
			1, 100 * time.Millisecond, io.ErrClosedPipe,
		},
		{"the proxy shuts down", chatPath, func(p *Proxy, _ net.Conn) { p.Drain() }, 1, 0, io.ErrUnexpectedEOF},
		{"a Responses stream", "/v1/responses", func(*Proxy, net.Conn) {}, 1, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.Linger = 0
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, strings.Repeat(firstChunk, test.events))
					panic(http.ErrAbortHandler)
				})}
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				served := make(chan time.Time, 1)
				dial, end := serveHandler(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { served <- time.Now() }()
					p.ServeHTTP(w, r)
				}))
				defer end()
				conn := dial()
				defer conn.Close()
				if _, err := io.WriteString(conn, postHead(test.path, len(streamChat))+streamChat); err != nil {
					t.Fatal(err)
				}
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				var answer strings.Builder
				part := make([]byte, 4096)
				for !strings.Contains(answer.String(), "stream_interrupted") && err == nil {
					var n int
					n, err = res.Body.Read(part)
					answer.Write(part[:n])
				}
				told := time.Now()
				synctest.Wait()
				if test.wantEnd != nil {
					if got := p.Load().InFlight; got != 0 {
						t.Errorf("calls in flight while it lingers: got %d, want 0", got)
					}
				}
				test.after(p, conn)
				if _, err = io.Copy(io.Discard, res.Body); err != test.wantEnd { //nolint:errorlint // as io has it
					t.Errorf("the end: got %v, want %v", err, test.wantEnd)
				}
				if got := (<-served).Sub(told); got != test.want {
					t.Errorf("the end came after %v, want %v", got, test.want)
				}
			})
		})
	}
}
