package joinwrites

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// held is a body in memory.
type held struct {
	io.Reader
	unsent bool
}

func (h *held) Unsent()      { h.unsent = true }
func (h *held) Close() error { return nil }

// The headers of a request go out with the first part of a body that is there, and alone where it is not, or where none
// follows at once.
func TestHeadersWithTheBody(t *testing.T) {
	t.Parallel()
	const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
	ready := func() io.Reader {
		return &held{Reader: io.MultiReader(strings.NewReader("ab"), strings.NewReader("c"))}
	}
	for _, c := range []struct {
		name, head string
		body       io.Reader
		want       string
	}{
		{"ready", post, ready(), post + "abc"},
		{"not ready", post, strings.NewReader("abc"), post + "|abc"},
		{"asked for", "POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", nil, ""},
		{"empty", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", nil, ""},
		{"none", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil, ""},
		{"in chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", nil, ""},
		{"no headers", "ab\r\nContent-Length: 3\r\n\r\n", nil, ""},
		{"more than headers", post + "\r\n\r\n", nil, ""},
	} {
		w := newWire()
		conn := newConn(w)
		write(t, conn, c.head)
		if c.body == nil {
			if got := w.joined(); got != c.head {
				t.Errorf("%s: got the writes %q, want %q", c.name, got, c.head)
			}
			continue
		}
		if got := w.joined(); got != "" {
			t.Errorf("%s: got the writes %q before the body, want none", c.name, got)
		}
		if n, err := conn.ReadFrom(io.LimitReader(c.body, 3)); n != 3 || err != nil {
			t.Errorf("%s: ReadFrom() = %d, %v, want 3, no error", c.name, n, err)
		}
		if got := w.joined(); got != c.want {
			t.Errorf("%s: got the writes %q, want %q", c.name, got, c.want)
		}
	}

	w := newWire()
	conn := newConn(w)
	write(t, conn, post, "abc")
	if got, want := w.joined(), post+"|abc"; got != want {
		t.Errorf("headers before another write: got the writes %q, want %q", got, want)
	}
}

func TestBodyWithAnError(t *testing.T) {
	t.Parallel()
	w := newWire()
	conn := newConn(w)
	write(t, conn, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
	errBroken := errors.New("broken")
	body := io.MultiReader(strings.NewReader("a"), errReader{errBroken})
	if n, err := conn.ReadFrom(&held{Reader: body}); n != 1 || !errors.Is(err, errBroken) {
		t.Errorf("ReadFrom() = %d, %v, want 1, %v", n, err, errBroken)
	}
}

// A write that fails after a part of it may have reached upstream.
func TestRequestThatWasWrittenInPart(t *testing.T) {
	t.Parallel()
	w := newWire()
	w.err = syscall.ECONNRESET
	conn := newConn(w)
	write(t, conn, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
	body := &held{Reader: strings.NewReader("abc")}
	if _, err := conn.ReadFrom(body); !errors.Is(err, syscall.ECONNRESET) || body.unsent {
		t.Errorf("ReadFrom() = %v, unsent %v, want %v, false", err, body.unsent, w.err)
	}
}

type errReader struct{ error }

func (r errReader) Read([]byte) (int, error) { return 0, r.error }

// echo answers what it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = w.Write(body)
})

// A large body is whole, whatever it comes in.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(echo)
	defer server.Close()
	transport := &http.Transport{DialContext: new(net.Dialer).DialContext}
	Install(transport)
	defer transport.CloseIdleConnections()
	for _, size := range []int{1, maxWaiting - 200, maxWaiting, maxWaiting + 1, 5*maxWaiting + 7} {
		text := strings.Repeat("0123456789abcdef-", size/17+1)[:size]
		for name, body := range map[string]io.ReadCloser{
			"ready":     &held{Reader: strings.NewReader(text)},
			"not ready": io.NopCloser(io.MultiReader(strings.NewReader(text))),
		} {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
			r.ContentLength = int64(size)
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, name, err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if string(got) != text || err != nil {
				t.Errorf("%d bytes, %s: got %d bytes, %v, want all", size, name, len(got), err)
			}
		}
	}
}

// A request of which nothing could be written on a connection that was idle is sent on another one. Where it is the
// first one on a new connection, it fails, and nothing of it counts as sent.
func TestRequestOnABrokenConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(echo)
	defer server.Close()
	var broken []*atomic.Bool
	breakNext := false
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			is := new(atomic.Bool)
			is.Store(breakNext)
			broken = append(broken, is)
			return resetConn{c, is}, err
		},
	}
	Install(transport)
	defer transport.CloseIdleConnections()
	send := func() (*held, string, error) {
		body := &held{Reader: strings.NewReader("abc")}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		r.ContentLength = 3
		r.GetBody = func() (io.ReadCloser, error) { return &held{Reader: strings.NewReader("abc")}, nil }
		res, err := transport.RoundTrip(r)
		if err != nil {
			return body, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return body, string(text), err
	}

	for i := range 2 {
		if _, got, err := send(); got != "abc" || err != nil {
			t.Fatalf("call %d: got %q, %v, want abc", i, got, err)
		}
	}
	broken[0].Store(true)
	if body, got, err := send(); got != "abc" || err != nil || !body.unsent {
		t.Errorf("on a broken connection: got %q, %v, unsent %v, want abc and true", got, err, body.unsent)
	}
	if len(broken) != 2 {
		t.Errorf("got %d connections, want 2", len(broken))
	}
	broken[1].Store(true)
	breakNext = true
	body, got, err := send()
	if !errors.Is(err, syscall.ECONNRESET) || !body.unsent {
		t.Errorf("on a new one that is broken: got %q, %v, unsent %v, want ECONNRESET and true", got, err, body.unsent)
	}
}
