package conns

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// A served is a server on a Listener of pipes, in a bubble.
type served struct {
	t        *testing.T
	pipes    *pipeListener
	server   *http.Server
	listener *Listener
	log      logBuffer
	ended    chan struct{}
}

func serve(t *testing.T, h http.HandlerFunc, secure bool) *served {
	t.Helper()
	s := &served{t: t, pipes: newPipeListener(), ended: make(chan struct{})}
	s.server = NewServer(h, s.log.logger())
	if secure {
		pair := certtest.New(t, 1, time.Now())
		cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		s.server.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12,
		}
	}
	s.server.Protocols = new(http.Protocols)
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetHTTP2(secure)
	s.listener = Limit(s.pipes, 100, s.log.logger())
	go func() {
		defer close(s.ended)
		if err := Serve(s.server, s.listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve() = %v, want %v", err, http.ErrServerClosed)
		}
	}()
	return s
}

func (s *served) close() {
	s.server.Close()
	<-s.ended
	time.Sleep(time.Second) // net/http may still wait for a caller to read
}

// dial returns a connection, over TLS if a protocol of it is named.
func (s *served) dial(protocol string) net.Conn {
	s.t.Helper()
	conn := s.pipes.dial("127.0.0.1")
	if protocol == "" {
		return conn
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err := secure.Handshake(); err != nil {
		s.t.Fatal(err)
	}
	return secure
}

func ok(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }

// frame is one frame of HTTP/2; 1 is HEADERS, 4 SETTINGS, 9 CONTINUATION.
func frame(kind, flags byte, stream uint32, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// A GET of / for localhost, by the static table of RFC 7541.
const getRoot = "\x82\x84\x86\x41\x09localhost"

// A connection whose first request is not there in time is closed, whatever else comes on it.
func TestFirstRequestHasALimit(t *testing.T) {
	const h2, h1 = "h2", "http/1.1"
	begin := preface + frame(4, 0, 0, "")
	for _, c := range []struct {
		name, protocol string
		send, repeated string // at first, and every second
		handshake      bool
		after          time.Duration
		status         int // of the answer in HTTP/1; 0: none
	}{
		{name: "HTTP/1, silent", after: firstRequest},
		{name: "HTTP/1, half a header", send: "GET / HTTP/1.1\r\nHost: a\r\nX: ", repeated: "a", after: firstRequest},
		{name: "HTTP/1, header after header", send: "GET / HTTP/1.1\r\n", repeated: "X: a\r\n", after: firstRequest},
		{name: "HTTP/1, half a request line", send: "GET /", repeated: "a", after: firstRequest, status: 408},
		{name: "no handshake", handshake: true, after: firstRequest},
		{
			name: "half a handshake", handshake: true, send: "\x16\x03\x01\x02\x00", repeated: "\x01",
			after: firstRequest,
		},
		{name: "HTTP/1 over TLS, silent", protocol: h1, after: firstRequest},
		{
			name: "HTTP/1 over TLS, half a header", protocol: h1, send: "GET / HTTP/1.1\r\nX: ", repeated: "a",
			after: firstRequest,
		},
		{name: "HTTP/2, silent", protocol: h2, after: firstRequest},
		{
			name: "HTTP/2, no request", protocol: h2, send: begin, repeated: frame(6, 0, 0, "12345678"),
			after: firstRequest,
		},
		{
			name: "HTTP/2, CONTINUATION without end", protocol: h2, send: begin + frame(1, 0, 1, getRoot),
			repeated: frame(9, 0, 1, "\x00\x01x\x01y"), after: firstRequest,
		},
		{
			name: "HTTP/2, empty CONTINUATION without end", protocol: h2, send: begin + frame(1, 0, 1, getRoot),
			repeated: strings.Repeat(frame(9, 0, 1, ""), 100), after: firstRequest,
		},
		{
			name: "HTTP/2, half a frame", protocol: h2, send: begin + frame(1, 4, 1, strings.Repeat("x", 16000))[:100],
			repeated: "x", after: firstRequest,
		},
		{name: "HTTP/2, a request", protocol: h2, send: begin + frame(1, 5, 1, getRoot), after: 2 * time.Minute},
		{name: "HTTP/1, a request", send: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", after: 2 * time.Minute, status: 200},
		{
			name: "HTTP/1 over TLS, a request", protocol: h1, send: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			after: 2 * time.Minute, status: 200,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, ok, c.protocol != "" || c.handshake)
				defer s.close()
				began := time.Now()
				conn := s.dial(c.protocol)
				defer conn.Close()
				over, sent := make(chan struct{}), make(chan struct{})
				defer func() { close(over); <-sent }()
				go func() {
					defer close(sent)
					for send := c.send; ; send = c.repeated {
						if _, err := io.WriteString(conn, send); err != nil || c.repeated == "" {
							return
						}
						select {
						case <-over:
							return
						case <-time.After(time.Second):
						}
					}
				}()
				answer, _ := io.ReadAll(conn) // a pipe that is closed, or reset
				took := time.Since(began)
				if slack := lingerTime + 5*time.Second; took < c.after || took > c.after+slack {
					t.Errorf("got closed after %v, want %v", took, c.after)
				}
				if status := fmt.Sprintf("HTTP/1.1 %d ", c.status); c.status != 0 &&
					!strings.HasPrefix(string(answer), status) {
					t.Errorf("got answer %.300q, want %s", answer, status)
				}
			})
		})
	}
}

