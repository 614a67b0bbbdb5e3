package conns

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/neuronward/neuronward/normalize"
)

// Headers that are too large over HTTP/2 get the envelope, and the connection goes on.
func TestLargeHeadersOverHTTP2(t *testing.T) {
	lines := func(n, size int) http.Header {
		h := http.Header{}
		for i := range n {
			h.Set(fmt.Sprintf("x-%03d", i), strings.Repeat("a", size))
		}
		return h
	}
	const overhead = len("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") +
		len("Accept-Encoding: gzip\r\nUser-Agent: Go-http-client/2.0\r\n") + len("X-000: \r\n")
	synctest.Test(t, func(t *testing.T) {
		var reached, refused atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { reached.Add(1) }, true)
		defer s.close()
		s.listener.OnRefusal(func(f *normalize.Failure) {
			refused.Add(1)
			if f.Code != normalize.BadInput {
				t.Errorf("got told of %v, want %v", f.Code, normalize.BadInput)
			}
		})
		var dialed atomic.Int32
		transport := &http.Transport{
			Protocols: new(http.Protocols),
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				dialed.Add(1)
				return s.dial("h2"), nil
			},
		}
		transport.Protocols.SetHTTP2(true)
		defer transport.CloseIdleConnections()
		for _, c := range []struct {
			name   string
			path   string
			header http.Header
			status int
			says   string
		}{
			{"none", "/", nil, 200, ""},
			{"as many bytes as there may be", "/", lines(1, MaxHeader-overhead), 200, ""},
			{"one more", "/", lines(1, MaxHeader-overhead+1), 431, "larger than 16 KiB"},
			{"twice as many", "/", lines(20, MaxHeader/20*3/2), 431, "larger than 16 KiB"},
			{"a long path", "/" + strings.Repeat("a", MaxHeader), nil, 431, "larger than 16 KiB"},
			{"as many lines as there may be", "/", lines(maxLines-5, 1), 200, ""},
			{"one line more", "/", lines(maxLines-4, 1), 431, "more than 256 lines"},
			{"none again", "/", nil, 200, ""},
		} {
			before, told := reached.Load(), refused.Load()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.header != nil {
				r.Header = c.header
			}
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: got %v, want an answer", c.name, err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Errorf("%s: got %v, want a whole answer", c.name, err)
			}
			if res.StatusCode != c.status {
				t.Errorf("%s: got %d %.200s, want %d", c.name, res.StatusCode, body, c.status)
			}
			want := int32(0)
			if c.status != http.StatusOK {
				want = 1
				wantEnvelope(t, res, body, c.status, c.says)
			}
			if n := reached.Load() - before; n != 1-want {
				t.Errorf("%s: the handler got %d requests, want %d", c.name, n, 1-want)
			}
			if n := refused.Load() - told; n != want {
				t.Errorf("%s: got told of %d refusals, want %d", c.name, n, want)
			}
		}
		if n := dialed.Load(); n != 1 {
			t.Errorf("connections: got %d, want 1", n)
		}
	})
}

// What cannot be read in HTTP/1 is told as well.
func TestRefusalsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, false)
		defer s.close()
		var refused atomic.Int32
		s.listener.OnRefusal(func(*normalize.Failure) { refused.Add(1) })
		for _, send := range []string{"hello\r\n\r\n", preface, "GET / HTTP/1.1\r\n\r\n"} {
			conn := s.dial("")
			go func() { _, _ = io.WriteString(conn, send) }()
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Errorf("%q: got %v, want an answer", send, err)
			}
			conn.Close()
		}
		if n := refused.Load(); n != 3 {
			t.Errorf("got told of %d refusals, want 3", n)
		}
	})
}
