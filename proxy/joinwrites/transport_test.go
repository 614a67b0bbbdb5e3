package joinwrites

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// resetConn is a connection whose writes fail once its peer has reset it, of which a read does not hear.
type resetConn struct {
	net.Conn
	reset *atomic.Bool
}

func (c resetConn) Write(p []byte) (int, error) {
	if c.reset.Load() {
		return 0, syscall.ECONNRESET
	}
	return c.Conn.Write(p)
}

// serveTLS answers calls with their own bodies, over HTTP/2 or HTTP/1.1.
func serveTLS(t *testing.T, http2 bool) (*httptest.Server, *tls.Config) {
	t.Helper()
	server := httptest.NewUnstartedServer(echo)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

// An idle connection of HTTP/1.1 that the peer has reset takes nothing: net/http makes the call on another one.
func TestCallOnAConnectionThatWasReset(t *testing.T) {
	t.Parallel()
	const text = "hello"
	server, config := serveTLS(t, false)
	var reset []*atomic.Bool
	transport := &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			reset = append(reset, new(atomic.Bool))
			return resetConn{c, reset[len(reset)-1]}, err
		},
	}
	Install(transport)
	t.Cleanup(transport.CloseIdleConnections)
	call := func() {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatalf("with %d connections: %v", len(reset), err)
		}
		defer res.Body.Close()
		if got, err := io.ReadAll(res.Body); string(got) != text || err != nil || res.ProtoMajor != 1 {
			t.Errorf("over HTTP/%d: got %q, %v; want %q over HTTP/1", res.ProtoMajor, got, err, text)
		}
	}
	call()
	reset[0].Store(true)
	call()
	if len(reset) != 2 {
		t.Errorf("dialed %d times, want 2", len(reset))
	}
}
