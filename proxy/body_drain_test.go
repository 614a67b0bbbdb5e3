package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// oneConn is a listener that has one connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A body that nobody reads, and that does not come, holds neither the answer nor
// the connection for longer than was promised.
func TestUnsentBodiesAreNotWaitedFor(t *testing.T) {
	const (
		model       = "/run/" + testModel
		uploadPause = 30 * time.Second
	)
	for _, c := range []struct {
		name, send string
		status     int
		answered   time.Duration
		closed     time.Duration // after that
	}{
		{
			name: "refused", send: "POST /elsewhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
			status: 404, answered: maxDrain, closed: time.Second,
		},
		{
			name: "too large", send: "POST " + model +
				" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n{",
			status: 413, answered: 0, closed: time.Second,
		},
		{
			name: "refused before it was asked for", send: "POST /elsewhere HTTP/1.1\r\nHost: localhost\r\nExpect: " +
				"100-continue\r\nContent-Length: 100\r\n\r\n",
			status: 404, answered: 0, closed: maxDrain + time.Second,
		},
		{
			name: "of a call that needs none", send: "GET /ai/models/search HTTP/1.1\r\nHost: localhost\r\n" +
				"Content-Length: 100\r\n\r\n{",
			status: 400, answered: uploadPause + maxDrain, closed: time.Second,
		},
		{
			name: "of a call that needs none, too long", send: "GET /ai/models/search HTTP/1.1\r\nHost: " +
				"localhost\r\nContent-Length: 1048577\r\n\r\n{",
			status: 413, answered: 0, closed: time.Second,
		},
		{
			name: "needed", send: "POST " + model + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
			status: 400, answered: uploadPause + maxDrain, closed: time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.UploadPause = uploadPause
				config.Transport = inMemory{answerJSON(200, chatAnswer)}
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				here, there := net.Pipe()
				ln := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
				ln.conn <- there
				server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(ln) }()
				defer func() {
					here.Close()
					server.Close()
					if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
						t.Errorf("Serve() = %v, want %v", err, http.ErrServerClosed)
					}
				}()
				began := time.Now()
				if err := here.SetDeadline(began.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				go io.WriteString(here, c.send)
				in := bufio.NewReader(here)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Error(err)
				}
				answered := time.Since(began)
				if res.StatusCode != c.status || answered > c.answered {
					t.Errorf("%d after %v, want %d within %v", res.StatusCode, answered, c.status, c.answered)
				}
				_, err = in.ReadByte()
				if after := time.Since(began) - answered; err != io.EOF || after > c.closed {
					t.Errorf("%v after another %v, want the end within %v", err, after, c.closed)
				}
			})
		})
	}
}
