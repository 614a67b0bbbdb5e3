package joinwrites

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
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
	unread chan struct{} // closed: the deadline of reads is over
}

func newWire() *wire { return &wire{closed: make(chan struct{}), unread: make(chan struct{})} }

func (w *wire) Write(p []byte) (int, error) {
	if w.stuck != nil {
		w.mu.Lock()
		until := w.until
		w.mu.Unlock()
		var late <-chan time.Time
		if !until.IsZero() {
			late = time.After(time.Until(until))
		}
		if late != nil && !until.After(time.Now()) {
			return 0, os.ErrDeadlineExceeded
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
	select {
	case <-w.closed:
		return 0, net.ErrClosed
	case <-w.unread:
		return 0, os.ErrDeadlineExceeded
	}
}

func (w *wire) SetReadDeadline(t time.Time) error {
	time.AfterFunc(time.Until(t), func() { close(w.unread) })
	return nil
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

// newJoined returns a connection that joins its writes.
func newJoined(c net.Conn) *conn {
	joined := newConn(c)
	joined.join()
	return joined
}

// newStuck returns a connection whose first write lasts until w.stuck is closed. It is for a bubble.
func newStuck(t *testing.T) (w *wire, c *conn) {
	t.Helper()
	w = newWire()
	w.stuck = make(chan struct{})
	c = newJoined(w)
	write(t, c, hello)
	synctest.Wait() // it is being written
	return w, c
}

const hello = "hello"

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
		w, conn := newStuck(t)
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
		conn := newJoined(newWire())
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

func TestWritesThatAreNotJoined(t *testing.T) {
	t.Parallel()
	w := newWire()
	conn := newConn(w)
	write(t, conn, "a", "b")
	if got, want := w.joined(), "a|b"; got != want {
		t.Errorf("got the writes %q, want %q", got, want)
	}
	if err := conn.SetWriteDeadline(time.Now()); err != nil || w.until.IsZero() {
		t.Errorf("SetWriteDeadline() = %v, and the deadline is %v, want it passed on", err, w.until)
	}
}

// What is written behind a write that lasts waits for its end, up to maxWaiting: then whoever writes waits, too.
func TestWritesBehindASlowOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, conn := newStuck(t)
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
		w.stuck <- struct{}{} // the first write ends, and the one of what waited begins
		synctest.Wait()
		if !done {
			t.Error("a write waits although there is room")
		}
		close(w.stuck)
		synctest.Wait()
		if kept := max(cap(conn.spare), cap(conn.waiting)); kept > maxKept {
			t.Errorf("the connection keeps a buffer of %d bytes, want %d at most", kept, maxKept)
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
		conn := newJoined(w)
		write(t, conn, hello)
		if _, err := conn.Read(nil); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("Read: got the error %v, want that of the write", err)
		}
		if _, err := conn.Write([]byte("x")); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("Write: got the error %v, want that of the first one", err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What the peer has sent before it closed the connection is read, also when a write has failed by then: a call that the
// peer refused before it had all of it has an answer.
func TestAnswerBeforeAFailedWrite(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := newJoined(raw)
	defer conn.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	write(t, peer, "answer")
	peer.Close()
	for err == nil {
		_, err = conn.Write([]byte(hello))
	}
	got := make([]byte, 100)
	if n, err := conn.Read(got); string(got[:n]) != "answer" || err != nil {
		t.Errorf("Read: got %q and error %v, want what the peer has sent", got[:n], err)
	}
	if n, err := conn.Read(got); n > 0 || err == nil {
		t.Errorf("Read: got %q and error %v, want that of the write", got[:n], err)
	}
}

// Close of crypto/tls ends with a deadline of now: what was written before it goes out, what comes behind it fails.
func TestDeadlineBehindTheLastWrite(t *testing.T) {
	t.Parallel()
	late, text := os.ErrDeadlineExceeded, string(make([]byte, maxWaiting))
	for name, set := range map[string]func(*conn) error{
		"SetWriteDeadline": func(c *conn) error { return c.SetWriteDeadline(time.Now()) },
		"SetDeadline":      func(c *conn) error { return c.SetDeadline(time.Now()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			w, conn := newStuck(t)
			write(t, conn, text)
			var err error
			go func() { _, err = conn.Write([]byte("x")) }()
			synctest.Wait()
			if err := set(conn); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if !errors.Is(err, late) {
				t.Errorf("%s: a write that waited for room: got the error %v, want %v", name, err, late)
			}
			close(w.stuck)
			synctest.Wait()
			if _, err := conn.Write([]byte("x")); !errors.Is(err, late) {
				t.Errorf("%s: a write behind it: got the error %v, want %v", name, err, late)
			}
			if err := conn.SetWriteDeadline(time.Time{}); err != nil {
				t.Error(err)
			}
			write(t, conn, "y")
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if got, want := strings.ReplaceAll(w.joined(), "|", ""), hello+text+"y"; got != want {
				t.Errorf("%s: got %d bytes, want all %d", name, len(got), len(want))
			}
		})
	}
}

// A write that waits for room is ended by Close, which waits for nothing then.
func TestCloseEndsAWriteThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, conn := newStuck(t)
		write(t, conn, string(make([]byte, maxWaiting)))
		var err error
		go func() { _, err = conn.Write([]byte("x")) }()
		synctest.Wait()
		began := time.Now()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if took := time.Since(began); took != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("took %v, and the write has the error %v; want nothing and %v", took, err, net.ErrClosed)
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
			conn := newJoined(w)
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
	server, config := serveTLS(t, true)
	var mu sync.Mutex
	dialed, joined := 0, 0
	transport := &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true, DialContext: new(net.Dialer).DialContext,
	}
	Install(transport)
	dial, speak := transport.DialContext, transport.TLSNextProto["h2"]
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		dialed++
		mu.Unlock()
		return dial(ctx, network, addr)
	}
	transport.TLSNextProto["h2"] = func(authority string, over *tls.Conn) http.RoundTripper {
		defer func() {
			if c, ok := over.NetConn().(*conn); ok && c.joins {
				mu.Lock()
				joined++
				mu.Unlock()
			}
		}()
		return speak(authority, over)
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
	if dialed > 32 || joined == 0 {
		t.Errorf("dialed %d times, %d join their writes; want connections to be used again, and joined writes", dialed,
			joined)
	}
}

// More waits in a block, which the connection gives back, rather than in memory that grows.
func TestLargeWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, conn := newStuck(t)
		record := strings.Repeat("r", 16<<10)
		write(t, conn, record, record, record)
		if got := cap(conn.waiting); got != blockSize {
			t.Errorf("got memory of %d bytes for what waits, want %d", got, blockSize)
		}
		close(w.stuck)
		synctest.Wait()
		if got, want := w.joined(), hello+"|"+record+record+record; got != want {
			t.Errorf("got writes of %d bytes, want %d", len(got), len(want))
		}
		if a, b := cap(conn.waiting), cap(conn.spare); a > maxKept || b > maxKept {
			t.Errorf("the connection keeps buffers of %d and %d bytes, want %d at most", a, b, maxKept)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}