// What a handler writes passes as it is, also where it looks like an answer of net/http's own, and on the
// second request as on the first.
func TestAnswersOfTheHandlerPass(t *testing.T) {
	like := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 " +
		"Bad Request"
	long := strings.Repeat(like, 200)
	for _, protocol := range []string{"", "http/1.1"} {
		t.Run(protocol, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if got, want := r.TLS != nil, protocol != ""; got != want {
						t.Errorf("the request came over TLS: %t, want %t", got, want)
					}
					w.Header().Set("Content-Length", fmt.Sprint(2*len(long)))
					io.WriteString(w, long)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
					io.WriteString(w, long)
				}, protocol != "")
				defer s.close()
				conn := s.dial(protocol)
				defer conn.Close()
				in := bufio.NewReader(conn)
				for range 3 {
					go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					res, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					if err != nil || string(got) != long+long {
						t.Fatalf("got %d bytes, %v; want %d as they were written", len(got), err, 2*len(long))
					}

				}
				go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n")
				wantRefusal(t, in, http.StatusBadRequest, "invalid header name")
			})
		})
	}
}

// wantRefusal reads an answer that is the envelope of bad_input.
func wantRefusal(t *testing.T, in *bufio.Reader, status int, says string) {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantEnvelope(t, res, body, status, says)
}

// wantEnvelope checks such an answer.
func wantEnvelope(t *testing.T, res *http.Response, body []byte, status int, says string) {
	t.Helper()
	if res.StatusCode != status {
		t.Errorf("got status %d, want %d", res.StatusCode, status)
	}
	var envelope struct {
		Error struct {
			Name, Message string
			Status        int
		}
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if e := envelope.Error; e.Name != "bad_input" || e.Status != status {
		t.Errorf("got envelope of %s, %d; want bad_input, %d", e.Name, e.Status, status)
	}
	if !strings.Contains(envelope.Error.Message, says) {
		t.Errorf("got message %q, want %q in it", envelope.Error.Message, says)
	}
	if id := res.Header.Get("X-Request-Id"); id == "" || id != envelope.RequestID {
		t.Errorf("got request id %q in the header, %q in the body; want one", id, envelope.RequestID)
	}
	if res.Header.Get("X-Should-Retry") != "false" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got headers %v, want JSON that is not to be sent again", res.Header)
	}
}

func TestRequestsThatAreNoneGetTheEnvelope(t *testing.T) {
	const begin = "POST / HTTP/1.1\r\nHost: a\r\n"
	for _, c := range []struct {
		name, send string
		status     int
		says       string
	}{
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		{"no HTTP", "hello\r\n\r\n", 400, "not a valid HTTP request"},
		{"headers too large", begin + "X: " + strings.Repeat("a", 30<<10) + "\r\n\r\n", 431, "larger than 16 KiB"},
		{"another coding", begin + "Transfer-Encoding: gzip\r\n\r\n", 501, "Transfer-Encoding"},
		{"another version", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "version of HTTP"},
		{"another expectation", begin + "Expect: tea\r\nContent-Length: 1\r\n\r\na", 417, "Expect"},
		{"HTTP/2", preface, 505, "HTTP/1.1 alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, ok, false)
				defer s.close()
				conn := s.dial("")
				defer conn.Close()
				go io.WriteString(conn, c.send)
				wantRefusal(t, bufio.NewReader(conn), c.status, c.says)
				if n := s.log.count("not valid HTTP"); n != 1 {
					t.Errorf("got %d lines, want 1", n)
				}
			})
		})
	}
}

// What anybody can cause is logged as often as is of use.
func TestFailuresOfConnectionsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, true)
		defer s.close()
		for range 90 {
			conn := s.pipes.dial("127.0.0.1")
			if _, err := io.WriteString(conn, "no TLS at all"); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
		time.Sleep(2 * time.Second)
		if n := s.log.count("TLS handshake error"); n != maxLogLines {
			t.Errorf("got %d lines, want %d", n, maxLogLines)
		}
		if n := s.log.count("count=80"); n != 1 {
			t.Errorf("got %d lines of the rest, want 1", n)
		}
	})
}

// A server that ends leaves no connection and no goroutine behind.
func TestServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, true)
		for range 3 {
			s.pipes.dial("127.0.0.1") // no handshake
		}
		conn := s.dial("http/1.1")
		read := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(conn)
			read <- err
		}()
		synctest.Wait()
		began := time.Now()
		s.close()
		if err := <-read; err != nil {
			t.Errorf("got %v, want the end of the connection", err)
		}
		synctest.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v, want no wait for those who say nothing", took)
		}
	})
}
