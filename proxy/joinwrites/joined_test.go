package joinwrites

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
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
	stuck  chan struct{} // a write lasts until it is closed, or the connection is; nil: none does
	unread chan struct{} // closed: the deadline of reads is over
}

func newWire() *wire { return &wire{closed: make(chan struct{}), unread: make(chan struct{})} }

func (w *wire) Write(p []byte) (int, error) {
	if w.stuck != nil {
		select {
		case <-w.stuck:
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

// join returns a connection that joins its writes to c.
func join(c net.Conn) *joined {
	below := newConn(c)
	return newJoined(below, below)
}

// newStuck returns a connection whose first write lasts until w.stuck is closed. It is for a bubble.
func newStuck(t *testing.T) (w *wire, c *joined) {
	t.Helper()
	w = newWire()
	w.stuck = make(chan struct{})
	c = join(w)
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
		conn := join(newWire())
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
		conn := join(w)
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
	conn := join(raw)
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

// A peer that reads nothing does not keep a connection from being closed: not for longer than closeWait, and not at all
// once it is closed again.
func TestCloseWithAPeerThatReadsNothing(t *testing.T) {
	t.Parallel()
	for twice, want := range map[bool]time.Duration{false: closeWait, true: closeWait / 4} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			conn := join(w)
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

// Many calls at once over one connection of HTTP/2 are answered with what they sent, and know that it speaks TLS.
func TestManyCallsOverHTTP2(t *testing.T) {
	t.Parallel()
	server, config := serveTLS(t, true)
	var dialed, joins atomic.Int64
	transport := &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	Install(transport)
	defer transport.CloseIdleConnections()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if _, ok := i.Conn.(*joined); ok {
			joins.Add(1)
		}
	}})
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, 1+i*i*97)
			for range 8 {
				r, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(body))
				res, err := transport.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || !bytes.Equal(got, body) || res.ProtoMajor != 2 ||
					res.TLS == nil || res.TLS.NegotiatedProtocol != "h2" {
					t.Errorf("call %d over HTTP/%d and TLS %v: got %d bytes, %v; want %d over HTTP/2 and TLS", i,
						res.ProtoMajor, res.TLS != nil, len(got), err, len(body))
				}
			}
		})
	}
	group.Wait()
	if dialed.Load() > 32 || joins.Load() < 7*32 {
		t.Errorf("dialed %d times, %d calls join their writes; want connections to be used again, and joined writes",
			dialed.Load(), joins.Load())
	}
}

// All records of TLS that a text makes are one write, also of one that is longer than a block.
func TestRecordsOfOneWrite(t *testing.T) {
	t.Parallel()
	server, config := serveTLS(t, true)
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &intercepted{Conn: raw}
	below := newConn(w)
	config.ServerName = "example.com"
	over := tls.Client(below, config)
	if err := over.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.written = make(chan int)
	c := newJoined(over, below)
	for _, size := range []int{oneRecord, oneRecord + 1, maxWaiting, 2 * blockSize} {
		write(t, c, strings.Repeat("x", size))
		if got := <-w.written; got < size {
			t.Errorf("a text of %d bytes: got a write of %d bytes, want all of it and what TLS adds", size, got)
		}
	}
	w.written = nil
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// intercepted tells of writes instead of making them, once written is set.
type intercepted struct {
	net.Conn
	written chan int // bytes of each
}

func (c *intercepted) Write(p []byte) (int, error) {
	if c.written == nil {
		return c.Conn.Write(p)
	}
	c.written <- len(p)
	return len(p), nil
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
