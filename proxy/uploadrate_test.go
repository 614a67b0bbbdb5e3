package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pipes is a listener without a network: its connections hold nothing back, so
// that a reader that stops is felt at once, and their deadlines are of virtual
// time.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l pipes) Close() error {
	close(l.closed)
	return nil
}

// serve puts a real server in front of a proxy and returns how to connect to it
// and how to end it.
func serve(p *Proxy) (dial func() net.Conn, end func()) { return serveHandler(p, p) }

// serveHandler serves a handler around a proxy.
func serveHandler(p *Proxy, handler http.Handler) (dial func() net.Conn, end func()) {
	l := pipes{make(chan net.Conn), make(chan struct{})}
	s := &http.Server{Handler: handler, BaseContext: p.BaseContext}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	dial = func() net.Conn {
		ours, theirs := net.Pipe()
		l.accept <- theirs
		return ours
	}
	return dial, func() {
		s.Close()
		<-done
	}
}

func postHead(path string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n",
		path, length)
}

func TestSlowUploads(t *testing.T) {
	trickle := func(n int, every time.Duration) func(net.Conn) error {
		return func(c net.Conn) error {
			for {
				if _, err := io.WriteString(c, strings.Repeat("{", n)); err != nil {
					return err
				}
				time.Sleep(every)
			}
		}
	}
	for _, test := range []struct {
		name, path string
		send       func(net.Conn) error
		after      time.Duration // from the last byte of the headers to the answer
		status     int
		says       string
	}{
		{
			"nothing comes", chatPath, func(net.Conn) error { return nil }, 30 * time.Second, 400,
			"nothing more of the body came for 30s.",
		},
		{
			"a byte now and then", chatPath, trickle(1, 29*time.Second), 30 * time.Second, 400,
			"the body came too slowly, at less than 1 KiB a second.",
		},
		{"a bit below the rate", chatPath, trickle(1000, time.Second), 21 * time.Minute, 400, "too slowly"},
		{"a call that is refused anyway", "/elsewhere", func(net.Conn) error { return nil }, maxDrain, 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.MaxBody = 4 << 20
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				dial, end := serve(p)
				defer end()
				conn := dial()
				defer conn.Close()
				length := 100_000
				if test.after > maxDrain+30*time.Second {
					length = 4 << 20
				}
				if _, err := io.WriteString(conn, postHead(test.path, length)); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					_ = test.send(conn)
				}()
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				if took := time.Since(began); took < test.after || took > test.after+test.after/10 {
					t.Errorf("answered: got after %v, want after %v, or a tenth more", took, test.after)
				}
				if res.StatusCode != test.status || !strings.Contains(string(body), test.says) {
					t.Errorf("got status %d and %s, want %d and %q in it", res.StatusCode, body, test.status, test.says)
				}
				if _, err := in.ReadByte(); err != io.EOF {
					t.Errorf("the connection after the answer: got error %v, want %v", err, io.EOF)
				}
				if l := p.Load(); l.InFlight != 0 {
					t.Errorf("in flight: got %d, want 0", l.InFlight)
				}
				<-sent
			})
		})
	}
}

// Slow, and well: neither pauses within the limit nor an upstream that takes
// its time are the caller's fault.
func TestUploadsThatAreSlowEnough(t *testing.T) {
	const chunks = 60 // of 2 KiB
	for _, test := range []struct {
		name     string
		pause    time.Duration // of the caller, before each chunk
		upstream time.Duration // before each read
	}{
		{"pauses", 2 * time.Second, 0},
		{"a slow upstream", 0, time.Minute},
		{"both", 2 * time.Second, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.FirstByteTimeout = 24 * time.Hour
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n, buf := 0, make([]byte, 2048)
					for {
						time.Sleep(test.upstream)
						m, err := r.Body.Read(buf)
						if n += m; err == io.EOF {
							break
						} else if err != nil {
							t.Errorf("upstream reads: got error %v, want none before the end", err)
							return
						}
					}
					answerJSON(200, fmt.Sprintf(`{"result":{"bytes":%d},"success":true}`, n))(w, r)
				})}
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				dial, end := serve(p)
				defer end()
				conn := dial()
				defer conn.Close()
				go func() {
					_, _ = io.WriteString(conn, postHead("/run/"+testSpeechModel, chunks*2048))
					for range chunks {
						time.Sleep(test.pause)
						_, _ = io.WriteString(conn, strings.Repeat("R", 2048))
					}
				}()
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 ||
					!strings.Contains(string(body), fmt.Sprint(chunks*2048)) {
					t.Errorf("got status %d and %s, want 200 and %d in it", res.StatusCode, body, chunks*2048)
				}
			})
		})
	}
}
