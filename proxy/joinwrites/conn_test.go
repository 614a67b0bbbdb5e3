package joinwrites

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a connection that keeps what is written to it.
type wire struct {
	net.Conn
	mu     sync.Mutex
	writes []string
	closed chan struct{}
	err    error         // of every write
	stuck  chan struct{} // a write lasts until it is closed, or the deadline is over; nil: none does
	until  time.Time
}

func newWire() *wire { return &wire{closed: make(chan struct{})} }

func (w *wire) Write(p []byte) (int, error) {
	if w.stuck != nil {
		w.mu.Lock()
		until := w.until
		w.mu.Unlock()
		var late <-chan time.Time
		if !until.IsZero() {
			late = time.After(time.Until(until))
		}
		select {
		case <-w.stuck:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		case <-w.closed:
			return 0, net.ErrClosed
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, string(p))
	return len(p), w.err
}

func (w *wire) Read([]byte) (int, error) {
	<-w.closed
	return 0, net.ErrClosed
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = t
	return nil
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.closed:
		return net.ErrClosed
	default:
		close(w.closed)
		return nil
	}
}

func (w *wire) joined() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.writes, "|")
}

const hello = "\x16hello"

func write(t *testing.T, c net.Conn, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", text, n, err)
		}
	}
}

func TestWritesAreJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.stuck = make(chan struct{})
		conn := newConn(w)
		write(t, conn, hello)
		synctest.Wait() // it is being written
		write(t, conn, "a", "b", "c", "d")
		close(w.stuck)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if got, want := w.joined(), hello+"|abcd"; got != want {
			t.Errorf("got the writes %q, want %q", got, want)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write after the end: got the error %v, want %v", err, net.ErrClosed)
		}
	})
}

// A wake-up for what was written already does not cost the memory of what will be.
func TestMemoryOfWritesIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := newConn(newWire())
		write(t, conn, hello, "a")
		synctest.Wait()
		for range 4 {
			conn.wake <- struct{}{}
			synctest.Wait()
			write(t, conn, "a")
			synctest.Wait()
		}
		if cap(conn.spare) == 0 || cap(conn.waiting) == 0 {
			t.Errorf("the connection keeps buffers of %d and %d bytes, want both", cap(conn.spare), cap(conn.waiting))
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWritesWithoutTLS(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"GET / HTTP/1.1", ""} {
		w := newWire()
		conn := newConn(w)
		write(t, conn, first, "a", "b")
		if got, want := w.joined(), first+"|a|b"; got != want {
			t.Errorf("got the writes %q, want %q", got, want)
		}
	}
}

// What is written behind a write that lasts waits for its end, up to maxWaiting: then whoever writes waits, too.
func TestWritesBehindASlowOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.stuck = make(chan struct{})
		conn := newConn(w)
		write(t, conn, hello)
		synctest.Wait()
		write(t, conn, string(make([]byte, maxWaiting)))
		var done bool
		go func() {
			_, _ = conn.Write([]byte("end"))
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("a write returned while maxWaiting bytes waited, want it to wait")
		}
		close(w.stuck)
		synctest.Wait()
		if !done {
			t.Error("a write waits although there is room")
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if got, want := len(strings.ReplaceAll(w.joined(), "|", "")), len(hello)+maxWaiting+len("end"); got != want {
			t.Errorf("got %d bytes, want %d", got, want)
		}
	})
}

func TestFailedWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.err = io.ErrShortWrite
		conn := newConn(w)
		write(t, conn, hello)
		if _, err := conn.Read(nil); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("Read: got the error %v, want that of the write", err)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("Write: got the error %v, want that of the first one", err)
		}
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close() = %v, want that it was closed", err)
		}
	})
}

// A peer that reads nothing does not keep a connection from being closed: not for longer than a second, and not at all
// where it is closed twice, as net/http does after a quarter of that.
func TestCloseWithAPeerThatReadsNothing(t *testing.T) {
	t.Parallel()
	for twice, want := range map[bool]time.Duration{false: closeWait, true: closeWait / 4} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			conn := newConn(w)
			write(t, conn, hello)
			synctest.Wait()
			w.stuck = make(chan struct{})
			began := time.Now()
			if twice {
				time.AfterFunc(closeWait/4, func() { _ = conn.Close() })
			}
			write(t, conn, "x")
			_ = conn.Close()
			if took := time.Since(began); took != want {
				t.Errorf("closed twice %v: took %v, want %v", twice, took, want)
			}
			synctest.Wait()
		})
	}
}

// Many calls at once over one connection of HTTP/2 are answered with what they sent.
func TestManyCallsOverHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	var mu sync.Mutex
	dialed := 0
	dial := Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		dialed++
		mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
	transport := &http.Transport{
		DialContext: dial, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		},
	}
	defer transport.CloseIdleConnections()
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, 1+i*i*97)
			for range 8 {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
				res, err := transport.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || !bytes.Equal(got, body) || res.ProtoMajor != 2 {
					t.Errorf("call %d over HTTP/%d: got %d bytes, %v; want %d over HTTP/2", i, res.ProtoMajor, len(got),
						err, len(body))
				}
			}
		})
	}
	group.Wait()
	if dialed > 32 {
		t.Errorf("dialed %d times, want connections to be used again", dialed)
	}
}
